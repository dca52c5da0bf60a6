"""Who measures with whom: rounds of disjoint pairs in which every node meets enough partners. Pure."""

from __future__ import annotations

from collections.abc import Sequence

Pair = tuple[str, str]
PARTNERS = 2
"""Whom a node must meet before a measurement says whose fault it is."""


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


def meeting_rounds(doubtful: Sequence[str], nodes: Sequence[str], attempt: int) -> list[list[Pair]]:
    """Rounds of disjoint pairs in which each of ``doubtful`` meets two of ``nodes``, which are in order of trust.

    Partners are taken from the front of ``nodes``, each as often as any other, and moved on by ``turn``: so that a node
    meets others than before.
    """
    met: dict[str, set[str]] = {name: set() for name in doubtful}
    used = dict.fromkeys(nodes, 0)
    edges: list[Pair] = []
    for _ in range(PARTNERS):
        for at, name in enumerate(doubtful):
            if len(met[name]) >= PARTNERS:
                continue
            others = [n for n in nodes if n != name and n not in met[name]]
            if not others:
                continue
            shift = (attempt + at) % len(others)
            partner = min([*others[shift:], *others[:shift]], key=lambda n: (n in met, used[n]))
            edges.append((name, partner))
            met[name].add(partner)
            used[partner] += 1
            if partner in met:
                met[partner].add(name)
    return packed(edges)


def packed(edges: Sequence[Pair]) -> list[list[Pair]]:
    """Edges in rounds in which no node comes twice, first fit."""
    rounds: list[list[Pair]] = []
    taken: list[set[str]] = []
    for pair in edges:
        at = next((i for i, names in enumerate(taken) if not names & set(pair)), len(rounds))
        if at == len(rounds):
            rounds.append([])
            taken.append(set())
        rounds[at].append(pair)
        taken[at].update(pair)
    return rounds
