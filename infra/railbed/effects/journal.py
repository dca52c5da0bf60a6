"""The append-only journal of a stack: one JSON line per step, on disk before the step's effect is relied upon."""

from __future__ import annotations

import fcntl
import json
import os
import pwd
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from railbed.effects import files, journal_index
from railbed.errors import refused


def now_iso() -> str:
    """The one clock for records: UTC, seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def operator() -> str:
    """Login of who runs this, for records: of the process's user, which an environment variable does not change."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


class Journal:
    """Crash-safe: a line that was cut short by a crash is skipped when reading, and never joined to the next."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, event: str, **fields: Any) -> None:
        """Appends one event and waits until it is on disk.

        Raises RailbedError ``SYSTEM`` where the operating system takes less than the whole line; then none of it stays.
        """
        line = json.dumps({"at": now_iso(), "event": event, **fields}, sort_keys=False)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                # Two commands may write at once: the end of the file must stay the same in between.
                fcntl.flock(fd, fcntl.LOCK_EX)
                first = not os.fstat(fd).st_size
                _append(fd, f"{line}\n".encode())
            finally:
                os.close(fd)
            if first:
                files.sync_folder(self.path.parent)
        except OSError as error:
            raise refused(error, str(self.path)) from None

    def read(self) -> Iterator[dict[str, Any]]:
        """Every whole event, oldest first."""
        if not self.path.exists():
            return
        with self.path.open("rb") as lines:
            for line in lines:
                if (event := journal_index.read(line)) is not None:
                    yield event

    def index(self) -> journal_index.Index:
        """What is in it now, by node and by kind, without parsing the whole."""
        return journal_index.load(self.path)


def _append(fd: int, line: bytes) -> None:
    """Appends the whole line and syncs it, or cuts off what was taken of it."""
    size = os.fstat(fd).st_size
    left = (b"\n" if size and os.pread(fd, 1, size - 1) != b"\n" else b"") + line
    try:
        while left:
            left = left[os.write(fd, left) :]
        os.fsync(fd)
    except OSError:
        os.ftruncate(fd, size)
        raise
