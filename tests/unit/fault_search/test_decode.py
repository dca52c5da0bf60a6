"""The decoder against sums over every joint state, and what explaining away means."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from railbed.fault_search import decode
from railbed.fault_search.decode import Law, Trial, probabilities

LAW = Law(shares=(1.0, 0.5), noise=1e-4)
HARD = Law(shares=(1.0,), noise=1e-6)


def by_sums(priors: list[float], tests: list[Trial], law: Law) -> list[float]:
    """Bayes' rule, state by state, as written in the books."""
    total, bad = 0.0, [0.0] * len(priors)
    for states in itertools.product(range(len(law.shares) + 1), repeat=len(priors)):
        weight = 1.0
        for prior, state in zip(priors, states, strict=True):
            weight *= prior / len(law.shares) if state else 1 - prior
        for test in tests:
            fine = 1 - law.noise if test.failed else 1.0
            for part in test.parts:
                fine *= 1 - law.shares[states[part] - 1] if states[part] else 1.0
            weight *= 1 - fine if test.failed else fine
        total += weight
        for part, state in enumerate(states):
            bad[part] += weight if state else 0
    return [one / total for one in bad]


@st.composite
def trees(draw: Callable[..., int]) -> list[Trial]:
    """Failed pairs that form no circle, and any passes."""
    count = draw(st.integers(2, 6))
    tests = [
        Trial((draw(st.integers(0, part - 1)), part), True) for part in range(1, count) if draw(st.booleans())
    ]
    for _ in range(draw(st.integers(0, 6))):
        a = draw(st.integers(0, count - 2))
        tests.append(Trial((a, draw(st.integers(a + 1, count - 1))), False))
    return tests


@settings(max_examples=60)
@given(trees(), st.floats(0.001, 0.3))
def test_messages_are_exact_without_circles(tests: list[Trial], prior: float) -> None:
    priors = [prior] * 6
    assert probabilities(priors, tests, LAW) == pytest.approx(by_sums(priors, tests, LAW), abs=1e-7)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.sets(st.integers(0, 5), min_size=2, max_size=4), st.booleans()), max_size=9),
    st.floats(0.001, 0.3),
)
def test_small_knots_are_exact(drawn: list[tuple[set[int], bool]], prior: float) -> None:
    tests = [Trial(tuple(sorted(parts)), failed) for parts, failed in drawn]
    priors = [prior] * 6
    assert probabilities(priors, tests, LAW) == pytest.approx(by_sums(priors, tests, LAW), abs=1e-7)


def test_large_knots_come_near(monkeypatch: pytest.MonkeyPatch) -> None:
    """A circle of six in which two opposite ones are bad, and outside tests say so."""
    ring = [Trial((i, (i + 1) % 6), i in (0, 5, 2, 3)) for i in range(6)]
    outside = [Trial((0, 6), True), Trial((3, 7), True)]
    priors = [0.01] * 8
    exact = by_sums(priors, ring + outside, LAW)
    monkeypatch.setattr(decode, "MOST_STATES", 0)
    near = probabilities(priors, ring + outside, LAW)
    assert [p >= 0.99 for p in near] == [p >= 0.99 for p in exact]
    assert near == pytest.approx(exact, abs=0.02)


def test_a_bad_partner_explains_the_failure_of_a_good_one() -> None:
    alone = probabilities([0.01] * 4, [Trial((0, 1), True)], LAW)
    assert alone[0] == alone[1] == pytest.approx(0.5, abs=0.01)
    both = [Trial((0, 1), True), Trial((0, 2), True), Trial((0, 3), True)]
    explained = probabilities([0.01] * 4, both, LAW)
    assert explained[0] > 0.99
    assert max(explained[1:]) < 0.02


def test_a_pass_clears_of_hard_faults_and_halves_flaky_ones() -> None:
    passed = [Trial((0, 1), False)]
    assert probabilities([0.01] * 2, passed, HARD) == [0.0, 0.0]
    assert probabilities([0.01] * 2, passed, LAW)[0] == pytest.approx(0.0025 / 0.9925)


def test_one_failure_among_many_passes_is_chance() -> None:
    tests = [Trial((0, 1), True)] + [Trial((part,), False) for part in (0, 1) for _ in range(20)]
    found = probabilities([0.01, 0.01], tests, Law(shares=(0.5,), noise=1e-3))
    assert max(found) < 1e-4


def test_nothing_known_leaves_the_prior() -> None:
    assert probabilities([0.01, 0.3], [], LAW) == pytest.approx([0.01, 0.3])


def test_contradictions_are_chance_too() -> None:
    """Two parts that are known to be good fail together: no division by zero, and still good."""
    assert probabilities([0.0, 0.0], [Trial((0, 1), True)], HARD) == [0.0, 0.0]
    assert not any(math.isnan(p) for p in probabilities([0.5] * 2, [Trial((0, 1), True)] * 40, LAW))
