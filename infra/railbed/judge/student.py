"""Quantiles of Student's t: how far a mean may lie off where the noise itself was only estimated.

The distribution function for whole degrees of freedom is a finite sum (Abramowitz and Stegun, 26.7.3 and 26.7.4).
Not SciPy, which nothing else here needs, for one function (docs/adr/0013-what-stays-our-own.md).
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

LARGEST_DEGREES = 200
"""From here on the normal distribution is within a hundredth at one in a thousand."""


def below(t: float, degrees: int) -> float:
    """P(T ≤ t) for ``degrees`` ≥ 1."""
    angle = math.atan2(t, math.sqrt(degrees))
    cosine_squared = math.cos(angle) ** 2
    if degrees % 2:
        term, total = math.cos(angle), 0.0
        for step in range(1, degrees - 1, 2):
            total += term
            term *= cosine_squared * (step + 1) / (step + 2)
        inside = 2 / math.pi * (angle + math.sin(angle) * total)
    else:
        term, total = 1.0, 0.0
        for step in range(0, degrees - 1, 2):
            total += term
            term *= cosine_squared * (step + 1) / (step + 2)
        inside = math.sin(angle) * total
    return (1 + inside) / 2


@lru_cache(maxsize=1024)
def quantile(probability: float, degrees: int) -> float:
    """t with P(T ≤ t) = ``probability`` (0.5 to 1, exclusive)."""
    normal = NormalDist().inv_cdf(probability)
    if degrees >= LARGEST_DEGREES:
        return normal
    low, high = 0.0, 2.0
    while below(high, degrees) < probability:
        high *= 2
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle, degrees) < probability else (low, middle)
    return high
