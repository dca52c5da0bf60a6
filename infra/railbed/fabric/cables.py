"""The cable map, made on demand: every cable of a fabric, the same for the same sizes, without keeping the map.

Two cables never share a port. Where a tier gets more switches, as many cables stay as the numbers allow: with
twice the spines every second uplink keeps its spine and its port there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from railbed.fabric.names import Names
from railbed.fabric.rule import Fabric

TIERS = ("node_leaf", "leaf_spine", "spine_core")


class Cable(NamedTuple):
    """One cable, from the lower end to the upper. Switch ports count from 1; a node's port is its NIC."""

    tier: str
    plane: int
    rail: int | None
    """Rail of the leaf below; None between spine and core."""
    source: str
    source_port: str | int
    target: str
    target_port: int


def cables(fabric: Fabric, names: Names | None = None) -> Iterator[Cable]:
    """Every cable: plane by plane, tier by tier, in the order of the lower end."""
    request = fabric.request
    named = (names or Names()).checked(request.planes)
    for plane in range(request.planes):
        leaves = named.switch_names("leaf", plane, fabric.leaf)
        spines = named.switch_names("spine", plane, fabric.spine)
        cores = named.switch_names("core", plane, fabric.core)
        yield from _node_cables(fabric, named, plane, leaves)
        for leaf, name in enumerate(leaves):
            rail = leaf % request.rails
            for uplink in range(fabric.up):
                spine, port = spine_end(fabric, leaf, uplink)
                yield Cable("leaf_spine", plane, rail, name, fabric.down + uplink + 1, spines[spine], port)
        if not cores:
            continue
        for spine, name in enumerate(spines):
            for uplink in range(fabric.half):
                core, port = core_end(fabric, spine, uplink)
                yield Cable("spine_core", plane, None, name, fabric.half + uplink + 1, cores[core], port)


def _node_cables(fabric: Fabric, named: Names, plane: int, leaves: list[str]) -> Iterator[Cable]:
    request = fabric.request
    nics = named.nic_names(request.rails, request.planes)[plane :: request.planes]
    for node in range(request.nodes):
        unit, place = divmod(node_place(fabric, node), fabric.down)
        name = named.node_name(node)
        for rail in range(request.rails):
            leaf = leaves[unit * request.rails + rail]
            yield Cable("node_leaf", plane, rail, name, nics[rail], leaf, place + 1)
    for extra in range(request.extra_endpoints):
        unit, place = divmod(extra_place(fabric, extra), fabric.down)
        rail = extra % request.rails
        leaf = leaves[unit * request.rails + rail]
        yield Cable("node_leaf", plane, rail, named.extra_name(extra), nics[0], leaf, place + 1)


def node_place(fabric: Fabric, node: int) -> int:
    """The node's place, counted over the scalable units; it depends on no other node, so that none ever moves.

    Extra endpoints keep the first units' last ports, from the first unit on.
    """
    whole, rest = divmod(fabric.request.reserved, fabric.down)
    first = fabric.down - rest
    return whole * fabric.down + node + (0 if node < first else rest)


def extra_place(fabric: Fabric, extra: int) -> int:
    """The node's place whose port the extra endpoint takes, on leaf ``extra mod rails`` of that unit."""
    whole, rest = divmod(fabric.request.reserved, fabric.down)
    taken = extra // fabric.request.rails
    return taken if taken < whole * fabric.down else taken + fabric.down - rest


def spine_end(fabric: Fabric, leaf: int, uplink: int) -> tuple[int, int]:
    """Index of the spine and its port (from 1) at the far end of a leaf's uplink."""
    if fabric.core:
        pod, place = divmod(leaf, fabric.half)
        return pod * fabric.up + uplink, place + 1
    bundle, spine = divmod(uplink, fabric.spine)
    return spine, leaf + room(fabric.request.radix, fabric.up // fabric.spine) * bundle + 1


def core_end(fabric: Fabric, spine: int, uplink: int) -> tuple[int, int]:
    """Index of the core switch and its port (from 1) at the far end of a spine's uplink.

    Spine j of every pod reaches each switch of core set j mod sets once, so that any two pods meet in every core.
    """
    pod, place = divmod(spine, fabric.up)
    bundle, within = divmod(place, fabric.core_sets)
    most = -(-fabric.up // fabric.core_sets)
    return within * fabric.half + uplink, pod + room(fabric.request.radix, most) * bundle + 1


def room(radix: int, cables_each: int) -> int:
    """Switches below that one switch can serve with so many cables each."""
    return radix // cables_each
