"""Parts that should be alike: what each does of the median of the others. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence


def median_without(ordered: Sequence[float], value: float) -> float | None:
    """Median of sorted ``ordered`` with one ``value`` taken out; None where nothing is left."""
    left, gone = len(ordered) - 1, bisect_left(ordered, value)
    if left < 1:
        return None
    middle = [ordered[k + (k >= gone)] for k in {(left - 1) // 2, left // 2}]
    return sum(middle) / len(middle)


def shares(rates: Mapping[str, float]) -> dict[str, float]:
    """Name → its rate over the median of the others'; empty for fewer than two, or where the others do nothing."""
    ordered = sorted(rates.values())
    return {name: rate / usual for name, rate in rates.items() if (usual := median_without(ordered, rate))}


def best(rounds: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Name → its largest share of all rounds: who is slow in one round only is not slow."""
    found: dict[str, float] = {}
    for one in rounds:
        for name, share in one.items():
            found[name] = max(share, found.get(name, 0.0))
    return found
