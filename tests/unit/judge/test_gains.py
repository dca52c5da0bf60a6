"""Effects of settings by pairs: what is seen, what is not, and that noise is not taken for a gain."""

from __future__ import annotations

import random
from collections.abc import Callable
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.judge import gains, halving
from railbed.judge.gains import Answer, Pair
from railbed.judge.halving import CONFIRM_PAIRS, Point, Wanted

Rates = Callable[[float], float]
"""True rate → what the next start shows."""


def test_an_effect_has_the_interval_of_student() -> None:
    found = gains.of([(1.0, ratio) for ratio in (1.02, 1.05, 1.08, 1.04, 1.06, 1.05)])
    # mean 0.0486, sd 0.0194 of the logarithms; t(5) 2.571: ± 0.0204.
    assert found.answer is Answer.GAIN and found.pairs == 6
    assert (found.low, found.effect, found.high) == pytest.approx((0.0287, 0.0499, 0.0715), abs=5e-4)
    assert found.as_text().startswith("gain: +5.0% [+2.9%, +7.1%] over 6 pairs")


def test_the_same_turned_round_is_a_loss() -> None:
    found = gains.of([(ratio, 1.0) for ratio in (1.02, 1.05, 1.08, 1.04, 1.06, 1.05)])
    assert found.answer is Answer.LOSS and found.high < 0


def test_what_scatters_round_nothing_is_not_distinguishable_and_says_what_would_have_shown() -> None:
    found = gains.of([(1.0, ratio) for ratio in (0.98, 1.03, 1.01, 0.97, 1.02, 1.0)])
    assert found.answer is Answer.NONE and found.low < 0 < found.high
    assert found.would_show > found.high - found.effect
    assert "would have shown" in found.as_text()


def test_a_sure_gain_below_what_matters_is_none() -> None:
    found = gains.of([(1.0, 1.004 + 0.0001 * i) for i in range(8)])
    assert found.low > 0 and found.answer is Answer.NONE


def test_too_few_pairs_are_no_answer() -> None:
    with pytest.raises(ValueError, match="at least 6"):
        gains.of([(1.0, 1.5)] * 5)


def test_the_order_cancels_what_drifts_linearly_and_quadratically() -> None:
    first = [gains.candidate_first(i) for i in range(4)]
    assert first == [False, True, True, False]
    for power in (1, 2):
        times = [(2 * i + (0 if late else 1), 2 * i + (1 if late else 0)) for i, late in enumerate(first)]
        assert sum(a**power - b**power for a, b in times) == 0


class Lab:
    """Starts beside one another on a shared machine: 1.5 % of their own, a slow wander, and a neighbour that comes and goes and
    takes up to a quarter for some starts, as beside the lab that `benchmarks/lab_under_load.py` loads."""

    def __init__(self, seed: int) -> None:
        self.dice, self.wander, self.neighbour, self.share = random.Random(seed), 0.0, 0, 0.0

    def __call__(self, rate: float) -> float:
        self.wander += self.dice.gauss(0, 0.003)
        if not self.neighbour and self.dice.random() < 0.04:
            self.neighbour, self.share = self.dice.randint(1, 6), self.dice.uniform(0.02, 0.25)
        taken = self.share if self.neighbour else 0.0
        self.neighbour = max(0, self.neighbour - 1)
        return rate * (1 + self.wander) * (1 - taken) * (1 + self.dice.gauss(0, 0.015))


def search(seed: int, effects: dict[str, float]) -> tuple[str, gains.Gain]:
    """A whole search over candidates with these effects."""
    lab, points, names = Lab(seed), list[Point](), list(effects)
    while wanted := halving.upcoming(names, points):
        rates = [1.0, 1 + effects[wanted.candidate]]
        order = (1, 0) if gains.candidate_first(wanted.index) else (0, 1)
        shown = {which: lab(rates[which]) for which in order}
        points.append(Point(wanted.candidate, wanted.stage, (shown[0], shown[1])))
    assert 2 * len(points) == halving.starts(len(names))
    found = halving.winner(names, points)
    assert found
    return found


def test_a_hundred_searches_over_knobs_without_effect_accept_five_at_most() -> None:
    nothing = {f"knob-{i}": 0.0 for i in range(8)}
    accepted = [search(seed, nothing)[1].answer is Answer.GAIN for seed in range(100)]
    assert sum(accepted) <= 5
    # Far more searches, so that the share is known well: 2.5 % is what the interval allows.
    assert fmean(search(seed, nothing)[1].answer is Answer.GAIN for seed in range(1000, 2500)) <= 0.03


def test_pairs_that_chose_a_candidate_would_have_called_noise_a_gain_far_more_often() -> None:
    """Why one is confirmed on pairs of its own: some of 16 look like a gain by the eight pairs that each of them has."""
    false = 0
    for seed in range(200):
        lab = Lab(seed)
        tried = [[(lab(1.0), lab(1.0)) for _ in range(CONFIRM_PAIRS)] for _ in range(16)]
        false += any(gains.of(pairs).answer is Answer.GAIN for pairs in tried)
    assert false > 40


@pytest.mark.parametrize(("effect", "least"), [(0.40, 98), (0.10, 60)])
def test_a_real_gain_is_found_among_knobs_without_effect(effect: float, least: int) -> None:
    knobs = {f"knob-{i}": 0.0 for i in range(7)} | {"real": effect}
    found = [search(seed, knobs) for seed in range(100)]
    right = [gain for name, gain in found if name == "real" and gain.answer is Answer.GAIN]
    assert len(right) >= least
    assert fmean(gain.low <= effect <= gain.high for gain in right) >= 0.9


def test_a_search_that_was_ended_goes_on_where_it_stood() -> None:
    names, points, asked = ["a", "b", "c"], list[Point](), list[Wanted]()
    while wanted := halving.upcoming(names, points):
        again = halving.upcoming(names, list(points))
        assert again == wanted
        asked.append(wanted)
        points.append(
            Point(wanted.candidate, wanted.stage, (1.0, {"a": 1.0, "b": 1.2, "c": 0.9}[wanted.candidate]))
        )
    assert [one.candidate for one in asked[:6]] == ["a", "b", "c", "a", "b", "c"]
    assert {one.candidate for one in asked if one.stage == "confirm"} == {"b"}
    found = halving.winner(names, points)
    assert found and found[0] == "b" and found[1].effect == pytest.approx(0.2)


def test_one_that_is_rejected_is_asked_no_more_even_while_it_is_confirmed() -> None:
    names, points = ["a", "b"], list[Point]()
    while wanted := halving.upcoming(names, points):
        if wanted.stage == "confirm" and wanted.candidate == "b":
            points.append(Point("b", "confirm", rejected="wrong data"))
        else:
            points.append(
                Point(wanted.candidate, wanted.stage, (1.0, {"a": 1.1, "b": 2.0}[wanted.candidate]))
            )
    found = halving.winner(names, points)
    assert found and found[0] == "a"
    assert halving.upcoming(["b"], points) is None and halving.winner(["b"], points) is None


@given(st.integers(0, 40))
def test_each_round_halves_and_the_number_of_starts_is_known_before(count: int) -> None:
    names, points = [str(i) for i in range(count)], list[Point]()
    while wanted := halving.upcoming(names, points):
        points.append(Point(wanted.candidate, wanted.stage, (1.0, 1.0 + 0.01 * int(wanted.candidate))))
    assert 2 * len(points) == halving.starts(count)
    pairs: list[Pair] = [one.pair for one in points if one.stage == "confirm"]
    assert len(pairs) == (CONFIRM_PAIRS if count else 0)
