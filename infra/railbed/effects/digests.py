"""SHA-256 of files below a folder that may come from anywhere: no link is followed, nothing but plain files is read."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

CHUNK_BYTES = 1024 * 1024


class NotPlain(Exception):
    """There is no plain file of that size at that place; the message says what is there instead."""


def of_bytes(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def of_file(folder: Path, path: str, max_bytes: int) -> tuple[str, int]:
    """SHA-256 and bytes of the plain file at ``path`` (relative, with slashes) below ``folder``.

    Raises FileNotFoundError where there is none, NotPlain for a link on the way, another kind of file, and one with more
    than ``max_bytes``, of which nothing is read.
    """
    digest, count = hashlib.sha256(), 0
    for chunk in _chunks(folder, path, max_bytes):
        digest.update(chunk)
        count += len(chunk)
    return digest.hexdigest(), count


def content(folder: Path, path: str, max_bytes: int) -> bytes:
    """The bytes of such a file. Raises as `of_file` does."""
    return b"".join(_chunks(folder, path, max_bytes))


def _chunks(folder: Path, path: str, max_bytes: int) -> Iterator[bytes]:
    descriptor = _opened(folder, path)
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise NotPlain("it is not a plain file")
        if about.st_size > max_bytes:
            raise NotPlain(f"it has {about.st_size} bytes, more than {max_bytes}")
        left = about.st_size
        while left > 0 and (chunk := os.read(descriptor, min(left, CHUNK_BYTES))):
            left -= len(chunk)
            yield chunk
    finally:
        os.close(descriptor)


def _opened(folder: Path, path: str) -> int:
    """A descriptor of the file, reached step by step so that no link on the way is followed."""
    *parents, name = path.split("/")
    here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for parent in parents:
            below = _step(parent, os.O_DIRECTORY, here)
            os.close(here)
            here = below
        # O_NONBLOCK: a pipe without a writer would wait for ever.
        return _step(name, os.O_NONBLOCK, here)
    finally:
        os.close(here)


def _step(name: str, flags: int, here: int) -> int:
    try:
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, dir_fd=here)
    except FileNotFoundError:
        raise
    except OSError as refused:
        reason = "it is a link" if _is_link(name, here) else f"it cannot be read: {refused.strerror}"
        raise NotPlain(reason) from None


def _is_link(name: str, here: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=here, follow_symlinks=False).st_mode)
    except OSError:
        return False


def names_below(folder: Path) -> Iterator[str]:
    """Path, relative and with slashes, of everything below ``folder`` that is no folder, in no order; follows no link."""
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        with os.scandir(folder / prefix) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(f"{prefix}{entry.name}/")
                else:
                    yield f"{prefix}{entry.name}"
