"""The folder that a mirror fills, run after run: what lies in it, by hash."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path


class Folder:
    """Files below ``root``; each is written in ``work``, on the same file system, and then put under its name."""

    def __init__(self, root: Path, work: Path, say: Callable[[str], None]) -> None:
        self.root, self.work, self.say = root, work, say
        self._hashes: dict[str, str] = {}
        self._lost: set[str] = set()

    def sha256(self, relative: str) -> str:
        """Of the file there, or "" where none is. A file is read once in a run: indexes and manifest ask again."""
        if relative not in self._hashes:
            file = self.root / relative
            if not file.is_file():
                return ""
            with file.open("rb") as opened:
                self._hashes[relative] = hashlib.file_digest(opened, "sha256").hexdigest()
        return self._hashes[relative]

    def still_has(self, relative: str, sha256: str, size_bytes: str = "") -> bool:
        """Whether an earlier run's file is there as it was; says once where it is not."""
        file = self.root / relative
        if (
            file.is_file()
            and size_bytes in ("", str(file.stat().st_size))
            and self.sha256(relative) == sha256
        ):
            return True
        if relative not in self._lost:
            self._lost.add(relative)
            self.say(f"left out, it is gone or no longer what an earlier run put there: {relative}")
        return False

    def keep(self, fetched: Path, relative: str) -> None:
        """Puts a checked file of ``work`` under its name."""
        final = self.root / relative
        final.parent.mkdir(parents=True, exist_ok=True)
        self._hashes.pop(relative, None)
        fetched.replace(final)

    def text(self, relative: str) -> str:
        """What the file there says, or "" where none is."""
        file = self.root / relative
        return file.read_bytes().decode(errors="replace") if file.is_file() else ""

    def write(self, relative: str, text: str) -> None:
        """Replaces the whole file, or leaves it where it says that already."""
        encoded, final = text.encode(), self.root / relative
        if final.is_file() and final.read_bytes() == encoded:
            return
        part = self.work / "text"
        part.write_bytes(encoded)
        self.keep(part, relative)
