"""Where every value of a spec comes from: the spec itself, a catalogue file, or a default."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from railbed import catalog
from railbed.claims import FrozenModel
from railbed.spec.cluster import ClusterSpec


class Explained(FrozenModel):
    """One value."""

    path: str
    value: Any
    origin: Literal["spec", "catalogue", "default"]
    source: str
    """The stack file, the catalogue file with its public source, or ``railbed``."""


def explain(spec: ClusterSpec, where: str = "spec") -> list[Explained]:
    """Every value in the spec's order, then what the catalogue says of the machines, offers and release."""
    rows = _values(spec, "", where)
    for index, pool in enumerate(spec.pools):
        rows += _facts("machines", catalog.load_machine(pool.machine), f"pools[{index}].machine")
    for index, filesystem in enumerate(spec.filesystems):
        rows += _facts(
            "filesystems", catalog.load_filesystem(filesystem.offer), f"filesystems[{index}].offer"
        )
    return rows + _facts("software", catalog.load_release(spec.software.release), "software.release")


def schema() -> dict[str, Any]:
    """JSON Schema of ``railbed:cluster``, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **ClusterSpec.model_json_schema()}


def _values(value: Any, path: str, where: str) -> list[Explained]:
    if isinstance(value, BaseModel):
        rows: list[Explained] = []
        for name in type(value).model_fields:
            at = f"{path}.{name}" if path else name
            if name in value.model_fields_set:
                rows += _values(getattr(value, name), at, where)
            else:
                rows.append(
                    Explained(path=at, value=_plain(getattr(value, name)), origin="default", source="railbed")
                )
        return rows
    if isinstance(value, list) and any(isinstance(item, BaseModel) for item in value):
        return [row for i, item in enumerate(value) for row in _values(item, f"{path}[{i}]", where)]
    return [Explained(path=path, value=_plain(value), origin="spec", source=where)]


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def _facts(kind: str, entry: catalog.Entry, path: str) -> list[Explained]:
    file = catalog.file_of(kind, entry.key)
    return [
        Explained(
            path=f"{path}.{name}",
            value=value,
            origin="catalogue",
            source=f"{file}: {source.source} ({source.checked})",
        )
        for name, value, source in catalog.facts_of(entry)
    ]
