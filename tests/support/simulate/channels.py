"""Which channels a collective runs, and what each byte of them loads: rings, rings per rail, double binary trees.

Each rail carries an equal part, as channels are bound to NICs when a communicator is made; the slowest ends last.
Bytes are of the message that the program prints: of all ranks together for all_gather, reduce_scatter, alltoall.
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.support.simulate.flows import Channel
from tests.support.simulate.hardware import Cluster

RINGED = {"all_reduce": 2.0, "all_gather": 1.0, "reduce_scatter": 1.0}
"""Collectives that rings run, and how many rounds over all ranks each takes."""


def rings(cluster: Cluster, nodes: Sequence[int], nbytes: float, collective: str) -> list[Channel]:
    """One ring over all GPUs per rail: it enters and leaves every node over that rail.

    The last GPU of a node hands on to the one beside the rail's NIC (PXN), as it would close the ring in one node.
    """
    ranks = len(nodes) * cluster.gpus
    each_hop = RINGED[collective] * (ranks - 1) / ranks
    made = []
    for rail in range(cluster.rails):
        channel = Channel(nbytes / cluster.rails)
        for place, node in enumerate(nodes):
            _around(cluster, channel, node, each_hop)
            if len(nodes) > 1:
                cross(channel, node, nodes[(place + 1) % len(nodes)], rail, each_hop)
        made.append(channel)
    return made


def rail_rings(
    cluster: Cluster, nodes: Sequence[int], nbytes: float, collective: str, *, nvls: bool
) -> list[Channel]:
    """Inside a node over NVLink, between nodes one ring per rail over its part of the message."""
    count = len(nodes)
    each_hop = RINGED[collective] * (count - 1) / count
    made = []
    for rail in range(cluster.rails):
        channel = Channel(nbytes / cluster.rails)
        for place, node in enumerate(nodes):
            _inside(cluster, channel, node, RINGED[collective] / 2, nvls=nvls)
            if count > 1:
                cross(channel, node, nodes[(place + 1) % count], rail, each_hop)
        made.append(channel)
    return made


def trees(cluster: Cluster, nodes: Sequence[int], nbytes: float, *, nvls: bool) -> list[Channel]:
    """all_reduce over two binary trees per rail, half of the message each: up to reduce, down to spread."""
    made = []
    for rail in range(cluster.rails):
        for parents in double_tree(len(nodes)):
            channel = Channel(nbytes / cluster.rails / 2)
            for node in nodes:
                _inside(cluster, channel, node, 1.0, nvls=nvls)
            for child, parent in parents.items():
                cross(channel, nodes[child], nodes[parent], rail, 1.0)
                cross(channel, nodes[parent], nodes[child], rail, 1.0)
            made.append(channel)
    return made


def exchange(cluster: Cluster, nodes: Sequence[int], nbytes: float) -> list[Channel]:
    """alltoall: every GPU sends its part to every other, over the rail of its own position."""
    ranks = len(nodes) * cluster.gpus
    made = []
    for node in nodes:
        for gpu in range(cluster.gpus):
            rail = gpu * cluster.rails // cluster.gpus
            channel = Channel(nbytes)
            for other in nodes:
                if other != node:
                    cross(channel, node, other, rail, cluster.gpus / ranks)
            if cluster.gpus > 1:
                channel.load(("ring_out", node, gpu), (cluster.gpus - 1) / ranks)
                channel.load(("ring_in", node, gpu), (cluster.gpus - 1) / ranks)
            made.append(channel)
    return made


def double_tree(count: int) -> list[dict[int, int]]:
    """Two trees over ``count`` nodes, child → parent; whoever has children in one is a leaf in the other.

    The lowest set bit of a place is its level (Sanders, Speck, Träff 2009); the second tree is the first, mirrored
    for an even count and moved on by one for an odd.
    """
    first = {place: _parent(place, count) for place in range(1, count)}
    if count % 2:
        second = {(c + 1) % count: (p + 1) % count for c, p in first.items()}
    else:
        second = {count - 1 - c: count - 1 - p for c, p in first.items()}
    return [first, second]


def _parent(place: int, count: int) -> int:
    bit = place & -place
    above = (place ^ bit) | (bit << 1)
    return above if above < count else place ^ bit


def cross(channel: Channel, sender: int, receiver: int, rail: int, share: float) -> None:
    """Adds one hop from node to node, and the way between them."""
    channel.load(("nic_out", sender, rail), share)
    channel.load(("nic_in", receiver, rail), share)
    low, high = sorted((sender, receiver))
    channel.load((f"way {rail}", low, high), share)


def _around(cluster: Cluster, channel: Channel, node: int, share: float) -> None:
    """From GPU to GPU through a node and back to the first."""
    for gpu in range(cluster.gpus if cluster.gpus > 1 else 0):
        channel.load(("ring_out", node, gpu), share)
        channel.load(("ring_in", node, gpu), share)


def _inside(cluster: Cluster, channel: Channel, node: int, rounds: float, *, nvls: bool) -> None:
    """Reduce to the GPU of the channel and spread from it: in the NVLink switch, or as rings."""
    if cluster.gpus == 1:
        return
    # In the switch every GPU's data go out once and come in once, and the owner's part once more.
    share = rounds * ((cluster.gpus + 1) / cluster.gpus if nvls else 2 * (cluster.gpus - 1) / cluster.gpus)
    kind = "nvls" if nvls else "ring"
    for gpu in range(cluster.gpus):
        channel.load((f"{kind}_out", node, gpu), share)
        channel.load((f"{kind}_in", node, gpu), share)
