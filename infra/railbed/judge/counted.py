"""Counters between two readings. Pure.

A counter's value says nothing, since it counts from the last boot, start of its driver or clearing; its rise does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from railbed.claims import Verdict

K = TypeVar("K")


@dataclass(frozen=True)
class Outcome:
    """The verdict on the error counters of one node."""

    verdict: Verdict
    reason: str
    parts: list[str]
    """What counted too much, as blame knows it: ``rail 3``, ``gpu 3``."""
    rises: dict[str, int]
    """Counter in words → rise, of those that rose."""


def rises(before: Mapping[K, int], after: Mapping[K, int]) -> dict[K, int]:
    """How far each counter rose that both readings have; below 0 where it restarted."""
    return {key: after[key] - value for key, value in before.items() if key in after}
