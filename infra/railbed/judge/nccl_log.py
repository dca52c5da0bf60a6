"""Judges a collective's log: does it hold its floor, and what does it prove about the rails.

Fail: wrong data, below the floor, or below the cluster's own certificate. Unproven: whatever keeps the numbers from
speaking about what was asked, and one size below the floor that the sizes around it contradict. A result above its bound
is not good news, it is a wrong number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from railbed.claims import Judged, Verdict, overall
from railbed.defaults import GATING_SIZE_BYTES
from railbed.errors import UsageError
from railbed.judge import causes, sizes, sound
from railbed.judge.baseline import Baseline, compared
from railbed.judge.proof import Case, all_rails, case_of, rails_proven
from railbed.judge.recognize import with_names
from railbed.judge.sizes import ExpectationAt, Point, recomputed_busbw
from railbed.laws import bandwidth, ranks
from railbed.laws.machine import BandwidthMachine
from railbed.parse.nccl_debug import NcclLog
from railbed.parse.nccl_tests import Log, Table

__all__ = [
    "PROBLEM_TEXT",
    "ExpectationAt",
    "Judgement",
    "judge",
    "judge_table",
    "recomputed_busbw",
    "wrong_elements",
]  # fmt: skip

PROBLEM_TEXT = {
    "COLLECTIVE_UNKNOWN": "the log does not say which collective ran",
    "RANKS_MISMATCH": "it ran over another number of ranks than asked",
    "BANDWIDTH_MISMATCH": "printed bandwidths do not follow from size and time",
    "IMPOSSIBLE": "above what the machine can reach: a wrong number",
    "NO_ROWS": "the log holds no measurement",
    "NOT_A_NUMBER": "a measurement is not a number",
    "NOT_CHECKED": "the data were not checked (-c 1)",
    "TRUNCATED": "the log ends before its last size or its closing lines",
    "NO_GATING_SIZE": f"no size that gates ({GATING_SIZE_BYTES} B or more, with a reference)",
    "TOO_FEW_SIZES": "one size does not show that the bandwidth has levelled off (-b, -e, -f)",
    "NO_PLATEAU": "the bandwidth still rises at the largest size (-e)",
    "DIP": "the sizes around it contradict it: measure again",
}
"""Every problem that a log can have, as a reason."""
SLOW_SMALL = 0.8
"""Slowest published healthy time of small messages over the measured: below this they are slow."""
DATA_SHARE = 0.25
"""Of the bound, below which right data over more nodes than anybody published a rate of prove nothing: a spine that carries
little shows only there. Chosen: less than half of the lowest published healthy share (``published.MODEL_SHARE``)."""
WRONG_CONDITIONS = ("COLLECTIVE_UNKNOWN", "RANKS_MISMATCH", "BANDWIDTH_MISMATCH", "IMPOSSIBLE")
"""With one of these the numbers say nothing about the claim, good or bad."""


@dataclass
class Judgement:
    """Of one log: the claims it answers, and how many rails it proves."""

    claims: list[Judged] = field(default_factory=list)
    rails_proven: int = 0
    """At least so many rails of every node carried data."""
    problems: list[str] = field(default_factory=list)
    causes: list[dict[str, Any]] = field(default_factory=list)
    """Likely causes, each with the measurement that would separate it from the next."""

    @property
    def verdict(self) -> Verdict:
        return overall([c.verdict for c in self.claims])


def _problems(table: Table, case: Case, points: Sequence[Point], *, ramps: bool) -> list[str]:
    halves = [(row, m) for row in table.rows for m in row.measurements()]
    counted = any(m.wrong is not None or m.error is not None for _, m in halves)
    gated = {p.size_bytes for p in points if p.expectation.floor}
    odd = sizes.dip(points)
    seen = {
        "NO_ROWS": not halves,
        "NOT_A_NUMBER": any(m.broken for _, m in halves),
        "BANDWIDTH_MISMATCH": any(sizes.misprinted(row, m) for row, m in halves),
        "IMPOSSIBLE": any(p.impossible for p in points),
        "NOT_CHECKED": bool(halves)
        and (table.settings.get("validation") == 0 or not (counted or table.out_of_bounds is not None)),
        "TRUNCATED": table.lacks_rows or not table.complete,
        "NO_GATING_SIZE": bool(halves) and not gated,
        "TOO_FEW_SIZES": ramps and bool(gated) and len({p.size_bytes for p in points}) < 2,
        "NO_PLATEAU": ramps and not sizes.levelled(points, odd),
        "DIP": odd is not None,
    }
    found = ranks.of_table(table, case.collective)
    return ranks.problems(table, found, case.ranks) + [name for name, holds in seen.items() if holds]


def wrong_elements(table: Table) -> int:
    """Elements with wrong data, over all rows and by the closing line."""
    counted = sum(m.wrong or 0 for row in table.rows for m in row.measurements())
    return max(counted, table.out_of_bounds or 0)


def _explain(problems: Sequence[str], table: Table) -> str:
    text = "; ".join(PROBLEM_TEXT[p] for p in problems)
    if "RANKS_MISMATCH" in problems and len(table.group_sizes) > 1:
        text += f" (a split mask: {len(table.group_sizes)} groups of {table.labelled_ranks} ranks ran at the same time)"
    return text


def judge_table(
    table: Table, case: Case, expectation_at: ExpectationAt, *, ramps: bool = False
) -> tuple[Judged, list[str], int]:
    """The verdict on one table, its problems, and how many rails it proves.

    With several gating sizes the one with the least margin decides; in place and out of place both count. An expectation of the
    basis ``data`` has no floor: right data of the ranks that were asked for pass, from DATA_SHARE of the bound on; below that
    they are unproven. ``ramps``: the bandwidth rises with the size, so that a table must show that it has levelled off before it
    passes.
    """
    points = sizes.points(table, case, expectation_at, sizes.ranks_of(table, case))
    problems = _problems(table, case, points, ramps=ramps)
    worst = min((p for p in points if p.expectation.floor), key=lambda p: p.margin, default=None)
    worst = worst or max(points, key=lambda p: p.size_bytes, default=None)
    by_data = worst is not None and worst.expectation.basis == "data"
    if by_data:
        problems = [p for p in problems if p != "NO_GATING_SIZE"]
    wrong, unusable = wrong_elements(table), any(p in WRONG_CONDITIONS for p in problems)
    problem_text = _explain(problems, table)
    if wrong:
        verdict, reason = Verdict.FAIL, f"{wrong} elements with wrong data"
    elif unusable or worst is None:
        verdict, reason = Verdict.UNPROVEN, problem_text
    elif "DIP" in problems:
        verdict, reason = Verdict.UNPROVEN, f"{worst.describe()} is below the floor; {problem_text}"
    elif worst.margin < 1:
        verdict, reason = Verdict.FAIL, f"{worst.describe()} is below the floor"
    elif problems:
        verdict, reason = Verdict.UNPROVEN, problem_text
    elif by_data and worst.busbw < DATA_SHARE * (worst.expectation.bound or 0.0):
        problem_text = f"{worst.rate()} is less than {DATA_SHARE:g} of the {worst.expectation.bound:.4g} that the lines allow"
        verdict, reason = Verdict.UNPROVEN, f"right data, but {problem_text}; no floor was published"
    elif by_data:
        verdict, reason = Verdict.PASS, f"right data at {worst.rate()}; no floor was published"
    else:
        verdict, reason = Verdict.PASS, f"{worst.describe()} holds the floor"
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
        detail={
            "rails_proven": proven,
            "problems": problems,
            "nodes": table.nodes,
            "size_bytes": worst.size_bytes if worst else None,
        },
    )
    return sound.guarded(judged), problems, proven


def judge(
    log: Log,
    machine: BandwidthMachine,
    nodes: int,
    collective: str | None = None,
    algorithm: str | None = None,
    *,
    baseline: Baseline | None = None,
    nccl: NcclLog | None = None,
) -> Judgement:
    """Judges every table of a log (with ``collective``: those of it) against ``machine`` over ``nodes``.

    A collective that the log does not name is inferred from its rows. ``baseline``: the cluster's own certificate; tables
    of one collective are then repeats of one measurement. ``nccl``: what NCCL's own lines in the same log say. Raises
    UsageError for an unknown collective or algorithm, and where the log holds none of the kind.
    """
    if collective is not None and collective not in bandwidth.COLLECTIVES:
        raise UsageError(
            "unknown collective", path="--collective", found=collective, allowed=list(bandwidth.COLLECTIVES)
        )
    log = with_names(log)
    tables = [t for t in log.tables if collective is None or t.collective in (collective, None)]
    if log.tables and not tables:
        raise UsageError(
            f"the log holds no {collective}",
            path="--collective",
            found=collective,
            allowed=sorted({t.collective for t in log.tables if t.collective}),
        )
    result = Judgement()
    repeats: dict[str | None, list[Table]] = {}
    for table in tables:
        repeats.setdefault(collective or table.collective, []).append(table)
    for table in tables or [Table(collective=collective)]:
        name = collective or table.collective
        if name in bandwidth.COLLECTIVES:
            case = case_of(machine, nodes, name, algorithm)
            _add(result, table, machine, case, _Context(baseline, nccl, repeats.get(name, [])))
        else:
            result.problems.append("COLLECTIVE_UNKNOWN" if log.tables else "NO_ROWS")
            result.claims.append(_unknown(name, nodes, result.problems[-1]))
    result.problems = list(dict.fromkeys(result.problems))
    case = case_of(machine, nodes, "all_reduce")
    if case.domains > 1:
        simulated = any(c.simulated for c in result.claims)
        result.claims.append(all_rails(case, result.rails_proven, simulated))
    return result


@dataclass(frozen=True)
class _Context:
    """What a table is judged with, beside the machine."""

    baseline: Baseline | None
    nccl: NcclLog | None
    repeats: list[Table]
    """All tables of the same collective, this one too."""


def _add(result: Judgement, table: Table, machine: BandwidthMachine, case: Case, context: _Context) -> None:
    expectation_at = bandwidth.expectations(machine, case.nodes, case.collective, case.algorithm)
    judged, problems, proven = judge_table(table, case, expectation_at, ramps=not machine.network_only)
    if context.baseline is not None:
        size = judged.detail["size_bytes"]
        samples = [
            p.busbw
            for t in context.repeats
            for p in sizes.points(t, case, expectation_at, sizes.ranks_of(t, case))
            if p.size_bytes == size
        ]
        sound = set(problems) <= {"NO_GATING_SIZE"}
        judged = compared(judged, samples, context.baseline, sound=sound)
    result.claims.append(judged)
    result.problems += problems
    result.causes += [
        c for c in _causes(judged, table, machine, case, context.nccl) if c not in result.causes
    ]
    result.rails_proven = max(result.rails_proven, proven)


def _causes(
    judged: Judged, table: Table, machine: BandwidthMachine, case: Case, nccl: NcclLog | None
) -> list[dict[str, Any]]:
    """What may be behind a result below its floor, or behind slow small messages."""
    healthy, measured = judged.expected, judged.measured
    if not isinstance(healthy, float) or not isinstance(measured, float) or healthy <= 0:
        return []
    small = sizes.small_share(machine, table, case, healthy)
    below = judged.verdict is Verdict.FAIL and judged.floor is not None and measured < judged.floor
    slow_small = judged.verdict is not Verdict.UNPROVEN and small is not None and small < SLOW_SMALL
    if not below and not slow_small:
        return []
    shares: Mapping[str, float] = {"curve": measured / healthy} | ({} if small is None else {"small": small})
    evidence = causes.Evidence(shares=shares, nccl_says=causes.nccl_says(nccl))
    found = causes.rank(machine, case.nodes, case.collective, healthy, evidence)
    if not below:
        found = [c for c in found if c.cause == causes.SMALL]
    return [c.model_dump(mode="json") for c in found]


def _unknown(name: str | None, nodes: int, problem: str) -> Judged:
    reason = PROBLEM_TEXT[problem] if name is None else f"railbed has no law for {name}"
    claim = f"collective.{name or 'unknown'}@{nodes}"
    return Judged(claim=claim, node="", verdict=Verdict.UNPROVEN, unit="GB/s", reason=reason)
