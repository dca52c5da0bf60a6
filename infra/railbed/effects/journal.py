"""The append-only journal of a stack: one JSON line per step, on disk before the step's effect is relied upon."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def now_iso() -> str:
    """The one clock for records: UTC, seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Journal:
    """Crash-safe: a line that was cut short by a crash is skipped when reading, and never joined to the next."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, event: str, **fields: Any) -> None:
        """Appends one event and waits until it is on disk."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"at": now_iso(), "event": event, **fields}, sort_keys=False)
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = os.fstat(fd).st_size
            torn = size > 0 and os.pread(fd, 1, size - 1) != b"\n"
            os.write(fd, (("\n" if torn else "") + line + "\n").encode())
            os.fsync(fd)
        finally:
            os.close(fd)

    def read(self) -> Iterator[dict[str, Any]]:
        """Every whole event, oldest first."""
        if not self.path.exists():
            return
        for line in self.path.read_text(errors="replace").splitlines():
            try:
                event = json.loads(line)
            except json.JSONDecodeError:
                continue
            if isinstance(event, dict):
                yield event
