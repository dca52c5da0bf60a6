"""Reads catalogue files. A new machine is a new file: nothing here names one."""

from __future__ import annotations

import difflib
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from railbed.catalog import strict_yaml
from railbed.catalog.facts import Facts, FilesystemOffer, Machine, Release
from railbed.catalog.sources import unfold
from railbed.errors import CatalogError

ROOT = Path(__file__).parent
KINDS = ("machines", "filesystems", "software")
_SINGULAR = {"machines": "machine", "filesystems": "filesystem offer", "software": "software release"}

F = TypeVar("F", bound=Facts)


def keys(kind: str = "machines") -> list[str]:
    """Keys of one kind of entry, sorted."""
    folder = ROOT / kind
    return sorted(f.relative_to(folder).with_suffix("").as_posix() for f in folder.rglob("*.yaml"))


def nearest(word: str, among: list[str]) -> str:
    """The most similar of ``among``, or ``""``; the last part of a key (``rail8``) counts too."""
    close = difflib.get_close_matches(word, among, n=1, cutoff=0.5)
    if close:
        return close[0]
    tails = {name.rsplit("/", 1)[-1]: name for name in among}
    close = difflib.get_close_matches(word.rsplit("/", 1)[-1], list(tails), n=1, cutoff=0.6)
    return tails[close[0]] if close else ""


def load_machine(key: str) -> Machine:
    """The machine of ``key``. Raises CatalogError for an unknown key (naming the nearest) or a bad file."""
    return _load("machines", key, Machine)


def load_filesystem(key: str) -> FilesystemOffer:
    """The filesystem offer of ``key``. Raises CatalogError as above."""
    return _load("filesystems", key, FilesystemOffer)


def load_release(name: str) -> Release:
    """The software release ``name``. Raises CatalogError as above."""
    return _load("software", name, Release)


def file_of(kind: str, key: str) -> str:
    """The file that holds an entry, relative to the catalogue."""
    return f"{kind}/{key}.yaml"


def _load(kind: str, key: str, model: type[F]) -> F:
    known = keys(kind)
    if key not in known:
        near = nearest(key, known)
        raise CatalogError(
            f"the catalogue has no {_SINGULAR[kind]} {key!r}",
            code="CATALOG_UNKNOWN_KEY",
            found=key,
            allowed=known,
            hint=f"did you mean {near}?" if near else f"`railbed catalog list` shows the {kind}",
        )
    entry: F = _read(kind, key, model)  # the cache hides the type
    return entry


@lru_cache(maxsize=256)
def _read(kind: str, key: str, model: type[F]) -> F:
    return read_entry(ROOT / file_of(kind, key), file_of(kind, key), key, model)


def read_entry(file: Path, where: str, key: str, model: type[F]) -> F:
    """The entry in ``file``; ``where`` is how errors name it. Raises CatalogError for a bad file."""
    try:
        return model.model_validate({"key": key, **unfold(strict_yaml.read(file), where)})
    except strict_yaml.YamlProblem as problem:
        raise CatalogError(
            problem.message, path=f"{where}:{problem.line}", allowed=problem.allowed, hint=problem.hint
        ) from None
    except ValidationError as wrong:
        first = wrong.errors()[0]
        raise CatalogError(
            f"a catalogue entry does not hold: {first['msg']}",
            path=f"{where}:{'.'.join(map(str, first['loc']))}",
            found=str(first.get("input"))[:120],
            hint="correct the file; every fact is {value, source}",
        ) from None
