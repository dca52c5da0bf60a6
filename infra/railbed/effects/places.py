"""Which node stands at which place of its pool: its own, until a swap gave a spare the place of another node.

Contract and spec say how many nodes serve and how many are spares, and that stays so: a swap changes places with a spare, and is
neither a change of the spec nor of the contract. Nothing but a swap writes the list.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from railbed.contract import Contract
from railbed.effects.workspace import Workspace


def read(contract: Contract, work: Workspace) -> dict[str, str]:
    """Node → the node at whose place it stands, for every node of the contract.

    Of places that left the contract, with a pool that shrank, the nodes that stood there get those of the nodes that left.
    """
    known, moved = {node.name for node in contract.nodes}, work.places.read()
    return {name: _place(name, known, moved) for name in known}


def _place(name: str, known: Collection[str], moved: Mapping[str, str]) -> str:
    place = moved.get(name, name)
    for _ in moved:
        if place in known:
            return place
        # Who stood at a place that left has left too: whoever had that one's place gets the place that it left free.
        place = moved.get(place, name)
    return place if place in known else name


def exchange(contract: Contract, work: Workspace, one: str, other: str) -> None:
    """The two change places; written whole or not at all."""
    found = read(contract, work)
    found[one], found[other] = found[other], found[one]
    work.places.write({name: place for name, place in found.items() if name != place})


def spares(contract: Contract, work: Workspace) -> frozenset[str]:
    """Nodes that stand at the place of a spare."""
    roles = {node.name: node.role for node in contract.nodes}
    return frozenset(name for name, place in read(contract, work).items() if roles[place] == "spare")


def standby(contract: Contract, work: Workspace) -> frozenset[str]:
    """Spares that no user's job may take: those of pools that keep theirs for a swap."""
    if not contract.standby_pools:
        return frozenset()
    pools = {node.name: node.pool for node in contract.nodes}
    return frozenset(name for name in spares(contract, work) if pools[name] in contract.standby_pools)
