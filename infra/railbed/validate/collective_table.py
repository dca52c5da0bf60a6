"""What the table of one collective proves of its claim. Pure."""

from __future__ import annotations

import math
import re

from railbed.claims import Claim, Expectation, Judged, Reach, Verdict
from railbed.contract import Machine
from railbed.defaults import GATING_SIZE_BYTES, RDMA_SIZE_BYTES
from railbed.errors import UnprovenError
from railbed.judge import curve, nccl_log
from railbed.judge.proof import Case
from railbed.laws import ranks
from railbed.laws.published import SIZE_SLACK
from railbed.parse import nccl_tests
from railbed.text import few
from railbed.units import BYTES_PER_GBYTE, gbytes_per_s
from railbed.validate.collective_programs import message_bytes
from railbed.validate.scope import Question

NAME = re.compile(r"collective\.(\w+)@(\d+)")
SHOWN = 4
"""Sizes that a reason names."""


def gating_size(machine: Machine, claim: Claim | None) -> int:
    """The message size in bytes that a collective is judged at: that of its reference, else what is usual for its rails."""
    expectation = claim.expectation if claim else None
    usual = GATING_SIZE_BYTES if machine.transport == "tcp" else RDMA_SIZE_BYTES
    return (expectation and expectation.size_bytes) or usual


def sizes_of(machine: Machine, claim: Claim | None) -> tuple[int, ...]:
    """The message sizes in bytes that a collective runs at, ascending: those of its curve; the last one decides."""
    expectation = claim.expectation if claim else None
    return (
        tuple(one.size_bytes for one in expectation.curve)
        if expectation and expectation.curve
        else (gating_size(machine, claim),)
    )


def data_s(machine: Machine, claim: Claim, op: str, nodes: int) -> float:
    """Seconds for which one start moves data at the rate that is expected of its largest size; 0 where nothing is expected."""
    scale = ranks.factor(op, nodes * machine.collective_ranks_per_node)
    rate = claim.expectation.expected if claim.expectation else None
    if not scale or not rate:
        return 0.0
    return message_bytes(sizes_of(machine, claim)) * scale / rate / BYTES_PER_GBYTE


def case_of(op: str, nodes: int, machine: Machine) -> Case:
    """What was run, for the judge: over as few NVLink domains as nodes can lie in. Raises UnprovenError without a rate."""
    nics, rate = machine.nics_per_rail, machine.nic_gbps
    if nics is None or rate is None:
        raise UnprovenError(f"nobody published the rate of {machine.key}'s rails", path=machine.key)
    return Case(
        collective=op,
        nodes=nodes,
        ranks=nodes * machine.collective_ranks_per_node,
        domains=math.ceil(nodes / machine.nodes_per_nvlink_domain),
        rails=machine.rails,
        rail_gbytes_per_s=gbytes_per_s(nics * rate),
        in_network_reduction=machine.transport == "infiniband",
    )


def judged_log(text: str, question: Question, nodes: list[str], machine: Machine) -> Judged | None:
    """The verdict on the question's table in a log; None without a row for it or an expectation."""
    match = NAME.fullmatch(question.claim.id)
    tables = [t for t in nccl_tests.read(text).tables if match and t.collective == match[1] and t.rows]
    if match is None or not tables or question.claim.expectation is None or machine.nic_gbps is None:
        return None
    case = case_of(match[1], len(nodes), machine)
    return judged_table(tables[-1], question, nodes, case, gating_size(machine, question.claim))


def judged_table(
    table: nccl_tests.Table, question: Question, nodes: list[str], case: Case, deciding: int
) -> Judged:
    """The verdict on a table with rows, on a question with an expectation. ``deciding``: the message size in bytes."""
    expectation = question.claim.expectation
    assert expectation is not None
    informing = expectation.model_copy(update={"expected": None, "floor": None})

    def expectation_at(size_bytes: int) -> Expectation:
        """One size decides, so that runs can be compared; what the others must reach is the curve's."""
        return expectation if size_bytes >= deciding * SIZE_SLACK or not expectation.curve else informing

    record, problems, proven = nccl_log.judge_table(table, case, expectation_at)
    record = _on_the_curve(record, table, case, expectation.curve)
    rows = nccl_tests.plain_rows(table)
    largest = max(row.size_bytes for row in table.rows)
    if record.verdict is not Verdict.FAIL and largest < (expectation.size_bytes or 0) * SIZE_SLACK:
        reason = f"its largest size is {largest} B; its reference was published at {expectation.size_bytes} B"
        record = record.model_copy(update={"verdict": Verdict.UNPROVEN, "reason": reason})
    ran_on = sorted(table.nodes)
    if record.verdict is Verdict.PASS and ran_on != sorted(nodes):
        reason = f"it ran on {', '.join(ran_on)}, not on {', '.join(sorted(nodes))}"
        record = record.model_copy(update={"verdict": Verdict.UNPROVEN, "reason": reason})
    detail = {
        **record.detail, "nodes": nodes, "problems": problems, "rails_proven": proven, "rows": rows,
        "curve": [[one.size_bytes, one.expected, one.floor] for one in expectation.curve],
    }  # fmt: skip
    changes = {
        "simulated": question.claim.simulated,
        "claim": question.claim.id,
        "node": question.node,
        "detail": detail,
    }
    return record.model_copy(update=changes)


def _on_the_curve(record: Judged, table: nccl_tests.Table, case: Case, reaches: list[Reach]) -> Judged:
    """The verdict with the smaller sizes: one below its floor fails what passed (``detail.low``), one without a row leaves it
    open."""
    if record.verdict is not Verdict.PASS or not reaches:
        return record
    found = curve.measured(table, case, reaches)
    if low := curve.below(found):
        worst, others = low[0], len(low) - 1
        beside = f", and {others} other sizes" if others else ""
        # The numbers stay those of the size that decides: runs, trends and certificates compare like with like.
        changes = {
            "verdict": Verdict.FAIL,
            "reason": f"{worst.described} is below the floor{beside}; {record.reason}",
            "detail": {**record.detail, "low": [[one.size_bytes, one.busbw, one.reach.floor] for one in low]},
        }
        return record.model_copy(update=changes)
    if missing := curve.missing(found, reaches):
        reason = f"no result at {few([f'{size} B' for size in missing], SHOWN)}; {record.reason}"
        return record.model_copy(update={"verdict": Verdict.UNPROVEN, "reason": reason})
    return record


def missed(record: Judged) -> bool:
    """Whether a measurement that is otherwise sound lies below its floor, at the size that decides or at a smaller one."""
    measured, floor = record.measured, record.floor
    below = bool(record.detail.get("low"))
    below = below or (isinstance(measured, float) and floor is not None and measured < floor)
    return record.verdict is Verdict.FAIL and below and "wrong data" not in record.reason
