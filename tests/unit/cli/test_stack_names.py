"""A stack's name is a name wherever one is given, and no path: it becomes folders, and files of other programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from railbed.cli import main as cli
from railbed.effects.workspace import Workspace
from railbed.errors import UsageError

ROOT = Path(__file__).resolve().parents[3]
BAD = [
    "",
    ".",
    "..",
    "../x",
    "../../x",
    "a/b",
    "a\nb",
    "lab\n",
    "a b",
    "Lab",
    "-lab",
    "lab-",
    "a" * 64,
    "a" * 4096,
    "\x1b[2J",
    "ä",
]


def with_stack() -> list[tuple[str, ...]]:
    """Every command that has the option ``--stack``."""
    found: list[tuple[str, ...]] = []

    def walk(command: Any, path: tuple[str, ...]) -> None:
        for name, below in getattr(command, "commands", {}).items():
            walk(below, (*path, name))
        if any("--stack" in parameter.opts for parameter in command.params):
            found.append(path)

    walk(typer.main.get_command(cli.assemble([])), ())
    return found


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["railbed", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(str(ended.value.code))


@pytest.mark.parametrize("name", BAD)
@pytest.mark.usefixtures("whole")
def test_certificate_verify_stays_in_its_stack(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "certificate", "verify", "--stack", name, "--json") == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "STACK_NAME" and error["hint"] and error["allowed"]


@pytest.mark.parametrize("words", with_stack(), ids=" ".join)
@pytest.mark.usefixtures("whole")
def test_every_command_refuses_it(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *words, "--stack", "../../x") == 2
    shown = capsys.readouterr()
    assert "STACK_NAME" in shown.out + shown.err


def test_there_are_commands_to_try() -> None:
    assert {("up",), ("certificate", "verify"), ("node", "list"), ("state", "restore")} <= set(with_stack())


@pytest.mark.parametrize("name", BAD)
def test_no_workspace_has_such_a_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        Workspace(tmp_path, name)
    assert refused.value.code == "STACK_NAME"


@given(st.text(max_size=70))
def test_what_a_workspace_takes_stays_below_its_folder(name: str) -> None:
    try:
        work = Workspace(Path("/checkout"), name)
    except UsageError:
        return
    assert work.dir.parent == work.local and work.stack_file.parent == work.root
    assert name.isascii() and name.isprintable() and len(name) <= 63


@pytest.mark.parametrize(
    "stack", ["", "../x", "a b", "$(touch made)", "'; touch made; '", '"; touch made; "', "`touch made`"]
)
@pytest.mark.parametrize("target", ["setup", "up", "preview", "validate", "destroy"])
def test_make_hands_the_name_over_as_it_is(target: str, stack: str, tmp_path: Path) -> None:
    """The recipes run over a stand-in for the program, which notes its words."""
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/.synced").touch()
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text())
    program = tmp_path / ".venv/bin/railbed"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > said\n')
    program.chmod(0o755)
    argv = ["make", "--old-file=.venv/.synced", target]
    # The environment is the way by which a value reaches make as it is; on its command line `$` is make's own.
    subprocess.run(
        argv, cwd=tmp_path, env={**os.environ, "STACK": stack}, check=True, capture_output=True, timeout=60
    )
    words = (tmp_path / "said").read_text().splitlines()
    assert words[:3] == [target, "--stack", stack] and not (tmp_path / "made").exists()
