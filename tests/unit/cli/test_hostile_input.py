"""Whatever files and options a command is given: an exit status of ours, one JSON document, no traceback, nothing unforeseen."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from railbed.cli import main
from railbed.cli.asked import State
from railbed.parse import registry

ROOT = Path(__file__).parents[3]
DATA = ROOT / "tests/unit/data"
LAB = str(ROOT / "examples/lab-cluster.yaml")
LOG = str(DATA / "parse/nccl_tests/two-nodes.log")
FILE = "FILE"
"""Stands for the hostile file."""
JUDGE = ("-m", "aws/p5.48xlarge", "-n", "2")

DEEP = 20_000
HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "null": b"null",
    "list": b"[]",
    "object": b"{}",
    "cut short": b'{"schema": "railbed/certificate/v2", "claims": [',
    "deep list": b"[" * DEEP,
    "deep and whole": b"[" * DEEP + b"]" * DEEP,
    "long number": b'{"schema": ' + b"9" * 5000 + b"}",
    "NaN": b'{"a": NaN, "b": [Infinity, 1e999]}',
    "twice": b'{"schema": "a", "schema": "railbed/certificate/v2"}',
    "half a pair": b'{"cluster": "\\ud800"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "binary": bytes(range(256)) * 20,
    "escapes": b"\x1b[2J\x1b]52;c;YQ==\x07[/x] [bold]{{ 1 }}\r\n",
    "one long line": b"a" * 300_000,
    "yaml bomb": b"a: &a [1]\nb: &b [*a,*a]\nc: [*b,*b]\n",
    "yaml tag": b"a: !!python/object/apply:os.system [id]\n",
    "no certificate": b'{"schema": "railbed/certificate/v2", "claims": 3, "public_key": "[/x]", "signature": null}',
    "old certificate": b'{"schema": "railbed/certificate/v1", "claims": []}',
    "no backup": b'{"schema": "railbed/state-backup/v1", "stack": "lab", "state": []}',
    "no record": b'{"schema": "railbed/blame/v1", "what": "nodes", "nodes": [1], "rule": {}}',
    "no contract": b'{"schema": "railbed/contract/v1", "hash": "x", "nodes": [{}]}',
}
COMMANDS: list[tuple[str, ...]] = [
    ("spec", "validate", "--spec", FILE),
    ("spec", "explain", "--spec", FILE),
    ("plan", "--spec", FILE),
    *(("parse", tool, FILE) for tool in registry.tools()),
    ("bandwidth", "parse", FILE),
    ("bandwidth", "judge", FILE, *JUDGE),
    ("bandwidth", "judge", LOG, *JUDGE, "--baseline", FILE),
    ("bandwidth", "expect", *JUDGE, "-c", "all_reduce", "-s", "1073741824", "--plot", "p.svg", "--measured", FILE),
    ("blame", "decide", FILE),
    ("fabric", "verify", "--observed", FILE, "--nodes", "4"),
    ("fabric", "verify", "--observed", str(DATA / "fabric/plan.ibnetdiscover"), "--spec", FILE),
    ("fabric", "switches", "--nodes", "4", "--os", "opensm", "--output", "o", "--observed", FILE),
    ("fabric", "switches", "--nodes", "4", "--os", "opensm", "--output", "p", "--partitions", FILE),
    ("certificate", "show", FILE),
    ("certificate", "verify", FILE),
    ("certificate", "verify", FILE, "--key", FILE),
    ("state", "restore", FILE),
]  # fmt: skip
KEPT: list[tuple[str, ...]] = [
    ("certificate", "show"), ("certificate", "verify"), ("report",), ("node", "list"), ("node", "show", "h100-0"),
    ("lab", "fault", "list"), ("node", "history", "h100-0"), ("state", "list"),
]  # fmt: skip
"""Commands that read what railbed itself keeps of a stack."""
OWN = (
    "contract.json",
    "certificate.json",
    "accepted.json",
    "reports/latest/report.json",
    "lab/faults.json",
    "archive/journal.jsonl",
)


class Done(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def call(whole: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """Runs a command in this process, in a checkout that holds nothing."""
    (tmp_path / "Pulumi.yaml").write_text("name: railbed\n")
    (tmp_path / "infra").mkdir()
    shutil.copy(LAB, tmp_path / "Pulumi.lab.yaml")
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["railbed", *words])
        State.as_json = State.printed = False
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as left:
            main.main()
        return Done(int(left.value.code or 0), out.getvalue(), err.getvalue())

    return run


def constant(name: str) -> Any:
    raise AssertionError(f"{name} is no JSON")


def checked(done: Done, words: tuple[str, ...]) -> None:
    shown = [word[:60] for word in words]
    assert done.code in (0, 1, 2, 3), shown
    assert "Traceback" not in done.out + done.err, shown
    assert "INTERNAL" not in done.out + done.err, (shown, done.out[-2000:], done.err[-2000:])
    if "--json" in words:
        document = json.loads(done.out, parse_constant=constant)
        if done.code == 2:
            assert document["error"]["message"], shown
    else:
        assert done.code == 0 or done.out or done.err, shown


@pytest.fixture(scope="module", params=[*HOSTILE, "missing", "folder", "loop"])
def hostile(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("hostile") / "file"
    if request.param == "folder":
        place.mkdir()
    elif request.param == "loop":
        place.symlink_to(place)
    elif request.param != "missing":
        place.write_bytes(HOSTILE[request.param])
    return place


def test_files(hostile: Path, call: Callable[..., Done]) -> None:
    for words in COMMANDS:
        given = tuple(str(hostile) if word == FILE else word for word in words)
        given += ("--json",)
        checked(call(*given), given)


@pytest.mark.parametrize("case", ["escapes", "deep list", "UTF-16"])
def test_files_without_json(case: str, tmp_path: Path, call: Callable[..., Done]) -> None:
    (tmp_path / "file").write_bytes(HOSTILE[case])
    for words in COMMANDS:
        given = tuple("file" if word == FILE else word for word in words)
        checked(call(*given), given)


@pytest.mark.parametrize("own", OWN)
def test_what_is_kept_of_a_stack_is_damaged(own: str, hostile: Path, call: Callable[..., Done]) -> None:
    place = Path.cwd() / ".railbed/lab" / own
    place.parent.mkdir(parents=True)
    if hostile.is_file():
        shutil.copy(hostile, place)
    elif hostile.is_dir():
        place.mkdir()
    for words in KEPT:
        checked(call(*words, "--json"), (*words, "--json"))


TEXTS = ("", "../x", "[/x]\x1b[2J", "\udcff", "a" * 5000)
VALUES = ("-1", "NaN", "1000000000", "9" * 5000, *TEXTS[2:])
GOOD: list[tuple[str, ...]] = [
    ("spec", "validate", "--spec", LAB),
    ("spec", "explain", "--spec", LAB),
    ("plan", "--spec", LAB),
    ("catalog", "list"),
    ("catalog", "show", "lab/rail8"),
    ("fabric", "plan", "--nodes", "4"),
    ("fabric", "export", "--nodes", "4", "--format", "csv"),
    ("fabric", "verify", "--observed", str(DATA / "fabric/plan.ibnetdiscover"), "--nodes", "4"),
    ("fabric", "draw", "--nodes", "4", "--output", "f.svg"),
    ("fabric", "switches", "--nodes", "4", "--os", "sonic", "--output", "s"),
    ("bandwidth", "expect", *JUDGE, "-c", "all_reduce", "-s", "1073741824"),
    ("bandwidth", "judge", LOG, *JUDGE),
    ("bandwidth", "parse", LOG),
    ("parse", "nccl-tests", LOG),
    ("job", "plan", "--gpus", "1024", "--days", "30"),
    ("blame", "plan", "--nodes", "8"),
    ("software", "solve", "--machine", "metal/hgx-h100", "--os", "ubuntu 24.04"),
    ("software", "explain", "--machine", "metal/hgx-h100", "--os", "ubuntu 24.04", "--with", "cuda"),
    ("software", "diff", "2026.11", "2026.11"),
    ("software", "sbom", "2026.11"),
    ("certificate", "show"),
    ("certificate", "verify"),
    ("node", "list"),
    ("node", "show", "h100-0"),
    ("node", "history", "h100-0"),
    ("lab", "fault", "list"),
    ("state", "list"),
    ("report",),
]


def parameters(tree: Any, words: tuple[str, ...]) -> list[Any]:
    """The parameters of a command."""
    here = tree
    for word in words:
        if not hasattr(here, "commands") or word not in here.commands:
            break
        here = here.commands[word]
    return list(here.params)


def options(tree: Any, words: tuple[str, ...]) -> Iterator[str]:
    """The options of a command that take a value."""
    for parameter in parameters(tree, words):
        if not getattr(parameter, "is_flag", False) and parameter.opts[0].startswith("--"):
            yield parameter.opts[0]


def as_json(tree: Any, words: tuple[str, ...]) -> tuple[str, ...]:
    return ("--json",) if any("--json" in p.opts for p in parameters(tree, words)) else ()


@pytest.mark.parametrize("words", GOOD, ids=lambda words: " ".join(words[:2]))
def test_the_commands_are_taken_so_that_only_the_change_is_refused(
    words: tuple[str, ...], tree: Any, call: Callable[..., Done]
) -> None:
    done = call(*words, *as_json(tree, words))
    checked(done, words)
    assert "USAGE" not in done.out + done.err


@pytest.mark.parametrize("words", GOOD, ids=lambda words: " ".join(words[:2]))
def test_options(words: tuple[str, ...], tree: Any, call: Callable[..., Done]) -> None:
    for option in options(tree, words):
        for value in VALUES:
            given = (*words, option, value, *as_json(tree, words))
            checked(call(*given), given)


@pytest.mark.parametrize("words", GOOD, ids=lambda words: " ".join(words[:2]))
def test_arguments(words: tuple[str, ...], tree: Any, call: Callable[..., Done]) -> None:
    for place in range(1, len(words)):
        for value in TEXTS:
            given = (*words[:place], value, *words[place + 1 :], *as_json(tree, words))
            checked(call(*given), given)
