"""What is kept of a stream of unknown length: its beginning and its end."""

from __future__ import annotations

from pathlib import Path

CHUNK = 64 * 1024


class Kept:
    """Takes any number of bytes and holds at most ``limit`` of them: the first half and the last half."""

    def __init__(self, limit: int) -> None:
        self.half = max(1, limit // 2)
        self.total = 0
        self._head, self._tail = bytearray(), bytearray()

    def add(self, data: bytes) -> None:
        """Takes the next bytes."""
        self.total += len(data)
        room = self.half - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > self.half + CHUNK:  # not at every call: what lies behind has to move
            del self._tail[: -self.half]

    @property
    def cut(self) -> bool:
        """Whether bytes in the middle are gone."""
        return self.total > 2 * self.half

    def text(self) -> str:
        """The text, bad UTF-8 replaced; where bytes are gone a line says how many."""
        head = self._head.decode(errors="replace")
        if not self.cut:
            return (self._head + self._tail).decode(errors="replace")
        tail = self._tail[-self.half :].decode(errors="replace")
        return f"{head}\n[railbed: {self.total - 2 * self.half} bytes left out here]\n{tail}"


def of_file(path: Path, limit: int) -> Kept:
    """A file, read in pieces."""
    kept = Kept(limit)
    with path.open("rb") as source:
        while chunk := source.read(CHUNK):
            kept.add(chunk)
    return kept
