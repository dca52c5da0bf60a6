"""Writes files that a user names: never a traceback."""

from __future__ import annotations

from pathlib import Path

from railbed.errors import UsageError


def write_text(path: Path, text: str) -> None:
    """Writes a file that a user names. Raises UsageError where it cannot be written."""
    try:
        path.write_text(text)
    except OSError as wrong:
        raise UsageError(f"cannot be written: {wrong.strerror}", path=str(path)) from None
