"""Reads catalogue files. A new machine is a new file: nothing here names one."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from railbed.catalog import strict_yaml
from railbed.catalog.facts import Entry, Published, Source
from railbed.catalog.images import ImageProfile
from railbed.catalog.machines import Board, Machine
from railbed.catalog.offers import FilesystemOffer
from railbed.catalog.pins import Pins, applied
from railbed.catalog.places import keys, place
from railbed.catalog.releases import Release
from railbed.catalog.reliability import Reliability
from railbed.catalog.remedies import Remedies
from railbed.catalog.rules import Rules
from railbed.catalog.sources import unfold
from railbed.catalog.switches import Switch
from railbed.catalog.tuning import Tuning
from railbed.errors import CatalogError

MODELS: dict[str, type[Entry]] = {
    "machines": Machine,
    "boards": Board,
    "filesystems": FilesystemOffer,
    "images": ImageProfile,
    "software": Release,
    "pins": Pins,
    "reliability": Reliability,
    "rules": Rules,
    "switches": Switch,
    "faults": Remedies,
    "tuning": Tuning,
}
KINDS = tuple(MODELS)
_SINGULAR = {
    "machines": "machine",
    "boards": "GPU board",
    "filesystems": "filesystem offer",
    "images": "image profile",
    "software": "software release",
    "pins": "set of pins",
    "reliability": "set of failure rates",
    "rules": "set of compatibility rules",
    "switches": "switch",
    "faults": "set of remedies",
    "tuning": "search space of a transport",
}

E = TypeVar("E", bound=Entry)


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
    """The software release ``name``, with what the site pinned of it. Raises CatalogError as above."""
    release = load_published(name)
    return applied(release, _load("pins", name, Pins)) if name in keys("pins") else release


def load_published(name: str) -> Release:
    """The same as it was published, without what the site pinned. Raises CatalogError as above."""
    return _load("software", name, Release)


def load_image(key: str) -> ImageProfile:
    """The image profile of ``key``. Raises CatalogError as above."""
    return _load("images", key, ImageProfile)


def load_switch(key: str) -> Switch:
    """The switch of ``key``. Raises CatalogError as above."""
    return _load("switches", key, Switch)


def load_reliability(key: str = "published") -> Reliability:
    """The failure rates of ``key``. Raises CatalogError as above."""
    return _load("reliability", key, Reliability)


def load_remedies() -> Remedies:
    """What mends a node. Raises CatalogError for a bad file."""
    return _load("faults", "remedies", Remedies)


def load_tuning(transport: str) -> Tuning:
    """What a search may try over ``transport``. Raises CatalogError as above."""
    return _load("tuning", transport, Tuning)


def load_rules() -> list[Rules]:
    """All compatibility rules, file by file. Raises CatalogError for a bad file."""
    return [_load("rules", key, Rules) for key in keys("rules")]


def load(kind: str, key: str) -> Entry:
    """The entry of ``key`` of one kind. Raises CatalogError as above."""
    return _load(kind, key, MODELS[kind])


def find(key: str) -> tuple[str, Entry]:
    """The kind and the entry of ``key``, of whatever kind; ``<kind>/<key>`` names one of several.

    Raises CatalogError as above.
    """
    for kind in KINDS:
        if key in keys(kind):
            return kind, load(kind, key)
    kind, _, rest = key.partition("/")
    if kind in KINDS and rest in keys(kind):
        return kind, load(kind, rest)
    raise _unknown("entry", key, [known for kind in KINDS for known in keys(kind)])


def facts_of(entry: Entry) -> Iterator[tuple[str, Any, Source]]:
    """``(name, value, source)`` of each fact of an entry."""
    if isinstance(entry, Published):
        for name, source in entry.provenance.items():
            yield name, entry.fact(name), source
    elif isinstance(entry, Release):
        for name in entry.components:
            for part in entry.alternatives(name):
                yield name, part.version, part.provenance
        for name, parts in entry.other_versions.items():
            for part in parts:
                yield f"{name} (other)", part.version, part.provenance
    elif isinstance(entry, Pins):
        for name, pinned in entry.keys.items():
            yield name, " ".join(pinned.fingerprints), pinned.provenance
        for name, files in entry.files.items():
            for file in files:
                yield name, f"{file.url} {file.sha256}", file.provenance
    elif isinstance(entry, ImageProfile):
        yield from _facts_of_image(entry)
    elif isinstance(entry, Remedies):
        yield from _facts_of_remedies(entry)
    elif isinstance(entry, Tuning):
        for name, knob in entry.knobs.items():
            yield name, f"{' '.join(knob.values)}: {knob.reason}", knob.provenance
    elif isinstance(entry, Rules):
        for name, rule in entry.rules.items():
            yield name, rule.reason, rule.provenance
        for name, trait in entry.components.items():
            yield name, trait.asks_text, trait.provenance
        for name, some in entry.packages.items():
            yield name, " ".join(some.packages), some.provenance
        for name, one in entry.boot_parameters.items():
            yield name, one.parameter, one.provenance
        for name, card in entry.nic_firmware.items():
            yield name, card.least, card.provenance
        for name, versions in entry.versions.items():
            for known in versions:
                yield name, f"{known.version} {known.note}".strip(), known.provenance


def _facts_of_remedies(entry: Remedies) -> Iterator[tuple[str, Any, Source]]:
    for name, rung in entry.rungs.items():
        yield name, f"{rung.per_node_week} a week and node; {rung.reason}", rung.provenance
    for code, remedy in entry.remedies.items():
        yield code, f"{', '.join(remedy.rungs) or 'replace'}: {remedy.reason}", remedy.provenance


def _facts_of_image(entry: ImageProfile) -> Iterator[tuple[str, Any, Source]]:
    for name, use in entry.used_on.items():
        yield name, " ".join(f"{subject}={value}" for subject, value in use.when.items()), use.provenance
    for name, part in entry.brings.items():
        yield name, part.accepts, part.provenance
    for name, follower in entry.follows.items():
        yield name, " ".join(follower.packages), follower.provenance
    for kept in (entry.apt_sources, entry.apt_preferences, entry.services, entry.silenced, entry.not_asked):
        for name, one in kept.items():
            yield name, one.reason, one.provenance
    for name, word in entry.boot_line.items():
        yield name, f"{word.parameter}: {word.reason}", word.provenance
    for name, image in entry.published.items():
        yield name, image.name, image.provenance


def _load(kind: str, key: str, model: type[E]) -> E:
    known = keys(kind)
    if key not in known:
        raise _unknown(_SINGULAR[kind], key, known)
    file, where = place(kind, key)
    entry: E = _read(file, where, key, model)  # the cache hides the type
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


@lru_cache(maxsize=512)
def _read(file: Path, where: str, key: str, model: type[E]) -> E:
    return read_entry(file, where, key, model)


def read_entry(file: Path, where: str, key: str, model: type[E]) -> E:
    """The entry in ``file``; ``where`` is how errors name it. Raises CatalogError for a bad file."""
    try:
        fields = unfold(strict_yaml.read(file), where)
        if issubclass(model, Published):
            _known_facts(fields, model, where)
        if issubclass(model, Machine) and fields.get("board"):
            fields = _on_board(fields, where)
        return model.model_validate({"key": key, **fields})
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


def _known_facts(fields: dict[str, Any], model: type[Published], where: str) -> None:
    """Refuses a fact that the kind does not have, naming the nearest that it has."""
    known = model.fact_names()
    for name in fields.get("provenance", {}):
        if name not in known:
            near = nearest(name, known)
            raise CatalogError(
                f"unknown fact {name!r}", path=f"{where}:facts.{name}", found=name, allowed=known,
                hint=f"did you mean {near}?" if near else "remove it",
            )  # fmt: skip


def _on_board(fields: dict[str, Any], where: str) -> dict[str, Any]:
    """The facts of the machine's GPU board, with the machine's own over them."""
    try:
        board = _load("boards", fields["board"], Board)
    except CatalogError as unknown:
        if unknown.code != "CATALOG_UNKNOWN_KEY":
            raise
        raise CatalogError(
            unknown.message,
            path=f"{where}:board",
            found=unknown.found,
            allowed=unknown.allowed,
            hint=unknown.hint,
        ) from None
    own, silent = fields.get("provenance", {}), fields.get("unpublished", {})
    taken = {name: source for name, source in board.provenance.items() if name not in silent}
    values = {name: value for name, value, _ in facts_of(board) if name in taken}
    return {
        **values,
        **fields,
        "results": {**board.results, **fields.get("results", {})},
        "provenance": {**taken, **own},
        "unpublished": {**{n: why for n, why in board.unpublished.items() if n not in own}, **silent},
    }
