"""A new search: what to look at and by which rule, before any test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from pydantic import ValidationError

from railbed.errors import UsageError
from railbed.fabric import Names
from railbed.fault_search.record import (
    DEFAULTS,
    KINDS,
    MAX_NODES,
    FabricSize,
    Kind,
    Record,
    Rule,
    checked,
)


@dataclass
class Search:
    """What a user asks for; None where the default is to hold."""

    what: str = "nodes"
    hosts: Sequence[str] = ()
    """Host names in the order of their places in the fabric."""
    nodes: int | None = None
    """So many nodes with names made up, where ``hosts`` is empty."""
    known_good: Sequence[str] = ()
    rails: int | None = None
    unit_nodes: int | None = None
    fabric: dict[str, Any] = field(default_factory=dict)
    """Fields of FabricSize."""
    rule: dict[str, Any] = field(default_factory=dict)
    """Fields of Rule."""

    @property
    def empty(self) -> bool:
        """True where nothing was asked for but the kind."""
        given = (self.hosts, self.known_good, _given(self.fabric), _given(self.rule))
        return not any(given) and self.nodes is None and self.rails is None and self.unit_nodes is None


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def begin(search: Search) -> Record:
    """A record without a round. Raises UsageError for what cannot be looked for."""
    if search.what not in KINDS:
        raise UsageError("this cannot be looked for", path="--what", found=search.what, allowed=list(KINDS))
    fabric = _given(search.fabric)
    if search.what != "links" and fabric.keys() - {"node_name"}:
        given = sorted(f"--{name.replace('_', '-')}" for name in fabric.keys() - {"node_name"})
        raise UsageError(
            "only a search among links needs a fabric",
            path=given[0],
            found=search.what,
            allowed="--what links",
        )
    try:
        record = Record(
            what=cast(Kind, search.what),
            nodes=_hosts(search, fabric),
            known_good=list(search.known_good),
            rails=8 if search.rails is None else search.rails,
            unit_nodes=search.unit_nodes,
            fabric=FabricSize(**fabric) if search.what == "links" else None,
            rule=Rule(**{**DEFAULTS[search.what].model_dump(), **_given(search.rule)}),
        )
    except ValidationError as wrong:
        first = wrong.errors(include_url=False)[0]
        raise UsageError(
            f"this does not hold: {first['msg']}", path=f"--{str(first['loc'][-1]).replace('_', '-')}",
            found=str(first["input"]),
        ) from None  # fmt: skip
    if record.what == "links":
        strangers = sorted(set(record.known_good) - set(record.nodes))
        if strangers:
            raise UsageError("this node is not in the fabric", path="--known-good", found=strangers[0],
                             hint="name all its nodes, in the order of their places")  # fmt: skip
        record.sized()
    return checked(record)


def _hosts(search: Search, fabric: dict[str, Any]) -> list[str]:
    if search.hosts and search.nodes is not None:
        raise UsageError(
            "name the nodes or count them, not both", path="--hosts", allowed="--hosts or --nodes"
        )
    if search.hosts:
        return list(search.hosts)
    if search.nodes is None:
        raise UsageError(
            "which nodes?", path="--nodes", allowed="--nodes N, --hosts a,b,c or a record", hint="see --help"
        )
    if not 1 <= search.nodes <= MAX_NODES:
        raise UsageError("the number of nodes is out of range", path="--nodes", found=search.nodes,
                         allowed=f"1 to {MAX_NODES}")  # fmt: skip
    names = Names(node=fabric.get("node_name", Names.node)).checked(1)
    return [names.node_name(node) for node in range(search.nodes)]
