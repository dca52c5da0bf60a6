"""The checkout that a command runs in, and what it says meanwhile. Imports no stage: commands that need none start faster."""

from __future__ import annotations

from railbed.cli import output
from railbed.effects.workspace import Workspace, find_root, known


def workspace(stack: str) -> Workspace:
    """The stack's place in this checkout. Raises UsageError for a stack that it does not have."""
    return known(find_root(), stack)


def say(text: str) -> None:
    """Progress, on stderr."""
    output.err.print(output.line(("·", "dim"), f" {text}"))
