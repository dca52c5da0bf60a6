"""Which stack file a command reads: ``--spec FILE``, else that of ``--stack``."""

from __future__ import annotations

from pathlib import Path

import typer

from railbed.effects.workspace import Workspace, find_root

SPEC_OPTION = typer.Option(None, "--spec", "-f", help="A stack file, instead of the stack's own.")


def chosen(stack: str, file: Path | None) -> Path:
    """The stack file. Raises UsageError where it is the stack's and this is no checkout."""
    if file is not None:
        return file
    found = Workspace(find_root(), stack).stack_file
    return found.relative_to(Path.cwd()) if found.is_relative_to(Path.cwd()) else found
