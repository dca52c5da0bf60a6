"""What policies know of the providers' types: one table per provider, type token → facts."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

TYPES = Path(__file__).with_name("types")


@dataclass(frozen=True)
class Ingress:
    """Where a type says who may come in. Paths are read on the rule first, then on the resource."""

    source: tuple[str, ...]
    each: str = ""
    """Path of the list of rules; empty: the resource is one rule."""
    when: dict[str, str] = field(default_factory=dict)
    """What must hold for the rule to let something in, compared without case; a key that is absent holds."""
    ports: tuple[str, ...] = ()
    """``22``, ``20-30``, ``22/22``, ``*``."""
    first: str = ""
    last: str = ""
    protocol: str = ""
    groups: tuple[str, ...] = ()
    """Where one of these is given, the rule is for members of a group and for nobody else."""
    open_without_source: bool = False
    """A rule that names no source is open to everybody."""


@dataclass(frozen=True)
class Rdma:
    """What makes nodes of this type members of an RDMA fabric, and what places them together."""

    path: str
    words: tuple[str, ...]
    """Beginnings of values at ``path`` that mean RDMA, compared without case; none: any value does."""
    placed_by: tuple[str, ...] = ()
    """Paths on the resource itself; any that is said will do."""
    placed_on: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Type token of a resource that depends on this one → paths on that."""


@dataclass(frozen=True)
class Facts:
    """One type."""

    data: bool = False
    """Deleting it loses data."""
    pool: bool = False
    """Deleting or replacing it takes nodes away."""
    identity: tuple[str, ...] = ()
    """Outputs that stay as long as the resource does: unknown in a preview that makes it (anew)."""
    tags: tuple[str, ...] = ()
    """Paths where its tags are; none: it cannot be tagged."""
    ingress: Ingress | None = None
    public: tuple[str, ...] = ()
    """Paths that give a node a public address where they are said."""
    private: tuple[str, ...] = ()
    """Paths that must be said for nodes to stay without one."""
    is_public: bool = False
    """The resource itself is a node's public address."""
    rdma: Rdma | None = None


@functools.cache
def table() -> dict[str, Facts]:
    """Every type that is known, of all providers."""
    return {
        token: _facts(entry)
        for path in sorted(TYPES.glob("*.yaml"))
        for token, entry in yaml.safe_load(path.read_text()).items()
    }


def facts(token: str) -> Facts:
    """Those of one type; of an unknown one nothing is known. A version in an azure-native token does not count."""
    known = table()
    parts = token.split(":")
    if token not in known and len(parts) == 3 and "/" in parts[1]:
        token = f"{parts[0]}:{parts[1].split('/')[0]}:{parts[2]}"
    return known.get(token, Facts())


def _facts(entry: dict[str, Any]) -> Facts:
    rest = {key: value for key, value in entry.items() if key not in ("ingress", "rdma")}
    return Facts(
        ingress=Ingress(**_tuples(entry["ingress"])) if "ingress" in entry else None,
        rdma=_rdma(entry["rdma"]) if "rdma" in entry else None,
        **_tuples(rest),
    )


def _rdma(entry: dict[str, Any]) -> Rdma:
    on = {token: tuple(paths) for token, paths in entry.get("placed_on", {}).items()}
    return Rdma(**{**_tuples(entry), "placed_on": on})


def _tuples(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
