"""Failures that no part explains: run once more, they are either chance or the way between two good ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from railbed.fault_search.decode import Trial

EXPLAINED = 0.5
"""A failure is explained where any of its parts is at least this likely to be bad."""


@dataclass
class PathFaults:
    """Failed tests that nothing explains, as places in the list of tests."""

    again: list[int] = field(default_factory=list)
    """Of each such way one test: to be run once more."""
    broken: list[list[int]] = field(default_factory=list)
    """Failed tests of each way that fails whenever it is run."""


def unexplained(trials: dict[int, Trial], probability: Sequence[float], guilty: set[int]) -> PathFaults:
    """Sorts the failures that no bad part explains; ``trials`` by their place in the list of tests.

    One that failed once is to be run again over the same parts. One that fails more often than it passes is a fault
    of the way; else it was chance.
    """
    runs: dict[tuple[int, ...], list[int]] = {}
    for place, trial in trials.items():
        runs.setdefault(tuple(sorted(trial.parts)), []).append(place)
    found = PathFaults()
    for parts, places in runs.items():
        failed = [place for place in places if trials[place].failed]
        if not failed or guilty & set(parts):
            continue
        if 1 - math.prod(1 - probability[part] for part in parts) >= EXPLAINED:
            continue
        if len(places) == 1:
            found.again.append(failed[0])
        elif len(failed) > len(places) - len(failed):
            found.broken.append(failed)
    return found
