"""Faults of cables: a rail's, all of a leaf switch, and that of the management network."""

from __future__ import annotations

from railbed.effects.lab import names, network, switches
from railbed.platforms.lab.fault import FaultContext, Injected

BURST_KIB = 128
"""The machine's `burst_kib` in the catalogue."""
LOSSY = "railbed-fault"
"""nftables' table of a rail that loses packets."""


def slow(context: FaultContext, fault: Injected) -> None:
    space, interface, _ = context.rail_ends(fault)
    network.shape(space, interface, context.rail_mbit(fault) * (1 - fault.percent / 100), BURST_KIB)


def at_rate(context: FaultContext, fault: Injected) -> None:
    space, interface, _ = context.rail_ends(fault)
    network.shape(space, interface, context.rail_mbit(fault), BURST_KIB)


def down(context: FaultContext, fault: Injected) -> None:
    _, _, port = context.rail_ends(fault)
    network.ip(names.fabric_namespace(context.work.lab_id), "link", "set", port, "down")


def up(context: FaultContext, fault: Injected) -> None:
    _, _, port = context.rail_ends(fault)
    network.ip(names.fabric_namespace(context.work.lab_id), "link", "set", port, "up")


def leaf_down(context: FaultContext, fault: Injected) -> None:
    """A switch without power: every cable in it loses its carrier."""
    _leaf(context, fault, "down")


def leaf_up(context: FaultContext, fault: Injected) -> None:
    _leaf(context, fault, "up")


def _leaf(context: FaultContext, fault: Injected, state: str) -> None:
    lines = [f"link set {port} {state}" for port in context.leaf_ports(fault)]
    network.ip_batch(names.fabric_namespace(context.work.lab_id), lines)


def leaf_slow(context: FaultContext, fault: Injected) -> None:
    """A switch that forwards less than its ports could carry."""
    _shape_leaf(context, fault, 1 - fault.percent / 100)


def leaf_at_rate(context: FaultContext, fault: Injected) -> None:
    _shape_leaf(context, fault, 1.0)


def _shape_leaf(context: FaultContext, fault: Injected, share: float) -> None:
    for port in context.leaf_ports(fault):
        network.shape(
            names.fabric_namespace(context.work.lab_id), port, context.rail_mbit(fault) * share, BURST_KIB
        )


def lossy(context: FaultContext, fault: Injected) -> None:
    """One in ten packets that arrive is lost: the carrier and the shapers' rates are as they should be."""
    space, interface, _ = context.rail_ends(fault)
    network.nft(space, f"add table netdev {LOSSY}",
                f"add chain netdev {LOSSY} in {{ type filter hook ingress device {interface} priority 0; }}",
                f"add rule netdev {LOSSY} in numgen random mod 10 < 1 drop")  # fmt: skip


def lossless(context: FaultContext, fault: Injected) -> None:
    network.nft(context.rail_ends(fault)[0], f"add table netdev {LOSSY}", f"delete table netdev {LOSSY}")


def swapped(context: FaultContext, fault: Injected) -> None:
    """The cables of two rails end in each other's ports; taken back by the same."""
    switches.swap(context.work.lab_id, context.octet(fault), fault.index, fault.other)


def unreachable(context: FaultContext, fault: Injected) -> None:
    _management(context, fault, "down")


def reachable(context: FaultContext, fault: Injected) -> None:
    _management(context, fault, "up")


def _management(context: FaultContext, fault: Injected, state: str) -> None:
    """The switch's port of the node on the management network."""
    port = names.management_port(context.work.lab_id, context.octet(fault))
    network.ip(names.fabric_namespace(context.work.lab_id), "link", "set", port, state)
