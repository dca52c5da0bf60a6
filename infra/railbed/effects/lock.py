"""File locks between processes of one machine; they vanish with the process that holds them.

Not `filelock`: who holds a lock would still be ours to write and to read (docs/adr/0013-what-stays-our-own.md).
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from railbed.defaults import LOCK_POLL_S
from railbed.effects.workspace import Workspace
from railbed.errors import Busy

HOLDER_BYTES = 512


@contextmanager
def acquire(path: Path, what: str, *, wait_s: float = 0.0) -> Iterator[None]:
    """Holds the lock file ``path``; waits up to ``wait_s`` seconds, then raises Busy naming the holder's process and work."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    holder = os.pread(fd, HOLDER_BYTES, 0).decode(errors="replace").strip() or "unknown"
                    raise Busy(
                        f"{what} is in use by another railbed (process {holder})", path=str(path), found=holder,
                        hint="wait until it has finished; nothing was changed",
                    ) from None  # fmt: skip
                time.sleep(LOCK_POLL_S)
        with suppress(OSError):  # a full disk: who holds it is not written, and it is held all the same
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}: {what}\n".encode(), 0)
        yield
    finally:
        os.close(fd)


@contextmanager
def leased(work: Workspace, nodes: Iterable[str]) -> Iterator[None]:
    """Holds the nodes' leases. Raises Busy, naming node and holder, when one is taken; then none is held."""
    with ExitStack() as stack:
        # Always in the same order, so that two runs that want the same nodes cannot each hold half of them.
        for name in sorted(set(nodes)):
            stack.enter_context(acquire(work.dir / "leases" / f"{name}.lock", f"node {name}"))
        yield
