"""No fact without a source: from a file's ``{value, source}`` to plain fields and their provenance."""

from __future__ import annotations

from typing import Any

from railbed.catalog.facts import Source
from railbed.errors import CatalogError


class _Sources:
    """The ``sources`` of one file and which of them a fact has named."""

    def __init__(self, data: Any, where: str) -> None:
        self.where = where
        if not isinstance(data, dict) or not data:
            raise CatalogError(
                "a catalogue file needs `sources`", path=where, hint="see any other catalogue file"
            )
        self.known = {name: Source.model_validate(body) for name, body in data.items()}
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
    ``parts`` (group → name → a mapping, or a list of mappings, each with one source). Outside those only
    text may stand: a number always has a source. Raises CatalogError.
    """
    if not isinstance(data, dict):
        raise CatalogError("a catalogue file is a mapping", path=where, hint="see any other catalogue file")
    sources = _Sources(data.get("sources"), where)
    fields: dict[str, Any] = {}
    for name, value in data.items():
        if name in ("sources", "facts", "parts"):
            continue
        if not isinstance(value, str):
            raise CatalogError(
                "a fact has no known source", path=f"{where}:{name}", found=value, allowed="text",
                hint="move it below `facts`, as {value, source}",
            )  # fmt: skip
        fields[name] = value
    if "facts" in data:
        fields["provenance"] = {n: sources.of(fact, f"facts.{n}") for n, fact in data["facts"].items()}
        fields |= {name: fact.get("value") for name, fact in data["facts"].items()}
    for group, parts in data.get("parts", {}).items():
        fields[group] = {n: _with_source(part, sources, f"parts.{group}.{n}") for n, part in parts.items()}
    sources.refuse_idle()
    return fields


def _with_source(part: Any, sources: _Sources, at: str) -> Any:
    if isinstance(part, list):
        return [_with_source(item, sources, f"{at}[{i}]") for i, item in enumerate(part)]
    found = sources.of(part, at)
    return {**{k: v for k, v in part.items() if k != "source"}, "provenance": found}
