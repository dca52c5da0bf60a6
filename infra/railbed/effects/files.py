"""Files that are replaced at once: a kill, a full disk or a power loss leaves the old or the new one, never a part of either."""

from __future__ import annotations

import errno
import fcntl
import json
import mmap
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from railbed import inputs
from railbed.errors import ContractError, refused

READABLE = 0o666
"""Mode of a new file before the umask of the operator takes its part."""
PRIVATE = 0o600
BESIDE = ".*.new"
"""Names of files that a killed ``replace`` left."""


def replace(path: Path, content: str | bytes, *, mode: int = READABLE) -> None:
    """Writes beside, syncs, renames, syncs the folder, which must be there.

    The file beside has a name of its own, so two writers never mix. Raises RailbedError ``SYSTEM`` naming ``path`` where the
    operating system refuses; the old file is whole then.
    """
    beside = _beside(path)
    try:
        try:
            fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
            with os.fdopen(fd, "wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise refused(error, str(path)) from None


def link(path: Path, target: str) -> None:
    """Points the symbolic link ``path`` at ``target`` at once; raises as ``replace`` does."""
    beside = _beside(path)
    try:
        beside.symlink_to(target)
        beside.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise refused(error, str(path)) from None


def _beside(path: Path) -> Path:
    return path.with_name(BESIDE.replace("*", f"{path.name}.{uuid.uuid4().hex[:8]}"))


def sync_folder(folder: Path) -> None:
    """Waits until the folder's entries are on disk: a rename alone does not survive a power loss."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno != errno.EINVAL:  # fsync(2): this filesystem has no such operation on a folder
            raise
    finally:
        os.close(fd)


def regular_files(folder: Path) -> list[Path]:
    """Files directly in ``folder``, by name. Without folders: Python leaves its cache beside programs that tests load."""
    return sorted(path for path in folder.iterdir() if path.is_file())


def whole_file(path: Path) -> bytes | mmap.mmap:
    """The content of a file that others append to under a lock, without copying it; empty where there is none.

    What a writer that failed cuts off again lies behind what is seen here: reading it would end the process.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return b""
    try:
        fcntl.flock(fd, fcntl.LOCK_SH)
        try:
            size = os.fstat(fd).st_size
            return mmap.mmap(fd, size, access=mmap.ACCESS_READ) if size else b""
        finally:
            # By name: a map has a descriptor of its own, with which the lock would live on.
            fcntl.flock(fd, fcntl.LOCK_UN)
    finally:
        os.close(fd)


@dataclass(frozen=True)
class Register:
    """One text about each node, by its name."""

    path: Path
    what: str
    """As errors call it, e.g. ``accepted nodes``."""
    value: str
    """What stands behind each name, e.g. ``identity``."""
    hint: str
    """What removing the file comes to."""

    def read(self) -> dict[str, str]:
        """Name → text; none where the file is absent. Raises ContractError for one that is not whole."""
        if not self.path.exists():
            return {}
        try:
            data = inputs.read_json(self.path, error=ContractError)
        except ContractError as broken:
            raise ContractError(
                f"the list of {self.what} cannot be read: {broken.message}", path=str(self.path), hint=self.hint
            ) from None  # fmt: skip
        if not isinstance(data, dict) or not all(isinstance(value, str) for value in data.values()):
            raise ContractError(
                f"the list of {self.what} is not name → {self.value}", path=str(self.path), hint=self.hint
            )  # fmt: skip
        return data

    def write(self, known: Mapping[str, str]) -> None:
        """Replaces the whole list."""
        replace(self.path, json.dumps(known, indent=1, sort_keys=True) + "\n")
