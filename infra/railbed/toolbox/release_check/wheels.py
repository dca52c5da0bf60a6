"""The locked list of the training stack's wheels against PyPI."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from railbed import strict_json
from railbed.defaults import PYPI_JSON_BYTES, PYPI_URL
from railbed.effects.download import FetchError, Unreachable, download

PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9.!+_-]+)")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True)
class Wheel:
    """One package of a list."""

    name: str
    version: str
    sha256: frozenset[str]

    @property
    def url(self) -> str:
        """Where PyPI says what it has of it (docs.pypi.org/api/json)."""
        return f"{PYPI_URL}/{self.name}/{self.version}/json"


def read(text: str) -> list[Wheel]:
    """The packages of a list as uv writes it: ``name==version`` and its hashes on the lines after it."""
    found: list[Wheel] = []
    for line in text.splitlines():
        if pinned := PINNED.match(line):
            found.append(Wheel(pinned[1], pinned[2], frozenset()))
        elif hashes := HASH.findall(line):
            last = found.pop()
            found.append(Wheel(last.name, last.version, last.sha256 | set(hashes)))
    return found


def published(wheel: Wheel, work: Path) -> str:
    """How many of its files PyPI has, once each hash of the list is one of theirs. Raises FetchError."""
    answer = work / f"{wheel.name}.json"
    download(wheel.url, answer)
    try:
        listed = strict_json.loads(answer.read_bytes(), max_bytes=PYPI_JSON_BYTES)["urls"]
        there = {one["digests"]["sha256"] for one in listed}
    except (strict_json.NotJson, KeyError, TypeError):
        raise Unreachable(
            "the answer is not PyPI's", path=wheel.url, hint="does a proxy stand before it?"
        ) from None
    if not wheel.sha256:
        raise FetchError("the list has no hash of it", path=wheel.url, hint="lock the list with hashes")
    if gone := sorted(wheel.sha256 - there):
        raise FetchError(
            f"PyPI has no file of {len(gone)} of the list's hashes", path=wheel.url, found=gone[:3],
            hint="do not use the list; lock it again and look what changed",
        )  # fmt: skip
    return f"{len(wheel.sha256)} of its {len(there)} files, by hash"
