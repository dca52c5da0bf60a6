"""The arithmetic of failures against sums and searches that are done another way."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.laws import failures


def poisson_cdf(mean: float, count: int) -> float:
    """The sum itself, in fractions where they matter."""
    terms, term = Fraction(0), Fraction(1)
    for k in range(count + 1):
        terms += term
        term = term * Fraction(mean) / (k + 1)
    return float(terms) * math.exp(-mean)


@given(st.floats(0.001, 30), st.floats(0.01, 0.9999))
def test_spares_are_the_smallest_number_that_is_enough(mean: float, probability: float) -> None:
    found = failures.spares(mean, probability)
    assert poisson_cdf(mean, found) >= probability - 1e-9
    assert found == 0 or poisson_cdf(mean, found - 1) < probability + 1e-9


@given(st.floats(0.001, 5000), st.floats(0.5, 0.9999))
def test_more_failures_and_more_certainty_need_more_spares(mean: float, probability: float) -> None:
    found = failures.spares(mean, probability)
    assert failures.spares(mean * 2, probability) >= found
    assert failures.spares(mean, 1 - (1 - probability) / 2) >= found


def test_no_failures_need_no_spares_and_certainty_ends() -> None:
    assert failures.spares(0, 0.99) == 0
    assert failures.spares(3, 1 - 1e-17) < 200
    assert failures.spares(1e5, 0.99) == pytest.approx(1e5 + 2.326 * math.sqrt(1e5), abs=5)


@given(st.floats(1, 3600), st.floats(7200, 1e6))
def test_the_interval_loses_least(write_s: float, between_s: float) -> None:
    best = failures.checkpoint_interval_s(write_s, between_s)
    worth = failures.goodput(best, write_s, 0, between_s)
    for factor in (0.5, 0.7, 1.4, 2):
        assert failures.goodput(best * factor, write_s, 0, between_s) <= worth + 2e-3


def test_the_interval_is_young_s_where_a_checkpoint_is_cheap() -> None:
    assert failures.checkpoint_interval_s(1, 1e6) == pytest.approx(math.sqrt(2e6), rel=2e-3)
    assert failures.checkpoint_interval_s(500, 200) == 200


def test_goodput_is_daly_s_run_time_turned_round() -> None:
    work, write, recovery, between = 3600.0, 60.0, 300.0, 36_000.0
    wall = between * math.exp(recovery / between) * (math.exp((work + write) / between) - 1)
    assert failures.goodput(work, write, recovery, between) == pytest.approx(work / wall)
    assert failures.goodput(1e9, 1, 1, 1) == 0
    assert failures.goodput(3600, 0, 0, 1e12) == pytest.approx(1)


@given(st.floats(10, 1e5), st.floats(0, 1e4), st.floats(0, 1e4), st.floats(100, 1e7))
def test_goodput_is_a_share(interval: float, write: float, recovery: float, between: float) -> None:
    assert 0 <= failures.goodput(interval, write, recovery, between) <= 1
