"""An error that nobody foresaw: the traceback goes to a file, the user gets a RailbedError that names it."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from pathlib import Path

from railbed import __version__
from railbed.effects.workspace import LOCAL, find_root
from railbed.errors import RailbedError

FOLDER = "errors"


def error(failure: Exception) -> RailbedError:
    """The error to show for ``failure``: code ``INTERNAL``, ``path`` is the file with the traceback."""
    kept = _kept("".join(traceback.format_exception(failure)))
    where = f"keep {kept}, which says where, and report it" if kept else "report the command and its files"
    return RailbedError(
        f"railbed itself failed ({type(failure).__name__}); nothing more was done", code="INTERNAL", path=kept,
        hint=f"{where}; a file or an answer that nobody foresaw is the usual cause",
    )  # fmt: skip


def _kept(trace: str) -> str:
    """The file, which only its owner can read; empty where none can be written."""
    text = f"railbed {__version__}, Python {sys.version.split()[0]}\n{trace}"
    for folder in (_checkout(), Path(tempfile.gettempdir())):
        try:
            if folder is None:
                continue
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(
                prefix="railbed-error-", suffix=".txt", dir=folder
            )  # 0600 by itself
            with os.fdopen(handle, "w", errors="backslashreplace") as file:
                file.write(text)
        except OSError:
            continue
        return name
    return ""


def _checkout() -> Path | None:
    """``.railbed/errors`` of the checkout; None outside one."""
    try:
        return find_root() / LOCAL / FOLDER
    except (RailbedError, OSError):
        return None
