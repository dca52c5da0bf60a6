"""Clients that should be alike: what each does of the median of the others. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import median


def shares(rates: Mapping[str, float]) -> dict[str, float]:
    """Name → its rate over the median of the others'; empty for fewer than two, or where the others do nothing."""
    found = {}
    for name, rate in rates.items():
        others = [one for other, one in rates.items() if other != name]
        usual = median(others) if others else 0.0
        if usual > 0:
            found[name] = rate / usual
    return found


def best(rounds: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Name → its largest share of all rounds: who is slow in one round only is not slow."""
    found: dict[str, float] = {}
    for one in rounds:
        for name, share in one.items():
            found[name] = max(share, found.get(name, 0.0))
    return found
