"""The arithmetic of failures: how many spares, how often a checkpoint, how much of the time is work.

Failures are taken as a Poisson process. Checkpoint interval: J. W. Young, CACM 17 (1974); J. T. Daly, Future Generation
Computer Systems 22 (2006), equations 20 (run time) and 37 (interval).
"""

from __future__ import annotations

import math


def spares(expected_away: float, probability: float) -> int:
    """Smallest s with P(Poisson(``expected_away``) ≤ s) ≥ ``probability``.

    ``expected_away`` is the mean number of nodes that are away at a time: removals per day × days until return.
    """
    if expected_away <= 0:
        return 0
    logarithm, below, count = math.log(expected_away), 0.0, 0
    while True:
        below += math.exp(count * logarithm - expected_away - math.lgamma(count + 1))
        # Far above the mean the sum stops at its rounding error, which may lie below a probability next to 1.
        if below >= probability or count > expected_away + 40 * math.sqrt(expected_away) + 40:
            return count
        count += 1


def checkpoint_interval_s(write_s: float, between_s: float) -> float:
    """Work between two checkpoints, s, that loses least: Daly's, which is Young's √(2·C·M) where C is small.

    ``write_s`` (C) is what one checkpoint costs, ``between_s`` (M) the mean time between failures.
    """
    if write_s >= 2 * between_s:
        return between_s
    ratio = write_s / (2 * between_s)
    return math.sqrt(2 * write_s * between_s) * (1 + math.sqrt(ratio) / 3 + ratio / 9) - write_s


def goodput(interval_s: float, write_s: float, recovery_s: float, between_s: float) -> float:
    """Share of the time that is work kept: checkpoints, recovery and work done again are not.

    Daly's run time: M·e^(R/M)·(e^((τ+C)/M) − 1) for every τ of work, R the time from a failure to the next step.
    """
    exponent = (interval_s + write_s + recovery_s) / between_s
    if exponent > 700:  # a run that is struck before it gets anywhere
        return 0.0
    return interval_s / (
        between_s * math.exp(recovery_s / between_s) * math.expm1((interval_s + write_s) / between_s)
    )
