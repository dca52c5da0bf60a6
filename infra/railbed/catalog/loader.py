"""Reads catalogue files. A new machine is a new file: nothing here names one."""

from __future__ import annotations

import difflib
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from railbed.catalog import strict_yaml
from railbed.catalog.facts import Facts, FilesystemOffer, Machine, Release, Source
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
    """The most similar of ``among``, or ``""``. The last part of a key counts too: ``rail8`` is near ``lab/rail8``."""
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
            f"the catalogue has no {_SINGULAR[kind]} {key!r}", code="CATALOG_UNKNOWN_KEY", found=key, allowed=known,
            hint=f"did you mean {near}?" if near else f"`railbed catalog list` shows the {kind}",
        )  # fmt: skip
    return _read(kind, key, model)


@lru_cache(maxsize=256)
def _read(kind: str, key: str, model: type[F]) -> F:
    where = file_of(kind, key)
    try:
        data = strict_yaml.read(ROOT / where)
        return model.model_validate({"key": key, **unfold(data, where)})
    except strict_yaml.YamlProblem as problem:
        raise CatalogError(problem.message, path=f"{where}:{problem.line}", allowed=problem.allowed, hint=problem.hint) from None  # fmt: skip
    except ValidationError as wrong:
        first = wrong.errors()[0]
        raise CatalogError(
            f"a catalogue entry does not hold: {first['msg']}", path=f"{where}:{'.'.join(map(str, first['loc']))}",
            found=str(first.get("input"))[:120], hint="correct the file; every fact is {value, source}",
        ) from None  # fmt: skip


def unfold(data: Any, where: str) -> dict[str, Any]:
    """Turns ``{sources, facts}`` into plain fields and their ``provenance``.

    A fact is ``{value, source}`` and names a key of ``sources``. An entry of several parts (a release) says so by
    ``parts``: each is a mapping, or a list of mappings, that has one ``source``. Raises CatalogError for a fact
    without a source, an unknown source, and a source that nothing uses.
    """
    if not isinstance(data, dict) or not isinstance(data.get("sources"), dict):
        raise CatalogError(
            "a catalogue file needs `sources`", path=where, hint="see any other catalogue file"
        )
    sources = {name: Source.model_validate(body) for name, body in data["sources"].items()}
    used: set[str] = set()

    def source_of(fact: Any, at: str) -> Source:
        name = fact.get("source") if isinstance(fact, dict) else None
        if name not in sources:
            raise CatalogError(
                "a fact has no known source", path=f"{where}:{at}", found=name, allowed=sorted(sources),
                hint="name one of the file's `sources`, or add one with `source` and `checked`",
            )  # fmt: skip
        used.add(name)
        return sources[name]

    fields: dict[str, Any] = {k: v for k, v in data.items() if k not in ("sources", "facts", "parts")}
    provenance = {}
    for name, fact in data.get("facts", {}).items():
        provenance[name] = source_of(fact, f"facts.{name}")
        fields[name] = fact.get("value")
    for group, parts in data.get("parts", {}).items():
        fields[group] = {n: _with_source(part, source_of, f"parts.{group}.{n}") for n, part in parts.items()}
    if "parts" not in data:
        fields["provenance"] = provenance
    if idle := sorted(set(sources) - used):
        raise CatalogError("a source is not used by any fact", path=f"{where}:sources", found=idle,
                           hint="remove it")  # fmt: skip
    return fields


def _with_source(part: Any, source_of: Any, at: str) -> Any:
    if isinstance(part, list):
        return [_with_source(p, source_of, f"{at}[{i}]") for i, p in enumerate(part)]
    found = source_of(part, at)
    return {**{k: v for k, v in part.items() if k != "source"}, "provenance": found}
