"""What the documentation says is there: every link, every railbed command, every make target, every path of the tree."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from railbed.cli.main import assemble

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
MAX_LINE = 130
TOP = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")} - {"uv.lock"}
"""First parts of paths of this tree."""


COMMANDS = ROOT / "docs/reference/commands.md"
"""Written by typer."""


@cache
def tree() -> Any:
    """The root of the whole command tree; made once, since attaching a command twice would double it."""
    return typer.main.get_command(assemble([]))


def without_comments(text: str) -> str:
    return re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)


def fences(text: str) -> list[tuple[str, str]]:
    """``(language, content)`` of each fenced block."""
    return re.findall(r"^ *```([\w-]*)\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)


def spans(text: str) -> list[str]:
    """Inline code, outside fenced blocks; a span may go on in the next line."""
    prose = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    return [" ".join(span.split()) for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", prose)]


def calls(text: str, program: str) -> Iterator[list[str]]:
    """The words after ``program`` in shell blocks and inline code, one list per call."""
    lines = [
        line.strip() for language, body in fences(text) if language == "sh" for line in body.splitlines()
    ]
    for line in [*lines, *spans(text)]:
        for part in re.split(r"&&|\|\||;|\s\|\s|\$\(|\)", re.sub(r"(^|\s)#.*", "", line)):
            call = re.sub(r"\s[<>].*", "", part)
            whole = call.count("'") % 2 == 0 and call.count('"') % 2 == 0
            words = shlex.split(call) if whole else call.split()
            if words and words[0] in (program, f".venv/bin/{program}"):
                yield words[1:]


def wrong_call(group: Any, words: list[str]) -> str:
    """What the command tree does not know of a call; empty where it knows all. ``a|b`` stands for both."""
    for position, word in enumerate(words):
        if not hasattr(group, "commands"):
            return wrong_option(group, words[position:])
        if word.startswith("-") and group.invoke_without_command and group.params:
            return wrong_option(group, words[position:])
        if word.startswith("-"):
            return "" if word in ("--help", "--json") else f"{word} before a verb"
        names = word.split("|")
        unknown = [name for name in names if name not in group.commands]
        if unknown:
            return f"no command {', '.join(unknown)}"
        group = group.commands[names[0]]
    return ""


def wrong_option(command: Any, words: list[str]) -> str:
    """Options that the command does not have, and words that it has no argument for."""
    options = {name: param for param in command.params for name in [*param.opts, *param.secondary_opts]}
    room = sum(1 for param in command.params if param.param_type_name == "argument")
    at = 0
    while at < len(words):
        word = words[at].strip("[]")
        at += 1
        name = word.partition("=")[0]
        if not word.startswith("-"):
            room -= 1
        elif name == "--help":
            continue
        elif name not in options:
            return f"no option {name}"
        elif not options[name].is_flag and "=" not in word:
            at += 1
    return "" if room >= 0 else "more words than arguments"


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(
        r"^#+ (.+)$",
        re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL),
        re.MULTILINE,
    )
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def links(text: str) -> list[str]:
    prose = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"\]\(([^)\s]+)\)", prose)


def broken_link(page: Path, link: str) -> bool:
    if re.match(r"[a-z]+:", link):
        return False
    target, _, anchor = link.partition("#")
    there = (page.parent / target).resolve() if target else page
    return not there.exists() or bool(anchor and there.suffix == ".md" and anchor not in anchors(there))


def paths(text: str) -> list[str]:
    """Inline code that names a file or folder of this tree; patterns and blanks are not looked up."""
    found = [span.rstrip("/") for span in spans(text)]
    return [p for p in found if "/" in p and p.split("/")[0] in TOP and not re.search(r"[\s*<>{}…$]", p)]


def ids(page: Path) -> str:
    return str(page.relative_to(ROOT))


each_page = pytest.mark.parametrize("page", PAGES, ids=ids)


def test_there_is_documentation() -> None:
    names = {ids(page) for page in PAGES}
    assert {"README.md", "AGENTS.md", "CHANGELOG.md", "docs/tutorial.md", "docs/architecture.md"} <= names


@each_page
def test_links_resolve(page: Path) -> None:
    assert [link for link in links(page.read_text()) if broken_link(page, link)] == []


@each_page
def test_railbed_commands_exist(page: Path) -> None:
    quoted = list(calls(without_comments(page.read_text()), "railbed"))
    assert [(" ".join(words), told) for words in quoted if (told := wrong_call(tree(), words))] == []


@each_page
def test_make_targets_exist(page: Path) -> None:
    quoted = [words for words in calls(without_comments(page.read_text()), "make") if words]
    named = {word for words in quoted for word in words if not re.match(r"[A-Z_]+=", word)}
    assert named - targets() == set()


@each_page
def test_paths_exist(page: Path) -> None:
    assert [path for path in paths(page.read_text()) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page != COMMANDS], ids=ids)
def test_lines_are_short_enough_to_read(page: Path) -> None:
    lines = [line for line in page.read_text().splitlines() if not line.startswith("|")]
    assert [line for line in lines if len(line) > MAX_LINE] == []


def test_the_command_reference_is_current() -> None:
    """Renew it with the command at the top of `tools/commands.py`."""
    words = [
        sys.executable,
        "-m",
        "typer",
        "tools/commands.py",
        "utils",
        "docs",
        "--name",
        "railbed",
        "--title",
        "Commands",
    ]
    made = subprocess.run(words, cwd=ROOT, text=True, capture_output=True, check=True).stdout
    assert made.strip() == COMMANDS.read_text().strip()
    # The page is made from the whole tree: a command that is not loaded would be missing in both.
    assert "## `railbed lab`" in made and "### `railbed node repair`" in made


def test_every_target_is_in_the_help() -> None:
    words = ["make", "--no-print-directory", "help"]
    shown = subprocess.run(words, cwd=ROOT, text=True, capture_output=True, check=True).stdout
    assert targets() == {line.split()[0] for line in shown.splitlines() if line.strip()}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("`railbed launch`", "no command launch"),
        ("`railbed lab fault list|break`", "no command break"),
        ("```sh\nrailbed node repair h100-2 --now\n```", "no option --now"),
        ("```sh\n. .railbed/env && railbed catalog show a b\n```", "more words than arguments"),
        ("```sh\nrailbed lab fault list|inject|clear   # all three\n```", ""),
        ("```sh\nrailbed plan --json | jq .claims\n```", ""),
    ],
)
def test_a_wrong_command_is_found(text: str, told: str) -> None:
    (words,) = calls(text, "railbed")
    assert wrong_call(tree(), words) == told


def test_a_wrong_link_path_or_target_is_found() -> None:
    assert broken_link(ROOT / "README.md", "docs/nowhere.md")
    assert broken_link(ROOT / "README.md", "docs/architecture.md#no-such-heading")
    assert not broken_link(ROOT / "README.md", "docs/architecture.md")
    assert paths("see `infra/railbed/nowhere.py` and `tests/unit`") == [
        "infra/railbed/nowhere.py",
        "tests/unit",
    ]
    assert list(calls("`make everything`", "make")) == [["everything"]]
