"""A set of wheels in the cache: whether its files are the fetched ones, how large it is, and which sets may go.

A set's page lists every file with its hash. Reading a few GB takes seconds of processor, so an unchanged size and time of change
stand for it where a set is only looked up; before it is carried, every file is read.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from railbed.effects import files
from railbed.effects.mirror.wheels import INDEX, listed

PAGE = "https://wheels/"
"""Stands for where the page of a set is served: its links are names of files beside it."""
SEEN = ".seen.json"
"""Ending of the file beside a set that says what `remember` saw."""
KEPT = 2
"""Other sets that stay: of another stack's system, and of the release that an upgrade left."""


def damaged(place: Path) -> list[str]:
    """Files of the set that are not there or not what the page lists, by their hash, and pages that list no file of theirs.

    Empty: all is as it was fetched. Raises OSError where the disk cannot read one.
    """
    folders = sorted(one for one in place.iterdir() if one.is_dir())
    return [name for folder in folders for name in _damaged(folder)] if folders else [INDEX]


def _damaged(folder: Path) -> list[str]:
    page = folder / INDEX
    text = page.read_text(errors="replace") if page.is_file() else ""
    known = {name: sha256 for sha256, (name, _) in listed(text, PAGE).items()}
    found = sorted({*known, *(one.name for one in folder.glob("*.whl"))})
    wrong = [name for name in found if _sha256(folder / name) != known.get(name)]
    return [f"{folder.name}/{name}" for name in wrong or ([] if known else [INDEX])]


def _sha256(file: Path) -> str:
    """Empty where there is none."""
    if not file.is_file():
        return ""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def size_bytes(place: Path) -> int:
    """Of all its files."""
    return sum(one.stat().st_size for one in place.rglob("*") if one.is_file())


def remember(place: Path) -> None:
    """Notes size and time of change of each file, once they are known to be whole."""
    files.replace(_seen(place), json.dumps(_state(place)))


def unchanged(place: Path) -> bool:
    """Whether each file has the size and time of change that `remember` saw. False where it never did."""
    try:
        known = json.loads(_seen(place).read_text())
    except (FileNotFoundError, ValueError):
        return False
    return bool(known == _state(place))


def forget(place: Path) -> None:
    """The next look reads every file."""
    _seen(place).unlink(missing_ok=True)


def _seen(place: Path) -> Path:
    return place.with_name(place.name + SEEN)


def _state(place: Path) -> dict[str, list[int]]:
    found = {str(one.relative_to(place)): one.stat() for one in place.rglob("*") if one.is_file()}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in sorted(found.items())}


def prune(place: Path) -> list[str]:
    """Removes sets beside ``place``, whole or begun, but the last KEPT that were used; returns their names."""
    others = [one for one in place.parent.iterdir() if one.is_dir() and one != place]
    others.sort(key=lambda one: one.stat().st_mtime_ns, reverse=True)
    for one in others[KEPT:]:
        shutil.rmtree(one)
        forget(one)
    return sorted(one.name for one in others[KEPT:])
