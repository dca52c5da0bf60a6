"""Which setting to measure next: successive halving over pairs, and a confirmation on pairs of its own. Pure.

Every candidate gets a few pairs, the better half as many again and so on, until one is left; it is measured anew, and only those
pairs judge it. One comparison is made whatever the number of candidates, so nothing has to be corrected for it (docs/adr/0026).
The state is the list of points: the same points give the same next step, which is how a search that was ended goes on.
(Jamieson and Talwalkar, Non-stochastic Best Arm Identification, AISTATS 2016.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from railbed.judge import gains
from railbed.judge.gains import Pair

SCREEN_PAIRS = 2
"""Of every candidate in the first round; of those that stay twice as many in each further one."""
CONFIRM_PAIRS = 8
"""Of the last one. A multiple of four: drifts cancel."""

Stage = Literal["screen", "confirm"]


@dataclass(frozen=True)
class Wanted:
    """The pair to measure next."""

    candidate: str
    stage: Stage
    index: int
    """Of the candidate in this stage, from 0; it says who runs first."""


@dataclass(frozen=True)
class Point:
    """A pair that was measured, or why the candidate is out."""

    candidate: str
    stage: Stage
    pair: Pair = (0.0, 0.0)
    rejected: str = ""


def upcoming(candidates: Sequence[str], points: Sequence[Point]) -> Wanted | None:
    """What to measure next; None where the search is over, or no candidate is left."""
    left, wanted = _left(candidates, points)
    if wanted or not left:
        return wanted
    done = len(_pairs(points, left[0], "confirm"))
    return Wanted(left[0], "confirm", done) if done < CONFIRM_PAIRS else None


def winner(candidates: Sequence[str], points: Sequence[Point]) -> tuple[str, gains.Gain] | None:
    """The one that was confirmed, and its effect by those pairs alone; None before the end, or where all are rejected."""
    left, wanted = _left(candidates, points)
    if wanted or not left:
        return None
    pairs = _pairs(points, left[0], "confirm")
    return (left[0], gains.of(pairs)) if len(pairs) >= CONFIRM_PAIRS else None


def starts(candidates: int) -> int:
    """Starts of the program that a search over so many candidates takes where none is rejected."""
    pairs, total, before = SCREEN_PAIRS, 0, 0
    while candidates > 1:
        total, before = total + candidates * (pairs - before), pairs
        candidates, pairs = math.ceil(candidates / 2), 2 * pairs
    return 2 * (total + CONFIRM_PAIRS) if candidates else 0


def _left(candidates: Sequence[str], points: Sequence[Point]) -> tuple[list[str], Wanted | None]:
    """Who is left after the rounds that are complete, and what the round that is not wants next."""
    out = {point.candidate for point in points if point.rejected}
    left, pairs = [name for name in candidates if name not in out], SCREEN_PAIRS
    while len(left) > 1:
        have = {name: _pairs(points, name, "screen") for name in left}
        fewest = min(left, key=lambda name: len(have[name]))
        if (done := len(have[fewest])) < pairs:
            return left, Wanted(fewest, "screen", done)
        best = sorted(left, key=lambda name: -fmean(map(gains.log_ratio, have[name][:pairs])))
        left, pairs = best[: math.ceil(len(best) / 2)], 2 * pairs
    return left, None


def _pairs(points: Sequence[Point], name: str, stage: Stage) -> list[Pair]:
    return [one.pair for one in points if one.candidate == name and one.stage == stage and not one.rejected]
