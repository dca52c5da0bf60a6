"""What the rows of a log come to: bus bandwidth per size, recomputed, and whether it has levelled off."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from railbed.claims import Expectation
from railbed.defaults import RECOMPUTE_TOLERANCE
from railbed.judge import sound
from railbed.judge.proof import Case
from railbed.laws import bandwidth, latency, ranks
from railbed.laws.machine import BandwidthMachine, group
from railbed.parse.nccl_tests import Measurement, Row, Table

ExpectationAt = Callable[[int], Expectation]
"""Message size in bytes → what the bus bandwidth must reach."""
STILL_RISING = 0.10
"""A curve that gains more than this per doubling at its end has not levelled off. Published healthy ones gain up to 6.4 %
(16 GiB on twenty racks, coreweave/nccl-tests)."""
DIP_SHARE = 0.05
"""A size this far below the sizes around it is one odd measurement. Published healthy curves fall by at most 0.7 % from one
size to the next (tests/unit/data/parse/nccl_tests/published)."""
SMALL_BYTES = 1 << 20
"""Up to here a message's time is mostly latency."""


@dataclass
class Point:
    """One gating size: the slower and the faster of its halves, and what it had to reach."""

    size_bytes: int
    busbw: float
    fastest: float
    expectation: Expectation

    @property
    def margin(self) -> float:
        floor = self.expectation.floor
        return math.inf if not floor else self.busbw / floor

    @property
    def impossible(self) -> bool:
        return bool(sound.doubt(self.fastest, self.expectation.bound))

    def rate(self) -> str:
        return f"{self.busbw:.4g} GB/s at {self.size_bytes} B"

    def describe(self) -> str:
        return f"{self.rate()} (floor {self.expectation.floor or 0:.4g})"


def recomputed_busbw(row: Row, m: Measurement, collective: str, n: int) -> float | None:
    """Bus bandwidth in GB/s from size and time; the printed one is never trusted."""
    scale = ranks.factor(collective, n)
    if m.time_us is None or m.time_us <= 0 or scale is None:
        return None
    return row.size_bytes / (m.time_us * 1000) * scale


def misprinted(row: Row, m: Measurement) -> bool:
    """True where the printed algorithm bandwidth is not size over time (another unit, an edited log)."""
    if m.time_us is None or m.algbw_gbytes_per_s is None or m.time_us <= 0:
        return False
    true = row.size_bytes / (m.time_us * 1000)
    off = abs(true - m.algbw_gbytes_per_s)
    if off <= true * RECOMPUTE_TOLERANCE:
        return False
    # Printed times are in µs; of versions that print ms the exponent is part of the text.
    blur = true * (RECOMPUTE_TOLERANCE + ranks.half_step(m.printed["time"]) / m.time_us)
    return off > ranks.half_step(m.printed["algbw"]) * 1.01 + blur


def ranks_of(table: Table, case: Case) -> int:
    """The ranks that a table speaks of: those asked for, where the rows allow them."""
    inferred = ranks.of_table(table, case.collective)
    return case.ranks if inferred.allows(case.ranks) or inferred.nearest is None else inferred.nearest


def points(table: Table, case: Case, expectation_at: ExpectationAt, n: int) -> list[Point]:
    """Every gating size that was measured, in the table's order; every size where right data alone count. ``n`` as ``ranks_of``
    says."""
    found = []
    for row in table.rows:
        expectation = expectation_at(row.size_bytes)
        if not (bandwidth.gates(row.size_bytes) or expectation.basis == "data"):
            continue
        known = [
            v for m in row.measurements() if (v := recomputed_busbw(row, m, case.collective, n)) is not None
        ]
        if known:
            found.append(Point(row.size_bytes, min(known), max(known), expectation))
    return found


def dip(found: Sequence[Point]) -> int | None:
    """The one size below its floor that the sizes around it contradict; None where there is none, or more than one.

    Bandwidth rises with the size until it levels off. So a slow cluster is slow at the next larger size too: a single size
    that lies clearly below the next smaller one, while the next larger one holds its floor, is an odd measurement.
    """
    slowest: dict[int, Point] = {}
    for point in found:
        known = slowest.setdefault(point.size_bytes, point)
        slowest[point.size_bytes] = min(known, point, key=lambda p: p.busbw)
    ordered = [slowest[size] for size in sorted(slowest)]
    below = [place for place, point in enumerate(ordered) if point.margin < 1]
    if len(below) != 1 or not 0 < below[0] < len(ordered) - 1:
        return None
    before, low, after = ordered[below[0] - 1 : below[0] + 2]
    contradicted = low.busbw < (1 - DIP_SHARE) * min(before.busbw, after.busbw) and after.expectation.floor
    return low.size_bytes if contradicted else None


def levelled(found: Sequence[Point], odd: int | None = None) -> bool:
    """False where the bandwidth still rises at the largest size. Needs two sizes; with fewer nobody knows.

    ``odd`` is a size that does not count.
    """
    by_size: dict[int, float] = {}
    for point in found:
        if point.size_bytes != odd:
            by_size[point.size_bytes] = max(point.busbw, by_size.get(point.size_bytes, 0.0))
    if len(by_size) < 2:
        return True
    (small, before), (large, after) = sorted(by_size.items())[-2:]
    if before <= 0 or after <= 0:
        return True
    return math.log2(after / before) <= math.log2(1 + STILL_RISING) * math.log2(large / small)


def small_share(machine: BandwidthMachine, table: Table, case: Case, plateau: float) -> float | None:
    """Slowest healthy time of small messages over the measured, at most 1; None where nothing is known of them.

    The size that is furthest off counts.
    """
    if machine.network_only or plateau <= 0:
        return None
    g = group(machine, case.nodes)
    shares = []
    for row in table.rows:
        took = [m.time_us for m in row.measurements() if m.time_us]
        if row.size_bytes > SMALL_BYTES or row.size_bytes <= 0 or not took:
            continue
        model = latency.time_us(g, case.collective, row.size_bytes, plateau)
        if model is not None:
            shares.append(min(latency.SLOWEST_HEALTHY * model / max(took), 1.0))
    return min(shares, default=None)
