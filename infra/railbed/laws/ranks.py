"""How many ranks a result is of: by the factor between bus and algorithm bandwidth.

Factors: NVIDIA/nccl-tests doc/PERFORMANCE.md. Labels of published logs are sometimes wrong; the factor is
not, but it saturates: printed to two decimals, 1,016 and 1,024 ranks look alike. So the answer is a range.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from railbed.parse.nccl_tests import Measurement, Table

DOUBLE = ("all_reduce",)
"""busbw = algbw · 2(n-1)/n."""
SINGLE = ("all_gather", "reduce_scatter", "alltoall", "alltoallv", "gather", "scatter", "hypercube")
"""busbw = algbw · (n-1)/n."""
CONSTANT = ("broadcast", "reduce", "sendrecv")
"""busbw = algbw: nothing follows about n."""


def factor(collective: str, ranks: int) -> float | None:
    """busbw / algbw of ``collective`` over ``ranks``; None for a collective whose factor is not known."""
    if collective in CONSTANT:
        return 1.0
    if collective in DOUBLE:
        return 2 * (ranks - 1) / ranks
    if collective in SINGLE:
        return (ranks - 1) / ranks
    return None


HALF_STEPS = tuple(0.5 * 10.0**-decimals for decimals in range(64))
"""By decimals; nothing that the readers take for a number has more."""
ROUNDING = 1e-9
"""Ends of ranges are computed in floating point: what lies on an end belongs to the range."""


@dataclass(frozen=True)
class Ranks:
    """What the rows say about n."""

    nearest: int | None
    """Nearest integer to the n of the row that rounding blurs least; None where no row shows it."""
    low: int | None
    high: int | None
    """None: open. ``low`` above ``high``: the rows contradict each other."""
    rows_used: int

    @property
    def contradictory(self) -> bool:
        """True where no single n fits all rows."""
        return self.rows_used > 0 and (self.low is None or (self.high is not None and self.low > self.high))

    def allows(self, ranks: int) -> bool:
        """True where ``ranks`` is in the range."""
        return (
            not self.contradictory and (self.low or 1) <= ranks and (self.high is None or ranks <= self.high)
        )


def half_step(printed: str) -> float:
    """Half of the last printed digit: what rounding may have taken or added."""
    if "e" not in printed and "E" not in printed:
        point = printed.find(".")
        return HALF_STEPS[len(printed) - point - 1 if point >= 0 else 0]
    mantissa, _, exponent = printed.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    power = int(exponent) if exponent.lstrip("+-").isdigit() and len(exponent) < 5 else 0
    return 0.5 * 10.0 ** (power - decimals)


def _ranks_of(scale: float, value: float) -> float:
    """n of a factor: scale·(n-1)/n = value; infinite from ``scale`` on."""
    return math.inf if value >= scale else scale / (scale - value)


def factor_range(m: Measurement) -> tuple[float, float] | None:
    """(low, high) of busbw / algbw by one measurement; None where it is too coarse to say anything."""
    bus, alg = m.busbw_gbytes_per_s, m.algbw_gbytes_per_s
    if bus is None or alg is None or alg <= 0:
        return None
    bus_step, alg_step = half_step(m.printed["busbw"]), half_step(m.printed["algbw"])
    high = math.inf if alg <= alg_step else (bus + bus_step) / (alg - alg_step)
    return max(bus - bus_step, 0.0) / (alg + alg_step), high


def _interval(m: Measurement, scale: float) -> tuple[float, float, float] | None:
    """(low, nearest, high) of n by one measurement; None where it is too coarse to say anything."""
    found, bus, alg = factor_range(m), m.busbw_gbytes_per_s, m.algbw_gbytes_per_s
    if found is None or bus is None or alg is None:
        return None
    low, high = found
    if low >= scale:
        return (math.inf, math.inf, math.inf)
    return _ranks_of(scale, low), _ranks_of(scale, bus / alg), _ranks_of(scale, high)


def infer(collective: str | None, measurements: Iterable[Measurement]) -> Ranks:
    """The range of n that all rows allow, and the nearest integer."""
    if collective not in DOUBLE + SINGLE:
        return Ranks(nearest=None, low=1 if collective in CONSTANT else None, high=None, rows_used=0)
    scale = 2.0 if collective in DOUBLE else 1.0
    found = [i for m in measurements if (i := _interval(m, scale)) is not None]
    if not found:
        return Ranks(nearest=None, low=None, high=None, rows_used=0)
    low, high = max(i[0] for i in found), min(i[2] for i in found)
    if math.isinf(low):
        return Ranks(nearest=None, low=None, high=None, rows_used=len(found))
    lowest = math.ceil(low * (1 - ROUNDING))
    highest = None if math.isinf(high) else math.floor(high * (1 + ROUNDING))
    sharpest = min((i for i in found if not math.isinf(i[1])), key=lambda i: i[2] / i[0], default=None)
    nearest = None if sharpest is None else max(round(sharpest[1]), lowest)
    if nearest is not None and highest is not None and highest >= lowest:
        nearest = min(nearest, highest)
    return Ranks(nearest=nearest, low=lowest, high=highest, rows_used=len(found))


def of_table(table: Table, collective: str | None = None) -> Ranks:
    """The same for one table of a log."""
    return infer(collective or table.collective, (m for row in table.rows for m in row.measurements()))


def problems(table: Table, found: Ranks, requested: int | None) -> list[str]:
    """``RANKS_MISMATCH``: label or request lies outside the range, or the rows contradict each other."""
    if found.contradictory:
        return ["RANKS_MISMATCH"]
    stated = [n for n in (table.labelled_ranks, requested) if n is not None]
    wrong = found.rows_used > 0 and any(not found.allows(n) for n in stated)
    # Where both lie inside a wide range they must still agree: the rank lines decide there.
    wrong = wrong or len(set(stated)) > 1
    return ["RANKS_MISMATCH"] if wrong else []
