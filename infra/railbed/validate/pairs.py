"""Who measures with whom: rounds of disjoint pairs in which every node meets enough partners. Pure."""

from __future__ import annotations

from collections.abc import Sequence

Pair = tuple[str, str]


def ring_rounds(nodes: Sequence[str]) -> list[list[Pair]]:
    """The edges of a ring over ``nodes`` in rounds of disjoint pairs: two partners each, two nodes only one.

    Two rounds for an even number of nodes, three for an odd one, whatever their number.
    """
    names = list(nodes)
    count = len(names)
    if count < 2:
        return []
    if count == 2:
        return [[(names[0], names[1])]]
    edges = [(names[i], names[(i + 1) % count]) for i in range(count)]
    even, odd = edges[0 : count - 1 : 2], edges[1 : count - count % 2 : 2]
    if count % 2 == 0:
        return [even, edges[1::2]]
    return [even, odd, [edges[-1]]]


def star_rounds(node: str, partners: Sequence[str]) -> list[list[Pair]]:
    """One round per partner of ``node``."""
    return [[(node, partner)] for partner in partners if partner != node]


def ring_flows(nodes: Sequence[str]) -> list[Pair]:
    """(sender, receiver) such that every node sends and receives once: the whole fabric under load."""
    names = list(nodes)
    if len(names) < 2:
        return []
    return [(name, names[(i + 1) % len(names)]) for i, name in enumerate(names)]
