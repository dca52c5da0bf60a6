"""The test that finds a slow machine among many that should be alike."""

from __future__ import annotations

import random
from statistics import fmean, median, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.laws import outliers

RATES = st.lists(st.floats(1.0, 1000.0), min_size=outliers.LEAST, max_size=64)
FLEETS = 2000


def named(values: list[float]) -> dict[int, float]:
    return dict(enumerate(values))


@given(RATES, st.integers(-8, 8))
def test_the_unit_does_not_matter(values: list[float], power: int) -> None:
    # Powers of two change no digit, so that nothing is rounded to the other side of the limit.
    assert outliers.low(named([v * 2.0**power for v in values])) == outliers.low(named(values))


@given(RATES, st.randoms(use_true_random=False))
def test_the_order_does_not_matter(values: list[float], rng: random.Random) -> None:
    shuffled = list(named(values).items())
    rng.shuffle(shuffled)
    assert outliers.low(dict(shuffled)) == outliers.low(named(values))


@given(RATES, st.integers(0, 63), st.floats(0.0, 0.99))
def test_one_that_gets_slower_stays_an_outlier(values: list[float], at: int, share: float) -> None:
    at %= len(values)
    if at in (outliers.low(named(values)) or {}):
        slower = [v * share if i == at else v for i, v in enumerate(values)]
        assert at in (outliers.low(named(slower)) or {})


@given(st.lists(st.floats(0.925, 1.0), min_size=outliers.LEAST, max_size=200))
def test_no_alarm_among_chips_that_differ_as_chips_do(values: list[float]) -> None:
    assert outliers.low(named([700 * v for v in values])) == {}


@given(
    st.lists(st.floats(0.995, 1.005), min_size=7, max_size=100),
    st.integers(0, 99),
    st.floats(0.0, 0.9),
)
def test_one_bad_among_healthy_noise_is_found(values: list[float], at: int, share: float) -> None:
    """Noise of half a per cent: 7 values spread by at most 0.5 % and 4.4 deviations of 1.14 times that come to less than 10 %."""
    at %= len(values)
    found = outliers.low(named([v * share if i == at else v for i, v in enumerate(values)]))
    assert found is not None and list(found) == [at]
    assert found[at] == pytest.approx(1 - share, abs=0.011)


@given(st.lists(st.floats(1.0, 1000.0), max_size=outliers.LEAST - 1))
def test_too_few_are_not_compared(values: list[float]) -> None:
    assert outliers.low(named(values)) is None


def test_nothing_is_an_outlier_of_what_mostly_stands_still() -> None:
    assert outliers.low(named([0.0] * 4 + [100.0])) is None


@pytest.mark.parametrize("count", [8, 64, 512])
@pytest.mark.parametrize(("noise", "most"), [(0.01, 0.0), (0.02, 0.003), (0.03, 0.01)])
def test_false_alarms_are_rare(count: int, noise: float, most: float) -> None:
    """Shares of healthy fleets with normal noise in which any GPU is called an outlier."""
    rng = random.Random(20261130)
    fleets = FLEETS if count < 100 else FLEETS // 10
    alarms = sum(
        bool(outliers.low(named([rng.gauss(1.0, noise) for _ in range(count)]))) for _ in range(fleets)
    )
    assert alarms / fleets <= most


def test_slow_ones_hide_no_other_while_most_are_healthy() -> None:
    values = [100.0 + at % 3 / 10 for at in range(33)] + [80.0] * 31
    assert set(outliers.low(named(values)) or {}) == set(range(33, 64))


@pytest.mark.parametrize("count", [5, 6, 7, 8, 9, 10, 12, 16, 32])
def test_small_samples_are_made_larger_by_as_much_as_they_are_too_small(count: int) -> None:
    """With the factor, the mean spread of normal noise is its standard deviation: 10,000 samples, three standard errors."""
    rng, spreads = random.Random(20261201), []
    for _ in range(10_000):
        noise = [rng.gauss(0, 1) for _ in range(count)]
        middle = median(noise)
        spreads.append(median(abs(one - middle) for one in noise))
    factor = outliers.SMALL.get(count, count / (count - outliers.LARGE))
    slack = 3 * outliers.NORMAL * factor * stdev(spreads) / len(spreads) ** 0.5
    assert slack < 0.02 and outliers.NORMAL * fmean(spreads) * factor == pytest.approx(1.0, abs=slack)
