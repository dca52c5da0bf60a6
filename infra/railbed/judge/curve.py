"""A collective's table compared with the expectation at each of its sizes. Pure.

Large sizes count by their slower half, as the size that decides does. Of small ones, whose time is latency, the faster half
counts: two iterations of some tens of microseconds show every interrupt.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from railbed.claims import Reach
from railbed.judge.proof import Case
from railbed.judge.sizes import ranks_of, recomputed_busbw
from railbed.laws import bandwidth
from railbed.parse.nccl_tests import Table

NEAR = 2.0
"""A size belongs to the expected one that it is nearest to, at most so many times smaller: programs cut it to whole elements."""


@dataclass(frozen=True)
class Size:
    """One size of a curve."""

    size_bytes: int
    busbw: float
    reach: Reach

    @property
    def margin(self) -> float:
        """Measured over its floor; infinite where it only informs."""
        return self.busbw / self.reach.floor if self.reach.floor else math.inf

    @property
    def described(self) -> str:
        return f"{self.busbw:.4g} GB/s at {self.size_bytes} B (floor {self.reach.floor or 0:.4g})"


def measured(table: Table, case: Case, reaches: Sequence[Reach]) -> list[Size]:
    """The sizes of a table for which something is expected, ascending."""
    found, n = [], ranks_of(table, case)
    for row in table.rows:
        rates = [
            rate
            for m in row.measurements()
            if (rate := recomputed_busbw(row, m, case.collective, n)) is not None
        ]
        reach = _nearest(row.size_bytes, reaches)
        if rates and reach is not None:
            busbw = min(rates) if bandwidth.gates(row.size_bytes) else max(rates)
            found.append(Size(row.size_bytes, busbw, reach))
    return sorted(found, key=lambda one: one.size_bytes)


def below(found: Sequence[Size]) -> list[Size]:
    """Those below their floor, the one with the least margin first."""
    return sorted((one for one in found if one.margin < 1), key=lambda one: one.margin)


def missing(found: Sequence[Size], reaches: Sequence[Reach]) -> list[int]:
    """Expected sizes that a table has no row for."""
    seen = {one.reach.size_bytes for one in found}
    return [one.size_bytes for one in reaches if one.size_bytes not in seen]


def _nearest(size_bytes: int, reaches: Sequence[Reach]) -> Reach | None:
    if size_bytes <= 0 or not reaches:
        return None
    best = min(reaches, key=lambda one: abs(math.log(one.size_bytes / size_bytes)))
    return best if size_bytes <= best.size_bytes <= NEAR * size_bytes else None
