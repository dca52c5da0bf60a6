"""Who talks to whom across a fabric: disjoint pairs that cross it, other rails at the other end, many into one. Pure.

Every schedule is drawn from a seed that is in the evidence, so that a run can be repeated. How many rounds there are does not
depend on how many nodes there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from railbed.validate.flow_tool import Flow
from railbed.validate.pairs import Pair

DRAWS = 8
"""Tries of one permutation, of which the one with the fewest pairs of earlier ones is taken."""
SENDERS = 8
"""Most senders into one rail."""


def permutations(units: Sequence[Sequence[str]], count: int, seed: int) -> list[list[Pair]]:
    """``count`` rounds of disjoint pairs: across ``units`` where there are several, else anywhere.

    As many nodes as can be are in a pair; one that sat out has its turn first in the next round.
    """
    random = Random(seed)  # noqa: S311 - a schedule, no secret
    rounds: list[list[Pair]] = []
    met: set[frozenset[str]] = set()
    idle: set[str] = set()
    for _ in range(count):
        drawn = [_drawn(units, random, idle) for _ in range(DRAWS)]
        chosen = min(drawn, key=lambda pairs: sum(frozenset(pair) in met for pair in pairs))
        met |= {frozenset(pair) for pair in chosen}
        idle = {name for unit in units for name in unit} - {name for pair in chosen for name in pair}
        rounds.append(chosen)
    return rounds


def _drawn(units: Sequence[Sequence[str]], random: Random, idle: set[str]) -> list[Pair]:
    queues = []
    for unit in units:
        names = list(unit)
        random.shuffle(names)
        # Popped from the end.
        queues.append(sorted(names, key=lambda name: name in idle))
    if len([queue for queue in queues if queue]) < 2:
        names = [name for queue in queues for name in reversed(queue)]
        return [(names[at], names[at + 1]) for at in range(0, len(names) - 1, 2)]
    random.shuffle(queues)
    return _across(queues)


def _across(queues: list[list[str]]) -> list[Pair]:
    """Pairs of the two longest queues until one is left: no other way leaves fewer nodes alone."""
    pairs: list[Pair] = []
    while True:
        queues.sort(key=len, reverse=True)
        if not queues[1]:
            return pairs
        pairs.append((queues[0].pop(), queues[1].pop()))


def crossed(pairs: Sequence[Pair], rails: int, turn: int) -> list[Flow]:
    """For each pair a flow from every rail of the first node to another rail of the second, each rail of both once.

    Pairs differ in how far the rails are apart, and each ``turn`` moves it on.
    """
    found = []
    for at, (sender, receiver) in enumerate(pairs):
        apart = 1 + (at + turn) % (rails - 1)
        found += [Flow(sender, receiver, rail, (rail + apart) % rails) for rail in range(rails)]
    return found


def stars(names: Sequence[str], rails: Sequence[int], turn: int, seed: int) -> list[Flow]:
    """Groups of nodes in which on each rail all others send to one: its receiver is another node from rail to rail.

    ``turn`` gives each rail the next receiver. Groups have up to SENDERS senders, the last up to two more.
    """
    order = list(names)
    Random(seed).shuffle(order)  # noqa: S311 - as above
    size = SENDERS + 1
    groups = [order[at : at + size] for at in range(0, len(order), size)]
    if len(groups) > 1 and len(groups[-1]) < 3:
        groups[-2:] = [groups[-2] + groups[-1]]
    found = []
    for group in groups:
        for rail in rails:
            receiver = group[(rail + turn) % len(group)]
            senders = [name for name in group if name != receiver]
            found += [Flow(sender, receiver, rail, lane=lane) for lane, sender in enumerate(senders)]
    return found
