"""Writes files that a user names: never a traceback."""

from __future__ import annotations

from pathlib import Path

from railbed.effects import files
from railbed.errors import UsageError


def write_text(path: Path, text: str) -> None:
    """Writes a file that a user names. Raises UsageError where it cannot be written."""
    try:
        path.write_text(text)
    except OSError as wrong:
        raise UsageError(f"cannot be written: {wrong.strerror}", path=str(path)) from None


def write_private(path: Path, content: bytes) -> None:
    """Writes a file that its owner alone may read, with its folder, whole or not at all. Raises as ``write_text``."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.replace(path, content, mode=files.PRIVATE)
    except OSError as wrong:
        raise UsageError(f"cannot be written: {wrong.strerror}", path=str(path)) from None
