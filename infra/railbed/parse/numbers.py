"""Numbers out of text that may hold anything."""

from __future__ import annotations

import math
import re
from typing import Any

INTEGER = re.compile(r"^[+-]?[0-9]{1,18}$")
NUMBER = re.compile(r"^[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,4})?$")
NAN = re.compile(r"^[+-]?nan(?:\([^)]*\))?$", re.IGNORECASE)
INFINITE = re.compile(r"^[+-]?inf(?:inity)?$", re.IGNORECASE)

LARGEST = 1 << 1000
"""Integers from here on have no floating point; no tool counts so far."""


def integer(token: str) -> int | None:
    """The plain decimal integer, or None."""
    return int(token) if INTEGER.match(token) else None


def number(token: str) -> float | None:
    """The number, NaN and infinities included, or None where it is none."""
    if NUMBER.match(token):
        return float(token)
    if NAN.match(token):
        return math.nan
    if INFINITE.match(token):
        return -math.inf if token.startswith("-") else math.inf
    return None


def finite(value: Any) -> bool:
    """True for an int or float (no bool) that is neither NaN nor infinite."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return (isinstance(value, float) and math.isfinite(value)) or (
        isinstance(value, int) and abs(value) < LARGEST
    )
