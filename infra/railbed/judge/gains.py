"""Is this setting faster than that, or is it noise? Pairs of measurements, side by side in time, with an interval.

The unit is one start of a program: what repeats inside it shares nodes, paths and clocks. A start of the baseline and one of the
candidate are a pair; pairs alternate in order (ABBA BAAB, after Thue and Morse), so that a drift that is linear, or quadratic
over eight starts, cancels. The effect is the mean of the logarithms of their ratios, its interval Student's over pairs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from statistics import NormalDist, fmean, stdev

from railbed.claims import FrozenModel
from railbed.judge import student

CONFIDENCE = 0.95
MATERIAL = 0.01
"""A smaller gain is no reason for a change, however sure it is."""
MIN_PAIRS = 6
"""Of fewer, signs that all agree still come about by chance once in 16 (2 · 2⁻⁵), more often than 1 - CONFIDENCE."""
POWER = 0.95
"""How sure an effect of the size ``would_show`` is seen."""

Pair = tuple[float, float]
"""Baseline and candidate; more is better, both positive."""


class Answer(StrEnum):
    GAIN = "gain"
    LOSS = "loss"
    NONE = "not distinguishable"


class Gain(FrozenModel):
    """What pairs say; effects are shares of the baseline, 0.05 for 5 % more."""

    answer: Answer
    effect: float
    low: float
    """Ends of the interval of CONFIDENCE."""
    high: float
    pairs: int
    would_show: float
    """The effect that so many pairs of this noise show with POWER."""

    def as_text(self) -> str:
        """In words: ``+12.3 % [10.1, 14.6]``."""
        found = f"{self.effect:+.1%} [{self.low:+.1%}, {self.high:+.1%}] over {self.pairs} pairs"
        if self.answer is Answer.NONE:
            return f"not distinguishable: {found}; {self.would_show:.1%} would have shown"
        return f"{self.answer}: {found}"


def candidate_first(index: int) -> bool:
    """Whether the candidate of pair ``index`` runs before the baseline: 0 1 1 0 1 0 0 1 …"""
    return index.bit_count() % 2 == 1


def log_ratio(pair: Pair) -> float:
    """Positive where the candidate is better."""
    return math.log(pair[1] / pair[0])


def of(pairs: Sequence[Pair]) -> Gain:
    """The effect of the candidate. Pairs must be fresh: those that chose it make it look better than it is.

    Raises ValueError for fewer than MIN_PAIRS.
    """
    if len(pairs) < MIN_PAIRS:
        raise ValueError(f"{len(pairs)} pairs say nothing; at least {MIN_PAIRS}")
    ratios = [log_ratio(pair) for pair in pairs]
    mean, degrees = fmean(ratios), len(ratios) - 1
    error = stdev(ratios) / math.sqrt(len(ratios))
    half = student.quantile((1 + CONFIDENCE) / 2, degrees) * error
    low, effect, high = (math.expm1(one) for one in (mean - half, mean, mean + half))
    answer = Answer.NONE
    if low > 0 and effect >= MATERIAL:
        answer = Answer.GAIN
    elif high < 0 and effect <= -MATERIAL:
        answer = Answer.LOSS
    shows = max(math.expm1(half + NormalDist().inv_cdf(POWER) * error), MATERIAL)
    return Gain(answer=answer, effect=effect, low=low, high=high, pairs=len(pairs), would_show=shows)
