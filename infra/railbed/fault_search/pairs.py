"""Who tests with whom next: each suspect with the best known partner that it has not met; the others at random."""

from __future__ import annotations

import random
from collections.abc import Sequence

Pair = tuple[int, int]
NEGLIGIBLE = 1e-9
"""A part this unlikely to be bad needs no further test; it serves as a partner."""
SUSPICIOUS = 1.5
"""A part this many times as likely to be bad as the median is tested with a well known partner."""

SHUFFLES = 20
"""Tries to pair the rest so that nobody meets a partner twice; one is enough unless they are few."""


def next_pairs(
    probability: Sequence[float], playing: Sequence[int], met: set[Pair], rng: random.Random
) -> list[Pair]:
    """Disjoint pairs of ``playing``, the first of each the more suspicious; nobody meets a partner twice without need.

    ``met`` holds sorted pairs. Whoever is known to be good is only there as a partner: where nobody is left to
    test, there are no pairs.
    """
    order = list(playing)
    rng.shuffle(order)
    order.sort(key=lambda part: probability[part], reverse=True)
    testing = sum(1 for part in order if probability[part] > NEGLIGIBLE)
    if not testing or len(order) < 2:
        return []
    limit = SUSPICIOUS * probability[order[testing // 2]]
    suspects = sum(1 for part in order[:testing] if probability[part] > limit)
    # Whoever is known to be good is a partner for the most suspicious, whatever the others are.
    suspects = max(suspects, min(testing, len(order) - testing))
    pairs, left = _with_the_best(order, suspects, met)
    rest = [part for part in left if probability[part] > NEGLIGIBLE]
    pairs += _at_random(rest, met, rng)
    paired = {part for pair in pairs for part in pair}
    free = [part for part in left if part not in paired]
    alone = [part for part in free if probability[part] > NEGLIGIBLE]
    return pairs + _again(alone, free)


def _sorted(one: int, other: int) -> Pair:
    return (one, other) if one < other else (other, one)


def _with_the_best(order: Sequence[int], suspects: int, met: set[Pair]) -> tuple[list[Pair], list[int]]:
    """The first ``suspects`` of ``order``, each with the last that is free; and who is left over."""
    pairs: list[Pair] = []
    taken: set[int] = set()
    last = len(order) - 1
    for suspect in order[:suspects]:
        while last >= suspects and order[last] in taken:
            last -= 1
        for place in range(last, suspects - 1, -1):
            partner = order[place]
            if partner not in taken and _sorted(suspect, partner) not in met:
                pairs.append((suspect, partner))
                taken |= {suspect, partner}
                break
    return pairs, [part for part in order if part not in taken]


def _at_random(parts: list[int], met: set[Pair], rng: random.Random) -> list[Pair]:
    """Pairs of a row shuffled so that all find a new partner, or else as many as a few tries bring."""
    best: list[Pair] = []
    for _ in range(SHUFFLES):
        rng.shuffle(parts)
        pairs = _in_a_row(parts, met)
        if len(pairs) == len(parts) // 2:
            return pairs
        best = max(best, pairs, key=len)
    return best


def _in_a_row(parts: list[int], met: set[Pair]) -> list[Pair]:
    """Neighbours of a shuffled row; one that has met its neighbour changes places with a later one."""
    pairs = []
    for place in range(0, len(parts) - 1, 2):
        for other in range(place + 1, len(parts)):
            if _sorted(parts[place], parts[other]) not in met:
                parts[place + 1], parts[other] = parts[other], parts[place + 1]
                pairs.append((parts[place], parts[place + 1]))
                break
    return pairs


def _again(alone: Sequence[int], free: Sequence[int]) -> list[Pair]:
    """Those for whom nobody new is left meet an old partner again."""
    pairs: list[Pair] = []
    taken: set[int] = set()
    for part in alone:
        partner = next((p for p in reversed(free) if p not in taken and p != part), None)
        if part not in taken and partner is not None:
            pairs.append((part, partner))
            taken |= {part, partner}
    return pairs
