"""How every command speaks: text or exactly one JSON document on stdout, progress on stderr, exit codes of design §11."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.text import Text

from railbed import strict_json
from railbed.claims import Verdict
from railbed.cli.asked import State
from railbed.effects.workspace import stack_name
from railbed.errors import Exit, RailbedError
from railbed.text import plain

COLOURS = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.UNPROVEN: "yellow"}
PIPE_WIDTH = 140
"""Columns where nobody looks: a log, a pipe; a terminal's own width counts otherwise."""


class _Console(Console):
    """Shows text as it is, in tables too: no markup, no names of emoji, nothing that a terminal obeys."""

    def render_str(self, text: str, **how: Any) -> Text:
        return super().render_str(plain(text), **{**how, "markup": False, "emoji": False})


def line(*pieces: str | tuple[str, str]) -> Text:
    """Text with styles: pieces as they are, or with the name of a style."""
    parts = [(piece, "") if isinstance(piece, str) else piece for piece in pieces]
    return Text.assemble(*((plain(text), style) for text, style in parts))


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    return _Console(stderr=stderr, highlight=False, width=None if stream.isatty() else PIPE_WIDTH)


out = _console(stderr=False)
err = _console(stderr=True)


def print_json(document: Any) -> None:
    """Prints the one JSON document of a ``--json`` command; a number that is not finite becomes null."""
    sys.stdout.write(strict_json.dumps(document, indent=2) + "\n")
    sys.stdout.flush()
    State.printed = True


def write_lines(lines: Iterable[str]) -> None:
    """Writes a document in a format of its own to stdout, as it is. A reader that has had enough is no error."""
    try:
        sys.stdout.writelines(lines)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def fail(error: RailbedError) -> NoReturn:
    """Prints ``error`` as text on stderr, or as JSON on stdout, and leaves with its status."""
    if State.as_json and not State.printed:
        print_json({"error": error.as_json()})
    else:
        err.print(error.as_text(), style="red")
    raise typer.Exit(int(error.exit_status))


def leave(status: Exit) -> NoReturn:
    """Ends the command with ``status``."""
    raise typer.Exit(int(status))


def _remember(value: bool) -> bool:
    State.as_json = value
    return value


JSON_OPTION = typer.Option(False, "--json", help="Print one JSON document on stdout.", callback=_remember)
STACK = "lab"
"""Of a command that names none."""
STACK_OPTION = typer.Option(STACK, "--stack", "-s", callback=stack_name, help="Stack name.")


def stack_words(stack: str) -> str:
    """What a command that is suggested has behind it, so that it is about this stack."""
    return "" if stack == STACK else f" --stack {stack}"
