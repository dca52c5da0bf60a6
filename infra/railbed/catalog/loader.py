"""Reads catalogue files. A new machine is a new file: nothing here names one."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from railbed.catalog import strict_yaml
from railbed.catalog.facts import Entry, Facts, FilesystemOffer, Machine, Release, Source
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


_LOADERS: dict[str, Callable[[str], Entry]] = {
    "machines": load_machine,
    "filesystems": load_filesystem,
    "software": load_release,
}


def load(kind: str, key: str) -> Entry:
    """The entry of ``key`` of one kind. Raises CatalogError as above."""
    return _LOADERS[kind](key)


def find(key: str) -> tuple[str, Entry]:
    """The kind and the entry of ``key``, of whatever kind. Raises CatalogError as above."""
    for kind in KINDS:
        if key in keys(kind):
            return kind, load(kind, key)
    raise _unknown("entry", key, [known for kind in KINDS for known in keys(kind)])


def facts_of(entry: Entry) -> Iterator[tuple[str, Any, Source]]:
    """``(name, value, source)`` of each fact of an entry."""
    if not isinstance(entry, Release):
        for name, source in entry.provenance.items():
            yield name, getattr(entry, name), source
        return
    for name, part in entry.components.items():
        yield name, part.version, part.provenance
    for name, parts in entry.other_versions.items():
        for part in parts:
            yield f"{name} (other)", part.version, part.provenance


def file_of(kind: str, key: str) -> str:
    """The file that holds an entry, relative to the catalogue."""
    return f"{kind}/{key}.yaml"


def _load(kind: str, key: str, model: type[F]) -> F:
    known = keys(kind)
    if key not in known:
        raise _unknown(_SINGULAR[kind], key, known)
    entry: F = _read(kind, key, model)  # the cache hides the type
    return entry


def _unknown(what: str, key: str, known: list[str]) -> CatalogError:
    near = nearest(key, known)
    return CatalogError(
        f"the catalogue has no {what} {key!r}",
        code="CATALOG_UNKNOWN_KEY",
        path=key,
        found=key,
        allowed=known,
        hint=f"did you mean {near}?" if near else "`railbed catalog list` shows what there is",
    )


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
