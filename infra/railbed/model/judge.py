"""Judges a collective's log: does it hold its floor, and what does it prove about the rails.

Fail: wrong data, or below the floor. Unproven: whatever keeps the numbers from speaking about what was asked.
A result above its bound is not good news, it is a wrong number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from railbed.defaults import BOUND_TOLERANCE, GATING_SIZE_BYTES, RECOMPUTE_TOLERANCE
from railbed.errors import UsageError
from railbed.model import bandwidth, ranks
from railbed.model.bandwidth import COLLECTIVES, BandwidthMachine
from railbed.model.claims import Expectation, Judged, Verdict, overall
from railbed.model.proof import Case, all_rails, case_of, rails_proven
from railbed.parse.nccl_tests import Log, Measurement, Row, Table

TOLD = {
    "COLLECTIVE_UNKNOWN": "the log does not say which collective ran",
    "RANKS_MISMATCH": "it ran over another number of ranks than asked",
    "BANDWIDTH_MISMATCH": "printed bandwidths do not follow from size and time",
    "IMPOSSIBLE": "above what the machine can reach: a wrong number",
    "NO_ROWS": "the log holds no measurement",
    "NOT_A_NUMBER": "a measurement is not a number",
    "NOT_CHECKED": "the data were not checked (-c 1)",
    "TRUNCATED": "the log ends before its last size",
    "NO_GATING_SIZE": f"no size that gates ({GATING_SIZE_BYTES} B or more, with a reference)",
}
"""Every problem that a log can have, as a reason."""
WRONG_CONDITIONS = ("COLLECTIVE_UNKNOWN", "RANKS_MISMATCH", "BANDWIDTH_MISMATCH", "IMPOSSIBLE")
"""With one of these the numbers say nothing about the claim, good or bad."""

ExpectationAt = Callable[[int], Expectation]
"""Message size in bytes → what the bus bandwidth must reach."""


@dataclass
class Judgement:
    """Of one log: the claims it answers, and how many rails it proves."""

    claims: list[Judged] = field(default_factory=list)
    rails_proven: int = 0
    """At least so many rails of every node carried data."""
    problems: list[str] = field(default_factory=list)
    causes: list[dict[str, str]] = field(default_factory=list)
    """Likely causes, each with the measurement that would tell it from the next."""

    @property
    def verdict(self) -> Verdict:
        return overall([c.verdict for c in self.claims])


@dataclass
class _Point:
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
        bound = self.expectation.bound
        return bound is not None and self.fastest > bound * (1 + BOUND_TOLERANCE)

    def told(self) -> str:
        return f"{self.busbw:.4g} GB/s at {self.size_bytes} B (floor {self.expectation.floor or 0:.4g})"


def recomputed_busbw(row: Row, m: Measurement, collective: str, n: int) -> float | None:
    """Bus bandwidth in GB/s from size and time; the printed one is never trusted."""
    scale = ranks.factor(collective, n)
    if m.time_us is None or m.time_us <= 0 or scale is None:
        return None
    return row.size_bytes / (m.time_us * 1000) * scale


def _misprinted(row: Row, m: Measurement) -> bool:
    """True where the printed algorithm bandwidth is not size over time (another unit, an edited log)."""
    if m.time_us is None or m.algbw_gbytes_per_s is None or m.time_us <= 0:
        return False
    true = row.size_bytes / (m.time_us * 1000)
    blur = true * (RECOMPUTE_TOLERANCE + ranks.half_step(m.printed["time"]) / m.time_us)
    return abs(true - m.algbw_gbytes_per_s) > ranks.half_step(m.printed["algbw"]) * 1.01 + blur


def _points(table: Table, case: Case, expectation_at: ExpectationAt) -> list[_Point]:
    inferred = ranks.of_table(table, case.collective)
    n = case.ranks if inferred.allows(case.ranks) or inferred.nearest is None else inferred.nearest
    found = []
    for row in table.rows:
        if not bandwidth.gates(row.size_bytes):
            continue
        values = [recomputed_busbw(row, m, case.collective, n) for m in row.measurements()]
        known = [v for v in values if v is not None]
        if known:
            found.append(_Point(row.size_bytes, min(known), max(known), expectation_at(row.size_bytes)))
    return found


def _problems(table: Table, case: Case, points: Sequence[_Point]) -> list[str]:
    halves = [(row, m) for row in table.rows for m in row.measurements()]
    counted = any(m.wrong is not None or m.error is not None for _, m in halves)
    seen = {
        "NO_ROWS": not halves,
        "NOT_A_NUMBER": any(m.broken for _, m in halves),
        "BANDWIDTH_MISMATCH": any(_misprinted(row, m) for row, m in halves),
        "IMPOSSIBLE": any(p.impossible for p in points),
        "NOT_CHECKED": bool(halves)
        and (table.settings.get("validation") == 0 or not (counted or table.out_of_bounds is not None)),
        "TRUNCATED": table.lacks_rows,
        "NO_GATING_SIZE": bool(halves) and not any(p.expectation.floor for p in points),
    }
    found = ranks.of_table(table, case.collective)
    return ranks.problems(table, found, case.ranks) + [name for name, holds in seen.items() if holds]


def wrong_elements(table: Table) -> int:
    """Elements with wrong data, over all rows and by the closing line."""
    counted = sum(m.wrong or 0 for row in table.rows for m in row.measurements())
    return max(counted, table.out_of_bounds or 0)


def judge_table(table: Table, case: Case, expectation_at: ExpectationAt) -> tuple[Judged, list[str], int]:
    """The verdict on one table, its problems, and how many rails it proves.

    With several gating sizes the one with the least margin decides; in place and out of place both count.
    """
    points = _points(table, case, expectation_at)
    problems = _problems(table, case, points)
    worst = min((p for p in points if p.expectation.floor), key=lambda p: p.margin, default=None)
    worst = worst or max(points, key=lambda p: p.size_bytes, default=None)
    wrong, unusable = wrong_elements(table), any(p in WRONG_CONDITIONS for p in problems)
    told = "; ".join(TOLD[p] for p in problems)
    if wrong:
        verdict, reason = Verdict.FAIL, f"{wrong} elements with wrong data"
    elif unusable or worst is None:
        verdict, reason = Verdict.UNPROVEN, told
    elif worst.margin < 1:
        verdict, reason = Verdict.FAIL, f"{worst.told()} is below the floor"
    elif problems:
        verdict, reason = Verdict.UNPROVEN, told
    else:
        verdict, reason = Verdict.PASS, f"{worst.told()} holds the floor"
    proven = 0
    if not wrong and not unusable:
        proven = max((rails_proven(case, p.busbw) for p in points), default=0)
    expectation = worst.expectation if worst else expectation_at(GATING_SIZE_BYTES)
    judged = Judged(
        claim=case.claim,
        node="",
        verdict=verdict,
        measured=None if worst is None else worst.busbw,
        unit="GB/s",
        expected=expectation.expected,
        floor=expectation.floor,
        bound=expectation.bound,
        basis=expectation.basis,
        derivation=expectation.derivation,
        reason=reason,
        simulated=bool(table.simulated),
        detail={"rails_proven": proven, "problems": problems, "nodes": table.nodes},
    )
    return judged, problems, proven


def causes(judged: Judged, case: Case) -> list[dict[str, str]]:
    """What may be behind a result below its floor. One curve cannot tell which: each names what would."""
    below = isinstance(judged.measured, float) and judged.floor is not None and judged.measured < judged.floor
    if judged.verdict is not Verdict.FAIL or not below:
        return []
    return [
        {
            "cause": "a rail is slow or down",
            "measure": "each rail by itself, both ways, two partners per node",
        },
        {"cause": "one node is slow", "measure": f"{case.collective} over halves of the {case.nodes} nodes"},
    ]


def judge(
    log: Log,
    machine: BandwidthMachine,
    nodes: int,
    collective: str | None = None,
    algorithm: str | None = None,
) -> Judgement:
    """Judges every table of a log (with ``collective``: those of it) against ``machine`` over ``nodes``.

    Raises UsageError for an unknown collective or algorithm, and where the log holds none of the kind.
    """
    if collective is not None and collective not in COLLECTIVES:
        raise UsageError(
            "unknown collective", path="--collective", found=collective, allowed=list(COLLECTIVES)
        )
    tables = [t for t in log.tables if collective is None or t.collective in (collective, None)]
    if log.tables and not tables:
        raise UsageError(
            f"the log holds no {collective}",
            path="--collective",
            found=collective,
            allowed=sorted({t.collective for t in log.tables if t.collective}),
        )
    result = Judgement()
    for table in tables or [Table(collective=collective)]:
        name = collective or table.collective
        if name in COLLECTIVES:
            _add(result, table, machine, case_of(machine, nodes, name, algorithm))
        else:
            result.problems.append("COLLECTIVE_UNKNOWN" if log.tables else "NO_ROWS")
            result.claims.append(_unknown(name, nodes, result.problems[-1]))
    result.problems = list(dict.fromkeys(result.problems))
    case = case_of(machine, nodes, "all_reduce")
    if case.domains > 1:
        simulated = any(c.simulated for c in result.claims)
        result.claims.append(all_rails(case, result.rails_proven, simulated))
    return result


def _add(result: Judgement, table: Table, machine: BandwidthMachine, case: Case) -> None:
    def expectation_at(size_bytes: int) -> Expectation:
        return bandwidth.expect(machine, case.nodes, case.collective, size_bytes, case.algorithm)

    judged, problems, proven = judge_table(table, case, expectation_at)
    result.claims.append(judged)
    result.problems += problems
    result.causes += [c for c in causes(judged, case) if c not in result.causes]
    result.rails_proven = max(result.rails_proven, proven)


def _unknown(name: str | None, nodes: int, problem: str) -> Judged:
    told = TOLD[problem] if name is None else f"railbed has no law for {name}"
    claim = f"collective.{name or 'unknown'}@{nodes}"
    return Judged(claim=claim, node="", verdict=Verdict.UNPROVEN, unit="GB/s", reason=told)
