"""Which of many machines that should be alike is slower than the others, by a test that the slow ones cannot bend.

Centre and spread are the median and the median absolute deviation (MAD): both stay near those of the healthy while fewer than
half are not. MAD over the normal quantile of 3/4 is the standard deviation of normal noise; in small samples it comes out too
small, and is made larger by ``SMALL``. Both are derived here: the first by arithmetic, the second by a simulation that
tests/unit/laws/test_outliers.py repeats.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from statistics import NormalDist, median
from typing import TypeVar

K = TypeVar("K", bound=Hashable)

LEAST = 5
"""So many are compared, or none: of four, two slow ones would be half."""
MATERIAL = 0.08
"""A smaller loss is never an outlier: GPUs of one model differ by 8 % on average, 22 % at most, on five large systems (Sinha and
others, "Not All GPUs Are Created Equal: Characterizing Variability in Large-Scale, Accelerator-Rich Systems", SC22, abstract of
arXiv 2208.11035v3)."""
FALSE_ALARMS = 1e-4
"""Chance that any one of a large healthy fleet is called an outlier, were its noise normal and none of it below MATERIAL."""
NORMAL = 1 / NormalDist().inv_cdf(0.75)
SMALL = {5: 1.217, 6: 1.190, 7: 1.139, 8: 1.128, 9: 1.101}
"""Sample size → what NORMAL times the mean MAD of normal noise of deviation 1 must be multiplied with to be 1 (2,000,000
samples of each size)."""
LARGE = 0.85
"""Of ``count`` values from 10 on the factor is count / (count - LARGE): within 0.3 % of the same simulation up to 128."""


def limit(values: list[float], material: float = MATERIAL) -> float:
    """The share of the median by which one of ``values`` must differ from it to be an outlier, ``material`` at least. Needs LEAST
    values, and a median above 0."""
    count, centre = len(values), median(values)
    spread = NORMAL * median(abs(value - centre) for value in values)
    spread *= SMALL.get(count, count / (count - LARGE))
    score = NormalDist().inv_cdf(1 - FALSE_ALARMS / count)
    return max(material, score * spread / centre)


def low(values: Mapping[K, float]) -> dict[K, float] | None:
    """Each that is too far below the median → the share of it that it lacks; None where too few can be compared."""
    known = list(values.values())
    if len(known) < LEAST or (centre := median(known)) <= 0:
        return None
    most = limit(known)
    return {key: 1 - value / centre for key, value in values.items() if 1 - value / centre > most}


def high(values: Mapping[K, float], material: float) -> dict[K, float] | None:
    """Each that is too far above the median → the share of it that it has more; None where too few can be compared."""
    known = list(values.values())
    if len(known) < LEAST or (centre := median(known)) <= 0:
        return None
    most = limit(known, material)
    return {key: value / centre - 1 for key, value in values.items() if value / centre - 1 > most}
