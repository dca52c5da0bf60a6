"""Oversubscription of a leaf, ports down : ports up, as an exact fraction."""

from __future__ import annotations

import math
import re
from fractions import Fraction

from railbed.errors import UsageError

RATIO = re.compile(r"^([0-9]{1,9}(?:\.[0-9]{1,9})?)(?:[:/]([0-9]{1,9}(?:\.[0-9]{1,9})?))?$")


def read(value: str | float | Fraction) -> Fraction:
    """The ratio that ``value`` says: ``1``, ``1.5``, ``4:3``, ``4/3``. Raises UsageError for anything else, or below 1.

    Exact on purpose: 39:25 of a 64-port switch is 39 down and 25 up, which no rounded decimal gives.
    """
    ratio = _fraction(value)
    if ratio is None or ratio < 1:
        raise UsageError(
            "oversubscription is a ratio of at least 1: ports down to ports up",
            code="FABRIC_OVERSUBSCRIPTION",
            path="--oversubscription",
            found=str(value)[:60],
            allowed="a number or a ratio ≥ 1: 1, 1.5, 4:3",
            hint="1 gives full bisection; fewer ports down than up would leave ports unused",
        )
    return ratio


def _fraction(value: str | float | Fraction) -> Fraction | None:
    if isinstance(value, str):
        found = RATIO.match(value.strip())
        if not found:
            return None
        below = Fraction(found[2] or 1)
        return Fraction(found[1]) / below if below else None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return Fraction(value)


def split(radix: int, ratio: Fraction) -> tuple[int, int]:
    """``(up, down)`` ports of a leaf: u = ⌊r/(1+o)⌋, d = min(r − u, ⌊o·u⌋)."""
    up = math.floor(radix / (1 + ratio))
    return up, min(radix - up, math.floor(ratio * up))


def filling(radix: int, up: int) -> list[str]:
    """The ratios nearest to one with ``up`` uplinks that use every port, below it first, as ``down:up``."""
    return [f"{radix - k}:{k}" for k in (up + 1, up) if 0 < k <= radix - k]
