"""What the health check keeps between its runs: files that are whole or absent, whenever it is ended."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import fields
from typing import Any, Optional

RUN = "/run/railbed"
"""Gone after a boot, as what is in it says nothing of the node then."""
STATE = "/var/lib/railbed"
"""Stays, as a fault that a boot mends for an hour is what the hold-down is for."""
MEMORY = f"{RUN}/health.json"
REPORTED = f"{RUN}/health-reported"
"""The line that the scheduler has; the shell script around this program writes it too."""
STARTS = f"{RUN}/starts.json"
"""What the starts of jobs leave to the next one."""
RETURNS = f"{STATE}/health-returns.json"
LOCK = f"{RUN}/health.lock"
"""Of whoever drains the node or gives it back: the health check, or the start of a job."""
LOCK_POLL_S = 0.2


def load(path: str) -> dict[str, Any]:
    """A JSON object; empty where there is none, or what is there is not one."""
    try:
        with open(path) as source:
            found = json.load(source)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def known(kind: type[Any], found: Any) -> dict[str, Any]:
    """Of a JSON object what a dataclass knows: another version of the program may have written it."""
    names = {field.name for field in fields(kind)}
    return {key: value for key, value in found.items() if key in names} if isinstance(found, dict) else {}


def text(path: str) -> Optional[str]:
    """The text of a file; None where there is none."""
    try:
        with open(path) as source:
            return source.read().strip()
    except OSError:
        return None


def save(path: str, content: str) -> bool:
    """Writes beside and renames; False where that failed."""
    try:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        with open(path + ".new", "w") as sink:
            sink.write(content)
            sink.flush()
            os.fsync(sink.fileno())
        os.replace(path + ".new", path)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def locked(path: str, wait_s: float) -> Iterator[bool]:
    """Holds the lock, which ends with its process; False where another one kept it for ``wait_s``, or it cannot be had."""
    try:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        yield False
        return
    end, locked_now = time.monotonic() + wait_s, False
    try:
        while not locked_now:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                locked_now = True
            except OSError:
                if time.monotonic() >= end:
                    break
                time.sleep(LOCK_POLL_S)
        yield locked_now
    finally:
        os.close(handle)
