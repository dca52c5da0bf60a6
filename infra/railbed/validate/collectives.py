"""Collectives over 2, 4, 8 … and all nodes under the scheduler, and the byte counters of their rails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from railbed import ended
from railbed.claims import Judged, Verdict
from railbed.defaults import COLLECTIVE_TRIES, GATING_SIZE_BYTES
from railbed.effects.journal import now_iso
from railbed.judge import nccl_hosts, nccl_transport
from railbed.judge.proof import RINGED
from railbed.judge.transport import CLAIM as TRANSPORT
from railbed.parse import nccl_debug
from railbed.parse.nccl_debug import NcclLog
from railbed.validate import collective_search, collective_start, crash_search, group_choice
from railbed.validate.answers import disturbed
from railbed.validate.blame_search import Budget
from railbed.validate.collective_table import NAME, data_s, judged_log, missed, sizes_of
from railbed.validate.conditions import watch, words
from railbed.validate.counters import Counters, prove
from railbed.validate.patience import Patience
from railbed.validate.validation_run import Crash, ValidationRun

PATTERN = "collective.*"
BESIDE = (TRANSPORT, nccl_transport.LOG, nccl_transport.GPUDIRECT)
"""Claims that the collectives answer too."""
Sizes = tuple[int, ...]
"""Message sizes of one start in bytes, ascending."""
PROVING = "all_reduce"
"""Run for them where no collective is asked for."""


def run(validation: ValidationRun) -> None:
    """Each collective over each number of nodes that it is asked of.

    The way of the data is read from the largest group that can run.
    """
    wanted = _wanted(validation)
    if not wanted:
        return
    validation.say(_estimate(validation, wanted))
    largest, texts, problems = Counts(), list[str](), list[str]()
    top = next((k for k in sorted(wanted, reverse=True) if validation.usable(k)[0]), max(wanted))
    for k in sorted(wanted):
        nodes, why = validation.usable(k)
        if not nodes:
            validation.answers.why(f"collective.*@{k}", why)
            for claim in BESIDE if k <= top else ():
                validation.answers.why(claim, why)
            continue
        # The largest group takes the first nodes, smaller ones the last: so that a spare has its turn too.
        chosen = group_choice.pick(nodes if k == top else nodes[::-1], k, validation.contract)
        if not chosen:
            validation.answers.why(f"collective.*@{k}", group_choice.SPREAD.format(k))
            for claim in BESIDE if k == top else ():
                validation.answers.why(claim, group_choice.SPREAD.format(k))
            continue
        for sizes, ops in _by_sizes(validation, wanted[k], k).items():
            first = _tries(
                validation, ops, chosen, sizes, counted=k == top and validation.scope.asks(TRANSPORT)
            )
            if k == top:
                largest.add(first, chosen, ops)
                texts.append(first.nccl)
                problems.append(first.problem)
    if any(text.strip() for text in texts) or (texts and not any(problems)):
        _nccl(validation, "\n".join(texts), largest.nodes)
    for problem in filter(None, problems):
        for claim in BESIDE:
            validation.answers.why(claim, f"no collective came to its end: {problem}")
    if validation.scope.asks(TRANSPORT):
        _transport(validation, largest)
    budget = Budget()
    crash_search.run(validation, budget)
    collective_search.run(validation, budget)


def _estimate(validation: ValidationRun, wanted: dict[int, list[str]]) -> str:
    """What is to run, and for how long data move in it: starts of programs and what is tried again come on top."""
    machine = validation.contract.machine(validation.rail_nodes()[0].machine)
    seconds = sum(
        data_s(machine, claim, op, k)
        for k, ops in wanted.items()
        for op in ops
        for claim in validation.scope.claims(f"collective.{op}@{k}")
    )
    counts = ", ".join(str(k) for k in sorted(wanted))
    return f"collectives: {sum(map(len, wanted.values()))} starts over {counts} nodes, data move for about {seconds:.0f} s"


def _by_sizes(validation: ValidationRun, ops: list[str], k: int) -> dict[Sizes, list[str]]:
    """Message sizes → collectives that run at them: each claim names those that something is expected of."""
    found: dict[Sizes, list[str]] = {}
    machine = validation.contract.machine(validation.rail_nodes()[0].machine)
    for op in ops:
        claim = next(iter(validation.scope.claims(f"collective.{op}@{k}")), None)
        found.setdefault(sizes_of(machine, claim), []).append(op)
    return found


@dataclass(frozen=True)
class Run:
    """One run of the programs: a verdict for each collective that they measured, what was counted, and the conditions."""

    nccl: str
    """NCCL's own log of those programs that came to their end."""
    judged: dict[str, Judged]
    counters: Counters
    conditions: str
    """What was wrong with them, in words; empty where nothing was."""
    problem: str = ""
    """Why the first that failed did."""


@dataclass
class Counts:
    """Byte counters of runs over one group of nodes, and what was wrong with their conditions."""

    nodes: list[str] = field(default_factory=list)
    counters: Counters = field(default_factory=dict)
    conditions: str = ""

    def add(self, run: Run, nodes: list[str], ops: list[str]) -> None:
        self.nodes = nodes
        self.counters |= {op: run.counters.get(op, []) for op in ops}
        self.conditions = self.conditions or run.conditions


def _tries(
    validation: ValidationRun, ops: list[str], nodes: list[str], sizes: Sizes, *, counted: bool
) -> Run:
    """Runs the collectives, those below their floor again; returns the first run.

    A floor counts as missed when it is missed COLLECTIVE_TRIES times under good conditions: another program's burst is no fault
    of the fabric. Where a rail of these nodes failed by itself, that explains it, and once is enough.
    """
    limit = 1 if validation.rail_failed(nodes) else COLLECTIVE_TRIES
    missed_times = dict.fromkeys(ops, 0)
    pending, last, patience, runs = ops, {}, Patience(validation.say), list[Run]()
    while pending:
        run = _start(validation, pending, nodes, len(runs) + 1, sizes, counted=counted and not runs)
        runs.append(run)
        for op, record in run.judged.items():
            below = missed(record)
            missed_times[op] += below and not run.conditions
            last[op] = disturbed(record, run.conditions) if below else record
        unanswered = [op for op in pending if op not in run.judged and run.conditions]
        below_floor = [op for op in run.judged if missed(run.judged[op]) and missed_times[op] < limit]
        pending = unanswered + below_floor
        if run.conditions and pending and (limit == 1 or not patience.pause(run.conditions)):
            break
    validation.answers.add(*last.values())
    return runs[0]


def _transport(validation: ValidationRun, counts: Counts) -> None:
    """Answers ``fabric.transport`` from the rings over the most nodes; one that looks wrong runs again.

    The same rule as for a floor: packets that a busy machine drops are sent, and counted, twice, and other programs
    use the management network too; the fabric's own fault shows every time.
    """
    ran = {
        op: tuple(records[0]["sizes"]) for op, records in counts.counters.items() if records and op in RINGED
    }
    limit, patience = (
        1 if validation.rail_failed(counts.nodes) else COLLECTIVE_TRIES,
        Patience(validation.say),
    )
    record, kept, proved, attempt = prove(validation, counts.counters), list[Judged](), 0, 1
    while record is not None:
        busy = record.verdict is Verdict.FAIL and counts.conditions
        record = disturbed(record, counts.conditions)
        kept.append(record)
        proved += not busy
        if record.verdict is Verdict.PASS or proved >= limit or (limit == 1 and busy):
            break
        if busy and not patience.pause(counts.conditions):
            break
        attempt += 1
        again = Counts()
        for sizes in sorted(set(ran.values())):
            ops = [op for op in ran if ran[op] == sizes]
            again.add(_start(validation, ops, counts.nodes, attempt, sizes, counted=True), counts.nodes, ops)
        counts = again
        record = prove(validation, counts.counters) or record
    if record is not None:
        evidence = validation.keep("collectives/counters.json", [one.model_dump(mode="json") for one in kept])
        validation.answers.add(record.model_copy(update={"evidence": evidence}))


def _wanted(validation: ValidationRun) -> dict[int, list[str]]:
    """Node count → collectives to run, as the claims ask."""
    wanted: dict[int, list[str]] = {}
    for claim in validation.scope.claims(PATTERN):
        match = NAME.fullmatch(claim.id)
        if match:
            wanted.setdefault(int(match[2]), []).append(match[1])
    if not wanted and any(validation.scope.asks(claim) for claim in BESIDE):
        counts = [int(m[2]) for c in validation.contract.claims if (m := NAME.fullmatch(c.id))]
        wanted[max(counts, default=2)] = [PROVING]
    return wanted


def _start(
    validation: ValidationRun, ops: list[str], nodes: list[str], attempt: int, sizes: Sizes, *, counted: bool
) -> Run:
    """Runs the programs on ``nodes`` and judges their tables. ``counted``: with the rails' byte counters around the rings."""
    k, again = len(nodes), f", try {attempt}" if attempt > 1 else ""
    validation.say(f"{', '.join(ops)} over {', '.join(nodes)}{again}")
    machine = validation.contract.machine(validation.node(nodes[0]).machine)
    with watch(validation.remote, nodes) as seen:
        starts = [
            collective_start.run(validation, machine, op, nodes, sizes, counted=counted and op in RINGED)
            for op in ops
        ]
    name = f"collectives/{k}-nodes" + (f"-{sizes[-1]}-bytes" if sizes[-1] != GATING_SIZE_BYTES else "")
    name += f"-{attempt}" if attempt > 1 else ""
    text, stderr, nccl = (
        "\n".join(filter(None, parts))
        for parts in zip(*((one.stdout, one.stderr, one.nccl) for one in starts), strict=True)
    )
    evidence = validation.keep(f"{name}.txt", text)
    validation.keep(f"{name}.conditions.json", seen.plain())
    for kind, output in (("stderr", stderr), ("nccl", nccl)):
        if output.strip():
            validation.keep(f"{name}.{kind}.txt", output)
    judged, counters = {}, {one.op: one.counters for one in starts if one.counters}
    for one in starts:
        if one.problem:
            validation.answers.why(f"collective.{one.op}@{k}", one.problem)
        if one.crashed:
            named = ended.accused(f"{one.stdout}\n{one.stderr}", nodes, one.nccl)
            claim = f"collective.{one.op}@{k}"
            validation.crashes.append(
                Crash(claim, one.op, tuple(nodes), sizes, one.problem, tuple(named), evidence)
            )
        for question in validation.scope.get(f"collective.{one.op}@{k}"):
            record = judged_log(one.stdout, question, nodes, machine)
            if record is not None:
                judged[one.op] = record.model_copy(update={"evidence": evidence, "at": now_iso()})
    return Run(
        "\n".join(one.nccl for one in starts if not one.problem), judged, counters, words(seen.problems()),
        next((one.problem for one in starts if one.problem), ""),
    )  # fmt: skip


def _nccl(validation: ValidationRun, text: str, nodes: list[str]) -> None:
    """Answers from NCCL's own log of the largest group; a program that failed proves nothing of the path of its data, nor
    does a log of which a node's lines are missing."""
    log, node = nccl_debug.read(text), validation.rail_nodes()[0]
    transport, names = (
        validation.contract.machine(node.machine).transport,
        [one.name for one in validation.rail_nodes()],
    )
    interfaces = {nic.netdev: None for _, nic in validation.as_observed.nics(node) if nic.netdev}

    def judge(one: NcclLog) -> Judged:
        return nccl_transport.judge_log(one, transport, interfaces)

    path = _named(judge(log), text, names, judge)
    direct = _named(nccl_transport.judge_gpudirect(log), text, names, nccl_transport.judge_gpudirect)
    if path.verdict is Verdict.FAIL and direct.verdict is Verdict.FAIL:
        reason = f"blocked by {path.claim}: {direct.reason}"
        direct = direct.model_copy(update={"verdict": Verdict.UNPROVEN, "reason": reason})
    if reason := nccl_hosts.unread(text, nodes):
        path, direct = (
            one.model_copy(
                update={"verdict": Verdict.UNPROVEN, "reason": f"{reason}; beside it {one.reason}"}
            )
            if one.verdict is Verdict.PASS
            else one
            for one in (path, direct)
        )
    wanted = [record for record in (path, direct) if validation.scope.asks(record.claim)]
    if not wanted:
        return
    evidence, at = validation.keep("collectives/nccl.txt", text), now_iso()
    for record in wanted:
        simulated = validation.scope.get(record.claim)[0].claim.simulated
        validation.answers.add(
            record.model_copy(update={"evidence": evidence, "at": at, "simulated": simulated})
        )


def _named(record: Judged, text: str, names: list[str], judge: Callable[[NcclLog], Judged]) -> Judged:
    """The verdict with the nodes whose own lines fail, where they are not all."""
    found = nccl_hosts.guilty(text, names, judge) if record.verdict is Verdict.FAIL else []
    if not found:
        return record
    part = "gpudirect" if record.claim == nccl_transport.GPUDIRECT else "nccl"
    detail = {**record.detail, "guilty": [[node, part] for node in found]}
    return record.model_copy(update={"reason": f"{', '.join(found)}: {record.reason}", "detail": detail})
