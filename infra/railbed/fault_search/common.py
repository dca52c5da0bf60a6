"""Common causes: one switch, or the fabric itself, instead of very many bad parts at once.

Whoever hangs on something that is down fails with every partner. If all tests over one thing failed, and those of
them that share nothing else are many, then that thing is to blame: so many parts going bad by themselves, each in
another test, is far less likely. With two such things and the same tests it may be either.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from railbed.fault_search.decode import Trial

PRIOR = 1e-3
"""Probability that a given switch, or the fabric's configuration, is down. Declared."""
FABRIC = 0
"""The group that every test hangs on."""


class Cause(NamedTuple):
    """One group that explains all of its tests."""

    group: int
    confidence: float
    tests: tuple[int, ...]
    """Places in the list of tests."""


def common_causes(
    tests: Sequence[Trial], prevalence: float, confidence: float, sharing: int = 1
) -> list[Cause]:
    """Groups to blame, the widest first.

    ``sharing``: tests of a slot that may hang on one cable and so fail together (2 where a cable carries one flow
    up and another one down).
    """
    found: list[Cause] = []
    open_tests = set(range(len(tests)))
    while True:
        cause = _widest(tests, open_tests, prevalence, confidence, sharing)
        if cause is None:
            return found
        found.append(cause)
        open_tests -= set(cause.tests)


def _widest(
    tests: Sequence[Trial], open_tests: set[int], prevalence: float, confidence: float, sharing: int
) -> Cause | None:
    failing: dict[int, list[int]] = {}
    cleared: set[int] = set()
    for place, test in enumerate(tests):
        if not test.failed:
            cleared |= set(test.groups)
        elif place in open_tests:
            for group in test.groups:
                failing.setdefault(group, []).append(place)
    sure: dict[tuple[int, ...], list[tuple[int, float]]] = {}
    for group, members in failing.items():
        if group not in cleared:
            how_sure = _confidence([tests[place] for place in members], prevalence, sharing)
            if how_sure >= confidence:
                sure.setdefault(tuple(members), []).append((group, how_sure))
    for places in sorted(sure, key=len, reverse=True):
        rivals = [one for one in sure[places] if one[0] != FABRIC]
        if len(rivals) != 1:
            rivals = [one for one in sure[places] if one[0] == FABRIC]
        if len(rivals) == 1:
            return Cause(rivals[0][0], rivals[0][1], places)
    return None


def _confidence(failed: Sequence[Trial], prevalence: float, sharing: int) -> float:
    per_slot: dict[tuple[int, ...], int] = {}
    for test in failed:
        per_slot[test.slot] = per_slot.get(test.slot, 0) + 1
    apart = max(per_slot.values()) // sharing
    parts = max(len(test.parts) for test in failed)
    by_themselves = math.pow(min(1.0, parts * prevalence), apart)
    return PRIOR / (PRIOR + by_themselves)


def raised(tests: Sequence[Trial], law_share: float, prevalence: float) -> float:
    """The prevalence to decode with: that of the rule, or more where far more tests fail than it lets expect.

    Two failures are what chance may add to few tests; what lies above speaks for itself.
    """
    if not tests:
        return prevalence
    failed = sum(test.failed for test in tests) - 2
    if failed <= 0:
        return prevalence
    parts = sum(len(test.parts) for test in tests) / len(tests)
    seen = (1 - math.pow(1 - failed / len(tests), 1 / parts)) / law_share
    return min(0.5, max(prevalence, seen))
