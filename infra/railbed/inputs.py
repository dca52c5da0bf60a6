"""Files that a user names, or that another machine wrote: read within limits, one clear error for whatever is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from railbed import strict_json
from railbed.defaults import MAX_JSON_BYTES, MAX_LOG_BYTES
from railbed.errors import RailbedError, UsageError


def read_bytes(
    path: Path, max_bytes: int, *, error: type[RailbedError] = UsageError, hint: str = ""
) -> bytes:
    """The file's bytes, at most ``max_bytes``. Raises ``error`` where it is missing, unreadable or larger."""
    try:
        if not path.is_file() and not path.is_fifo() and not path.is_char_device():
            raise error("there is no such file", path=str(path), hint=hint)
        with path.open("rb") as source:
            data = source.read(max_bytes + 1)
    except OSError as wrong:
        raise error(f"the file cannot be read: {wrong.strerror}", path=str(path), hint=hint) from None
    except ValueError:  # a NUL in the name
        raise error("there is no such file", path=repr(str(path)), hint=hint) from None
    if len(data) > max_bytes:
        raise error("the file is too big", path=str(path), allowed=f"at most {max_bytes} bytes", hint=hint)
    return data


def read_text(path: Path, max_bytes: int, *, error: type[RailbedError] = UsageError, hint: str = "") -> str:
    """The file's text. Raises ``error`` as `read_bytes` does, and where it is not UTF-8."""
    try:
        return read_bytes(path, max_bytes, error=error, hint=hint).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise error("the file is not text (UTF-8)", path=str(path), hint=hint) from None


def read_log(path: Path) -> str:
    """What a tool printed, bad UTF-8 replaced. Raises UsageError as `read_bytes` does."""
    hint = "name a file with the output of the tool; of a larger one cut out the tables"
    return read_bytes(path, MAX_LOG_BYTES, hint=hint).decode(errors="replace")


def read_json(
    path: Path,
    max_bytes: int = MAX_JSON_BYTES,
    *,
    error: type[RailbedError] = UsageError,
    hint: str = "",
) -> Any:
    """The file's JSON document. Raises ``error`` as `read_bytes` does, and where `strict_json` does not take it."""
    data = read_bytes(path, max_bytes, error=error, hint=hint)
    try:
        return strict_json.loads(data, max_bytes=max_bytes)
    except strict_json.NotJson as broken:
        raise error(f"the file {broken}", path=str(path), hint=hint) from None
