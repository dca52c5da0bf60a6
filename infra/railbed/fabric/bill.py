"""The bill of materials: switches, cables by tier, transceivers, and the price where somebody published it.

Transceivers follow from the ports that carry a cable: ports of one cage share one, as the twin-port OSFP of a
64-port 400 Gb/s switch do (NVIDIA RA-11333-001 V11, tables 7 and 8: 1,536 for 48 switches, 508 for 127 nodes).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from railbed.fabric.cables import extra_place, node_place, room
from railbed.fabric.rule import Fabric


def bill(
    fabric: Fabric,
    *,
    ports_per_transceiver: int | None = None,
    node_ports_per_transceiver: int | None = None,
    switch_price_usd: float | None = None,
) -> dict[str, Any]:
    """What to order, summed over planes; a number that nobody can know from what was given is None.

    ``ports_per_transceiver``: ports of one cage of the switch; ``node_ports_per_transceiver``: the same of a node.
    Cables and transceivers have no published price: the total stays unknown.
    """
    request = fabric.request
    switches = sum(fabric.switches.values())
    node_cages = None
    if node_ports_per_transceiver:
        # A cage serves one node only; the devices on extra endpoints are not ours to equip.
        node_cages = request.nodes * -(-request.rails * request.planes // node_ports_per_transceiver)
    priced = None if switch_price_usd is None else round(switches * switch_price_usd, 2)
    return {
        "switches": {**fabric.switches, "total": switches},
        "cables": {**fabric.cables, "total": sum(fabric.cables.values())},
        "transceivers": {
            "switch": transceivers(fabric, ports_per_transceiver) if ports_per_transceiver else None,
            "node": node_cages,
        },
        "price_usd": {"switches": priced, "cables": None, "transceivers": None, "total": None},
        "unknown": _unknown(ports_per_transceiver, node_ports_per_transceiver, switch_price_usd),
    }


def _unknown(switch_ports: int | None, node_ports: int | None, price: float | None) -> list[str]:
    reasons = [
        (switch_ports is None, "transceivers of the switches: name the switch"),
        (node_ports is None, "transceivers of the nodes: name how many ports of a node share one"),
        (price is None, "price of the switches: nobody published one"),
        (True, "price of cables and transceivers: nobody published one"),
    ]
    return [reason for holds, reason in reasons if holds]


def transceivers(fabric: Fabric, ports_each: int) -> int:
    """Cages of all switches in which a port carries a cable, summed over planes."""
    return fabric.request.planes * sum(
        count * len({(port - 1) // ports_each for port in ports}) for count, ports in used_ports(fabric)
    )


def used_ports(fabric: Fabric) -> Iterator[tuple[int, Iterable[int]]]:
    """``(switches, ports that carry a cable)`` of one plane, equal switches together."""
    yield from _leaves(fabric)
    if not fabric.spine:
        return
    if not fabric.core:
        each = fabric.up // fabric.spine
        step = room(fabric.request.radix, each)
        yield fabric.spine, [leaf + step * k + 1 for leaf in range(fabric.leaf) for k in range(each)]
        return
    half = fabric.half
    for first in range(0, fabric.pods * half, half):
        leaves = max(0, min(half, fabric.leaf - first))
        yield fabric.up, [*range(1, leaves + 1), *range(half + 1, 2 * half + 1)]
    most = -(-fabric.up // fabric.core_sets)
    step = room(fabric.request.radix, most)
    for one in range(fabric.core_sets):
        each = len(range(one, fabric.up, fabric.core_sets))
        yield half, [pod + step * k + 1 for pod in range(fabric.pods) for k in range(each)]


def _leaves(fabric: Fabric) -> Iterator[tuple[int, list[int]]]:
    request, down = fabric.request, fabric.down
    uplinks = range(down + 1, down + fabric.up + 1)
    mixed: dict[int, list[list[int]]] = {}
    for extra in range(request.extra_endpoints):
        unit, place = divmod(extra_place(fabric, extra), down)
        mixed.setdefault(unit, [[] for _ in range(request.rails)])[extra % request.rails].append(place + 1)
    end = node_place(fabric, request.nodes - 1) + 1
    for unit in range(fabric.units):
        nodes = _nodes_of(fabric, unit, end)
        if unit not in mixed:
            yield request.rails, [*nodes, *uplinks]
            continue
        for ports in mixed[unit]:
            yield 1, [*nodes, *ports, *uplinks]


def _nodes_of(fabric: Fabric, unit: int, end: int) -> range:
    """Leaf ports of a unit's nodes; extra endpoints come first over the units, and last within a unit."""
    whole, rest = divmod(fabric.request.reserved, fabric.down)
    if unit < whole:
        return range(0)
    room_left = fabric.down - rest if unit == whole else fabric.down
    before = fabric.request.nodes if unit == whole else end - unit * fabric.down
    return range(1, min(room_left, before) + 1)
