"""Reads and writes files that a user names: size-limited, never a traceback."""

from __future__ import annotations

from pathlib import Path

from railbed.defaults import MAX_LOG_BYTES
from railbed.errors import UsageError


def read_text(path: Path) -> str:
    """The file's text, bad UTF-8 replaced. Raises UsageError where it cannot be read or is too big."""
    try:
        if not path.is_file() and not path.is_fifo() and not path.is_char_device():
            raise UsageError("no such file", path=str(path), hint="name a file with the output of the tool")
        with path.open("rb") as source:
            data = source.read(MAX_LOG_BYTES + 1)
    except OSError as wrong:
        raise UsageError(f"cannot be read: {wrong.strerror}", path=str(path)) from None
    if len(data) > MAX_LOG_BYTES:
        raise UsageError(
            "the file is too big for a log",
            path=str(path),
            allowed=f"at most {MAX_LOG_BYTES} bytes",
            hint="cut out the tables",
        )
    return data.decode(errors="replace")


def write_text(path: Path, text: str) -> None:
    """Writes a file that a user names. Raises UsageError where it cannot be written."""
    try:
        path.write_text(text)
    except OSError as wrong:
        raise UsageError(f"cannot be written: {wrong.strerror}", path=str(path)) from None
