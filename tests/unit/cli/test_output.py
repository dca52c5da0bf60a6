"""Text is shown as it is, wherever it comes from: nothing in it is markup, and nothing reaches the terminal that it obeys."""

from __future__ import annotations

import io
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table

from railbed.cli import findings, output
from railbed.configure.events import Event
from railbed.configure.progress import Board
from railbed.configure.results import NodeResult, NodeState
from railbed.platforms.findings import Finding
from railbed.text import OBEYED

SOURCES = sorted((Path(output.__file__).parent).glob("*.py"))
REASONS = [
    "x [/bold] y",
    "[railbed:healthcheck] gpus: 7 of 8",
    "[red]no[/red]",
    "[/]",
    "a [link=http://x]b",
    ":smile:",
]
HOSTILE = "a\x1b[2J\x1b]52;c;aGk=\x07b\u202ec\x9b31md\x08e"


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the two consoles print, on a terminal with colours."""
    stream = io.StringIO()
    for console in (output.out, output.err):
        monkeypatch.setattr(console, "_file", stream)
        monkeypatch.setattr(console, "_width", 300)
    return stream


def table(text: str) -> Table:
    made = Table("claim", text, title=text)
    made.add_row("node.gpus", text)
    return made


@pytest.mark.parametrize("text", REASONS)
def test_brackets_are_text(shown: io.StringIO, text: str) -> None:
    output.out.print(table(text))
    output.out.print(text)
    output.err.print(text, style="red")
    output.out.print(output.line(("bold", "bold"), f" {text} ", (text, "red")))
    findings.show([Finding(text, False, text, text)], as_json=False)
    board = Board()
    board.take(Event("failed", node="h100-1", task="t", result=NodeResult(NodeState.FAILED, message=text)))
    output.err.print(board.table())
    assert shown.getvalue().count(text) == 11


def test_control_characters_are_gone(shown: io.StringIO) -> None:
    output.out.print(table(HOSTILE))
    output.out.print(output.line((HOSTILE, "red"), HOSTILE))
    output.err.print(HOSTILE)
    found = shown.getvalue()
    assert found.count("ab?c?31md?e") == 6
    assert not any(unicodedata.category(c) in OBEYED for c in found.replace("\n", ""))


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Z", "C"])) | st.text("[]/\\:redbold=\x1b"))
def test_any_text_can_be_shown(text: str) -> None:
    stream = io.StringIO()
    console = output._Console(file=stream, width=300)
    console.print(table(text))
    console.print(output.line((text, "red"), text))
    console.print(text)
    assert not any(unicodedata.category(c) in OBEYED for c in stream.getvalue().replace("\n", ""))


def test_no_command_writes_markup_or_goes_around_the_consoles() -> None:
    for source in SOURCES:
        text = source.read_text()
        assert not re.search(
            r"\[/\]|\[/?(?:red|green|yellow|bold|dim|cyan)\]|rich\.markup|(?<![.\w])print\(", text
        ), source
        for word in ("Console(", "echo(", "stdout.write"):
            assert word not in text or source.name == "output.py", source
