"""Which of many machines that should be alike is slower than the others, by a test that the slow ones cannot bend.

Centre and spread are the median and the median absolute deviation (MAD): both stay near those of the healthy while fewer than
half are not (Rousseeuw and Croux, "Alternatives to the Median Absolute Deviation", JASA 88, 1993). MAD times 1.4826 is the
standard deviation of normal noise; in small samples it comes out too small, and is made larger by the factors of Croux and
Rousseeuw, "Time-Efficient Algorithms for Two Highly Robust Estimators of Scale", Computational Statistics 1, 1992.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from statistics import NormalDist, median
from typing import TypeVar

K = TypeVar("K", bound=Hashable)

LEAST = 5
"""So many are compared, or none: of four, two slow ones would be half."""
MATERIAL = 0.08
"""A smaller loss is never an outlier: healthy GPUs of one model differ by so much on average when power limits them (Sinha and
others, "Not All GPUs Are Created Equal", SC22)."""
FALSE_ALARMS = 1e-4
"""Chance that any one of a large healthy fleet is called an outlier, were its noise normal and none of it below MATERIAL."""
NORMAL = 1.4826
SMALL = {5: 1.206, 6: 1.200, 7: 1.140, 8: 1.129, 9: 1.107}


def limit(values: list[float]) -> float:
    """The share of the median by which one of ``values`` must be below it to be an outlier. Needs LEAST values, and a median
    above 0."""
    count, centre = len(values), median(values)
    spread = NORMAL * median(abs(value - centre) for value in values)
    spread *= SMALL.get(count, count / (count - 0.8))
    score = NormalDist().inv_cdf(1 - FALSE_ALARMS / count)
    return max(MATERIAL, score * spread / centre)


def low(values: Mapping[K, float]) -> dict[K, float] | None:
    """Each that is too far below the median → the share of it that it lacks; None where too few can be compared."""
    known = list(values.values())
    if len(known) < LEAST or (centre := median(known)) <= 0:
        return None
    most = limit(known)
    return {key: 1 - value / centre for key, value in values.items() if 1 - value / centre > most}
