"""Where catalogue files lie: railbed's own folder, and folders of the user that are laid over it."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from railbed.errors import CatalogError

ROOT = Path(__file__).parent
OVERLAY = "RAILBED_CATALOG"
"""Environment variable: folders, separated by ``:``, of which the first that has a file wins over railbed's own."""
FOLDERS = (
    "machines",
    "boards",
    "filesystems",
    "images",
    "software",
    "reliability",
    "rules",
    "switches",
    "faults",
    "pins",
)
_HINT = f"{OVERLAY} names folders with {', '.join(FOLDERS[:4])}, … as in railbed's own catalogue"


def folders() -> tuple[Path, ...]:
    """The folders to look in, the user's first. Raises CatalogError where one of those is no catalogue."""
    return (*_overlays(os.environ.get(OVERLAY, "")), ROOT)


@lru_cache(maxsize=16)
def _overlays(setting: str) -> tuple[Path, ...]:
    found = tuple(Path(part) for part in setting.split(os.pathsep) if part)
    for folder in found:
        if not folder.is_dir():
            raise CatalogError(
                "a folder of your own catalogue does not exist", path=str(folder), found=str(folder),
                allowed="a folder", hint=_HINT,
            )  # fmt: skip
        strange = sorted(
            part.name
            for part in folder.iterdir()
            if part.name not in FOLDERS and not part.name.startswith(".")
        )
        if strange:
            raise CatalogError(
                "a folder of your own catalogue holds something else", path=str(folder / strange[0]),
                found=strange, allowed=list(FOLDERS), hint=_HINT,
            )  # fmt: skip
    return found


def keys(kind: str = "machines") -> list[str]:
    """Keys of one kind of entry, sorted."""
    *overlays, _ = folders()
    return sorted(_own(kind).union(*(_listed(folder / kind) for folder in overlays)))


@lru_cache(maxsize=len(FOLDERS))
def _own(kind: str) -> frozenset[str]:
    """Keys of railbed's own entries, which do not change while a program runs."""
    return frozenset(_listed(ROOT / kind))


def _listed(folder: Path) -> set[str]:
    return {file.relative_to(folder).with_suffix("").as_posix() for file in folder.rglob("*.yaml")}


def place(kind: str, key: str) -> tuple[Path, str]:
    """The file of an entry, and its name for people: a user's file by its path, railbed's by its place."""
    relative = f"{kind}/{key}.yaml"
    for folder in folders():
        file = folder / relative
        if file.is_file():
            return file, relative if folder == ROOT else str(file)
    return ROOT / relative, relative


def file_of(kind: str, key: str) -> str:
    """The file that holds an entry: relative to railbed's catalogue, or the user's own."""
    return place(kind, key)[1]
