"""No fact without a source: from a file's ``{value, source}`` to plain fields and their provenance."""

from __future__ import annotations

from typing import Any

from railbed.catalog.facts import Source
from railbed.errors import CatalogError

_PLAIN = ("sources", "facts", "parts", "unpublished")


class _Sources:
    """The ``sources`` of one file and which of them a fact has named."""

    def __init__(self, data: Any, where: str) -> None:
        self.where = where
        if not isinstance(data, dict) or not data:
            raise CatalogError(
                "a catalogue file needs `sources`", path=where, hint="see any other catalogue file"
            )
        self.known = {
            name: Source.model_validate(body).model_copy(update={"file": where})
            for name, body in data.items()
        }
        self.used: set[str] = set()

    def of(self, fact: Any, at: str) -> Source:
        """The source that ``fact`` names. Raises CatalogError where it names none."""
        name = fact.get("source") if isinstance(fact, dict) else None
        if not isinstance(name, str) or name not in self.known:
            raise CatalogError(
                "a fact has no known source",
                path=f"{self.where}:{at}",
                found=name,
                allowed=sorted(self.known),
                hint="name one of the file's `sources`, or add one with `source` and `checked`",
            )
        self.used.add(name)
        return self.known[name]

    def refuse_idle(self) -> None:
        if idle := sorted(set(self.known) - self.used):
            raise CatalogError(
                "a source is not used by any fact", path=f"{self.where}:sources", found=idle, hint="remove it"
            )


def unfold(data: Any, where: str) -> dict[str, Any]:
    """Plain fields of a catalogue file, with ``provenance``.

    A file has ``sources`` (name → source, checked), and either ``facts`` (name → {value, source}) or
    ``parts`` (group → name → a mapping, or a list of mappings, each with one source), and may have
    ``unpublished`` (fact → what was looked for). Outside those only text may stand: a number always has a
    source. Raises CatalogError.
    """
    if not isinstance(data, dict):
        raise CatalogError("a catalogue file is a mapping", path=where, hint="see any other catalogue file")
    sources = _Sources(data.get("sources"), where)
    fields: dict[str, Any] = {}
    for name, value in data.items():
        if name in _PLAIN:
            continue
        if not isinstance(value, str):
            raise CatalogError(
                "a fact has no known source", path=f"{where}:{name}", found=value, allowed="text",
                hint="move it below `facts`, as {value, source}",
            )  # fmt: skip
        fields[name] = value
    if "unpublished" in data:
        fields["unpublished"] = _mapping(data["unpublished"], where, "unpublished")
    if "facts" in data:
        facts = _mapping(data["facts"], where, "facts")
        fields["provenance"] = {name: sources.of(fact, f"facts.{name}") for name, fact in facts.items()}
        fields |= {name: fact.get("value") for name, fact in facts.items()}
    for group, parts in _mapping(data.get("parts", {}), where, "parts").items():
        named = _mapping(parts, where, f"parts.{group}")
        fields[group] = {n: _with_source(part, sources, f"parts.{group}.{n}") for n, part in named.items()}
    sources.refuse_idle()
    return fields


def _mapping(data: Any, where: str, at: str) -> dict[str, Any]:
    if isinstance(data, dict):
        return data
    raise CatalogError(
        f"`{at}` is a mapping", path=f"{where}:{at}", found=str(data)[:120], allowed="name: …",
        hint="see any other catalogue file",
    )  # fmt: skip


def _with_source(part: Any, sources: _Sources, at: str) -> Any:
    if isinstance(part, list):
        return [_with_source(item, sources, f"{at}[{i}]") for i, item in enumerate(part)]
    found = sources.of(part, at)
    return {**{k: v for k, v in part.items() if k != "source"}, "provenance": found}
