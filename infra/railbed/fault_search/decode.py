"""Explain-away decoding: how likely each part is bad, from tests that each ran over several parts.

A test fails if any of its bad parts makes it fail, or by chance (noisy-or; Pearl 1988). A good part never does, so a
failure that one bad part explains says nothing against the others in the same test. What passed factorises over
the parts; only failed tests tie parts together, and they are few. Sum-product messages along them are exact where
they form no circle; small knots are summed up state by state instead.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

MOST_STATES = 3000
"""Joint states of a knot that are summed one by one; a larger one is left to the messages."""
MOST_ITERATIONS = 200
SETTLED = 1e-10
DAMPING = 0.5
"""Share of the old message that stays where messages run in circles."""


class Trial(NamedTuple):
    """One test that has a result."""

    parts: tuple[int, ...]
    """Indices of the parts that it ran over."""
    failed: bool
    slot: tuple[int, ...] = ()
    """Tests of one slot ran at the same time and share no node."""
    groups: tuple[int, ...] = ()
    """What else all of it hangs on: a switch, the whole fabric."""


@dataclass(frozen=True)
class Law:
    """How tests fail."""

    shares: tuple[float, ...]
    """A bad part makes this share of its tests fail; each of the shares is as likely."""
    noise: float
    """Probability that a test of good parts fails; more than 0."""

    @property
    def misses(self) -> tuple[float, ...]:
        """Per state (good, then each kind of bad): the probability that a part lets a test pass."""
        return (1.0, *(1 - share for share in self.shares))

    @property
    def mean_share(self) -> float:
        """Share of its tests that a bad part fails, of which nothing else is known."""
        return math.fsum(self.shares) / len(self.shares)


Weights = tuple[float, ...]
"""Of one part's states, not normalised."""


def probabilities(priors: Sequence[float], tests: Sequence[Trial], law: Law) -> list[float]:
    """Probability that each part is bad, given its prior and all tests."""
    passes = [0] * len(priors)
    failed = [test.parts for test in tests if test.failed]
    for test in tests:
        if not test.failed:
            for part in test.parts:
                passes[part] += 1
    known: dict[tuple[float, int], Weights] = {}
    weights = []
    for prior, count in zip(priors, passes, strict=True):
        key = (prior, count)
        if key not in known:
            bad = (prior / len(law.shares) * miss**count for miss in law.misses[1:])
            known[key] = (1 - prior, *bad)
        weights.append(known[key])
    found = [_bad(w) for w in weights]
    for knot in _knots(failed):
        for part, probability in _decode(knot, weights, law).items():
            found[part] = probability
    return found


def _bad(weights: Sequence[float]) -> float:
    return math.fsum(weights[1:]) / math.fsum(weights)


def _knots(failed: Sequence[tuple[int, ...]]) -> list[list[tuple[int, ...]]]:
    """Failed tests in groups that share no part."""
    root: dict[int, int] = {}

    def find(part: int) -> int:
        while root.setdefault(part, part) != part:
            root[part] = root[root[part]]
            part = root[part]
        return part

    for parts in failed:
        for part in parts[1:]:
            root[find(part)] = find(parts[0])
    knots: dict[int, list[tuple[int, ...]]] = {}
    for parts in failed:
        knots.setdefault(find(parts[0]), []).append(parts)
    return list(knots.values())


def _decode(knot: Sequence[tuple[int, ...]], weights: Sequence[Weights], law: Law) -> dict[int, float]:
    parts = sorted({part for test in knot for part in test})
    circles = sum(len(test) for test in knot) - len(parts) - len(knot) + 1
    if circles and len(law.misses) ** len(parts) <= MOST_STATES:
        return _sum_states(knot, parts, weights, law)
    return _Messages(knot, weights, law).settle(DAMPING if circles else 0.0)


def _sum_states(
    knot: Sequence[tuple[int, ...]], parts: Sequence[int], weights: Sequence[Weights], law: Law
) -> dict[int, float]:
    place = {part: index for index, part in enumerate(parts)}
    tests = [tuple(place[part] for part in test) for test in knot]
    misses, good = law.misses, 1 - law.noise
    total, bad = 0.0, [0.0] * len(parts)
    for states in itertools.product(range(len(misses)), repeat=len(parts)):
        weight = 1.0
        for part, state in zip(parts, states, strict=True):
            weight *= weights[part][state]
        for test in tests:
            weight *= 1 - good * math.prod(misses[states[index]] for index in test)
        total += weight
        for index, state in enumerate(states):
            if state:
                bad[index] += weight
    return {part: bad[place[part]] / total for part in parts}


class _Messages:
    """Sum-product over one knot. A test's message to a part: how likely it would have passed without that part."""

    def __init__(self, knot: Sequence[tuple[int, ...]], weights: Sequence[Weights], law: Law) -> None:
        self.knot, self.weights, self.misses, self.good = knot, weights, law.misses, 1 - law.noise
        self.of_part: dict[int, list[int]] = {}
        for index, test in enumerate(knot):
            for part in test:
                self.of_part.setdefault(part, []).append(index)
        self.messages = [dict.fromkeys(test, 0.0) for test in knot]

    def belief(self, part: int, without: int = -1) -> list[float]:
        """Weights of the part's states by the messages of its failed tests, but ``without``."""
        weights = list(self.weights[part])
        for index in self.of_part[part]:
            if index != without:
                message = self.messages[index][part]
                for state, miss in enumerate(self.misses):
                    weights[state] *= 1 - message * miss
        scale = sum(weights)
        return [weight / scale for weight in weights]

    def settle(self, damping: float) -> dict[int, float]:
        """Passes messages until they stand still; the probability that each part is bad."""
        for _ in range(MOST_ITERATIONS):
            if max(self._update(index, damping) for index in range(len(self.knot))) < SETTLED:
                break
        return {part: 1 - self.belief(part)[0] for part in self.of_part}

    def _update(self, index: int, damping: float) -> float:
        """Renews one test's messages to its parts; the largest change."""
        test = self.knot[index]
        passes = []
        for part in test:
            belief = self.belief(part, without=index)
            passes.append(sum(b * miss for b, miss in zip(belief, self.misses, strict=True)))
        change = 0.0
        for place, part in enumerate(test):
            others = self.good * math.prod(passes[:place]) * math.prod(passes[place + 1 :])
            new = damping * self.messages[index][part] + (1 - damping) * others
            change = max(change, abs(new - self.messages[index][part]))
            self.messages[index][part] = new
        return change
