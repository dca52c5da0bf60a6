"""The claims ``science.*``: HPL and HPC Challenge on each node by itself, and over the nodes of the largest scientific job.

hpcc runs twice on each node (rate of memory, equal results), once over the job's nodes (MPI between them). HPL is hpcc's own
where processors stand in for GPUs, else NVIDIA's, in the image that the spec names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from railbed import ended
from railbed.claims import Judged, Verdict
from railbed.contract import Machine
from railbed.defaults import COLLECTIVE_TRIES, FABRIC_OUTPUT_BYTES, SSH_FANOUT, STEP_WAIT_S
from railbed.judge import science as law
from railbed.laws import hpl
from railbed.parse import hpl as parser
from railbed.validate import containers, gpus, group_choice, science_peers, science_programs
from railbed.validate.answers import disturbed, judged
from railbed.validate.conditions import watch, words
from railbed.validate.science_peers import Kept
from railbed.validate.science_programs import HPCC, Case, Program
from railbed.validate.scope import Question
from railbed.validate.validation_run import ValidationRun

PATTERN = "science.*"
NODE_HPL, STREAM, REPEATABLE = "science.hpl", "science.stream", "science.repeatable"
LATENCY, BANDWIDTH = "science.mpi_latency", "science.mpi_bandwidth"
SCALED = re.compile(r"science\.hpl@(\d+)")
SCRIPT = Path(__file__).parent / "node" / "hpl.sh"
TIMES = 2
"""Equal computations on each node."""
SSH_S = 30.0
Questions = Mapping[str, Question]
"""By node."""


@dataclass(frozen=True)
class Start:
    """How one start ended."""

    case: Case
    found: dict[str, Any]
    """What the parser read."""
    problem: str
    """Why it proves nothing; empty where it came to its end."""
    evidence: str
    conditions: str = ""


def run(validation: ValidationRun) -> None:
    """Answers what is asked, nodes first: a node that computes wrongly explains what follows."""
    if not validation.scope.asks(PATTERN):
        return
    if validation.scheduler is None:
        validation.answers.why(PATTERN, "blocked: no scheduler answers")
        return
    image = validation.contract.software.hpc_benchmarks
    why = ""
    if image and any(validation.scope.asks(one) for one in (NODE_HPL, "science.hpl@*")):
        why = containers.other_image(validation, validation.scheduler, image.path, image.sha256)
    _nodes(validation, why)
    _across(validation, why)


def _gpu_program(validation: ValidationRun, machine: Machine) -> Program:
    """What HPL is here."""
    image = validation.contract.software.hpc_benchmarks
    return HPCC if machine.stands_for or image is None else science_programs.nvidia(image.path)


def _nodes(validation: ValidationRun, no_image: str) -> None:
    validation.refresh()
    asked = [q for claim in (NODE_HPL, STREAM, REPEATABLE) for q in validation.scope.get(claim)]
    machines: dict[str, list[str]] = {}
    for name in sorted({question.node for question in asked}):
        if reason := gpus.obstacle(validation, name):
            for claim in (NODE_HPL, STREAM, REPEATABLE):
                validation.answers.why(claim, reason, [name])
        else:
            machines.setdefault(validation.node(name).machine, []).append(name)
    for key, names in machines.items():
        machine = validation.contract.machine(key)
        questions = {claim: _questions(validation, claim, names) for claim in (NODE_HPL, STREAM, REPEATABLE)}
        own = _gpu_program(validation, machine)
        if own is not HPCC and questions[NODE_HPL]:
            if no_image:
                validation.answers.why(NODE_HPL, no_image, names)
            else:
                _node_hpl(validation, machine, own, questions[NODE_HPL])
        hosts = questions[STREAM] or questions[REPEATABLE] or (questions[NODE_HPL] if own is HPCC else {})
        if hosts:
            _hosts(validation, machine, names, questions)


def _questions(validation: ValidationRun, claim: str, names: Sequence[str]) -> Questions:
    return {q.node: q for q in validation.scope.get(claim) if q.node in names}


def _node_hpl(validation: ValidationRun, machine: Machine, program: Program, questions: Questions) -> None:
    """NVIDIA's HPL on each node by itself, all at once; those below their floor again."""
    reach = next(iter(questions.values())).claim.expectation
    cases = {
        name: Case(
            program, (name,), (reach.size_bytes or 0) if reach else 0, 1, reach.floor if reach else None
        )
        for name in questions
    }

    def judge(start: Start) -> Judged:
        question = questions[start.case.nodes[0]]
        return _record(question, _hpl(machine, start, question), start, ["gpus"])

    _until_held(validation, machine, cases, judge)


def _hosts(
    validation: ValidationRun, machine: Machine, names: Sequence[str], questions: Mapping[str, Questions]
) -> None:
    """hpcc on each node by itself, twice, all at once."""
    size = hpl.host_bytes(machine.collective_ranks_per_node, stands_in=bool(machine.stands_for))
    starts = _each(validation, machine, {name: Case(HPCC, (name,), size, TIMES) for name in names})
    good = {name: one for name, one in starts.items() if not one.problem}
    for name, one in starts.items():
        if one.problem:
            for claim in (NODE_HPL, STREAM, REPEATABLE):
                if claim != NODE_HPL or machine.stands_for:
                    validation.answers.why(claim, one.problem, [name])
    ranks = machine.collective_ranks_per_node
    mine = {
        name: Kept(
            release=validation.contract.software.release,
            n=science_programs.size(machine, one.case)[0],
            triad_gbytes_per_s=law.triad_gbytes_per_s(one.found, ranks),
            digits=[row["solution"] for row in one.found["solved"]],
        )
        for name, one in good.items()
    }
    science_peers.keep(validation, machine, mine)
    everyone = {**science_peers.last(validation, machine, mine, names), **mine}
    rates = {
        name: one.triad_gbytes_per_s for name, one in everyone.items() if one.triad_gbytes_per_s is not None
    }
    reaches = {name: q.claim.expectation for name, q in questions[STREAM].items()}
    verdicts = {
        STREAM: law.streams(rates, reaches, alike=not machine.stands_for),
        REPEATABLE: law.repeats({name: one.digits for name, one in everyone.items()}, TIMES),
    }
    for claim, parts in ((STREAM, ["memory"]), (REPEATABLE, ["results"])):
        for name, question in questions[claim].items():
            if name in good and name in verdicts[claim]:
                validation.answers.add(_record(question, verdicts[claim][name], good[name], parts))
            elif name in good:
                validation.answers.why(claim, "hpcc printed no rate of STREAM", [name])
    if machine.stands_for:
        for name, question in questions[NODE_HPL].items():
            if name in good:
                validation.answers.add(
                    _record(question, _hpl(machine, good[name], question), good[name], ["gpus"])
                )


def _across(validation: ValidationRun, no_image: str) -> None:
    """HPL and MPI over the nodes of the largest job."""
    scaled = [q for q in validation.scope.get("science.hpl@*") if SCALED.fullmatch(q.claim.id)]
    between = [q for claim in (LATENCY, BANDWIDTH) for q in validation.scope.get(claim)]
    if not scaled and not between:
        return
    wanted = _job_nodes(validation)
    free, why = validation.usable(wanted)
    nodes = tuple(group_choice.pick(free, wanted, validation.contract)) if free else ()
    if not nodes:
        why = why or group_choice.SPREAD.format(wanted)
        for question in (*scaled, *between):
            validation.answers.why(question.claim.id, why)
        return
    machine = validation.contract.machine(validation.node(nodes[0]).machine)
    program = _gpu_program(validation, machine)
    if between or program is HPCC:
        ranks = machine.collective_ranks_per_node * wanted
        size = hpl.host_bytes(ranks, stands_in=bool(machine.stands_for))
        asked = [*between, *(scaled if program is HPCC else [])]
        _mpi(validation, machine, Case(HPCC, nodes, size), asked)
    if scaled and program is not HPCC:
        if no_image:
            validation.answers.why("science.hpl@*", no_image)
            return
        reach = scaled[0].claim.expectation
        case = Case(
            program, nodes, (reach.size_bytes or 0) if reach else 0, 1, reach.floor if reach else None
        )

        def judge(start: Start) -> Judged:
            return _record(scaled[0], _hpl(machine, start, scaled[0]), start, [])

        _until_held(validation, machine, {scaled[0].claim.id: case}, judge)


def _job_nodes(validation: ValidationRun) -> int:
    """Nodes of the largest job, as a claim's id has them; two where no HPL over nodes is in scope."""
    counts = [int(found[1]) for one in validation.contract.claims if (found := SCALED.fullmatch(one.id))]
    return max(counts, default=2)


def _mpi(validation: ValidationRun, machine: Machine, case: Case, asked: Sequence[Question]) -> None:
    """hpcc over the job's nodes, again where a rate misses its floor."""

    def verdict(question: Question, start: Start) -> law.Outcome:
        reach = question.claim.expectation
        if question.claim.id == LATENCY:
            return law.latency(start.found, reach)
        if question.claim.id == BANDWIDTH:
            return law.bandwidth(start.found, reach)
        return _hpl(machine, start, question)

    for attempt in range(1, COLLECTIVE_TRIES + 1):
        start = _each(validation, machine, {case.nodes[0]: case}, attempt)[case.nodes[0]]
        if start.problem:
            for question in asked:
                validation.answers.why(question.claim.id, start.problem)
            return
        records = [_record(question, verdict(question, start), start, []) for question in asked]
        if attempt == COLLECTIVE_TRIES or not any(_missed(one) for one in records):
            validation.answers.add(*records)
            return


def _until_held(
    validation: ValidationRun,
    machine: Machine,
    cases: Mapping[str, Case],
    judge: Callable[[Start], Judged],
) -> None:
    """Starts all cases, those below their floor again: a floor counts as missed when it is missed COLLECTIVE_TRIES times."""
    pending = dict(cases)
    for attempt in range(1, COLLECTIVE_TRIES + 1):
        starts, again = _each(validation, machine, pending, attempt), {}
        for name, start in starts.items():
            record = None if start.problem else judge(start)
            if record is None:
                claim = NODE_HPL if len(start.case.nodes) == 1 else "science.hpl@*"
                validation.answers.why(claim, start.problem, [name] if claim == NODE_HPL else None)
            elif _missed(record) and attempt < COLLECTIVE_TRIES:
                again[name] = start.case
            else:
                validation.answers.add(record)
        pending = again
        if not pending:
            return


def _missed(record: Judged) -> bool:
    """Whether a rate that is otherwise sound lies below its floor: once that may be another program's burst."""
    below = isinstance(record.measured, float) and record.floor is not None and record.measured < record.floor
    return record.verdict is Verdict.FAIL and below


def _each(
    validation: ValidationRun, machine: Machine, cases: Mapping[str, Case], attempt: int = 1
) -> dict[str, Start]:
    """Starts each case, side by side: their nodes are different ones."""
    first, again = next(iter(cases.values())), f", try {attempt}" if attempt > 1 else ""
    together = f"{len(first.nodes)} nodes together" if len(first.nodes) > 1 else f"each of {len(cases)} nodes"
    n = science_programs.size(machine, first)[0]
    validation.say(f"{first.program.name} with N {n} on {together}{again}")
    names = [name for case in cases.values() for name in case.nodes]
    with watch(validation.remote, names) as seen:
        starts = validation.remote.each(
            list(cases), lambda name: _start(validation, machine, cases[name], attempt), SSH_FANOUT
        )
    return {
        name: replace(start, conditions=words(seen.problems(start.case.nodes)))
        for name, start in starts.items()
    }


def _start(validation: ValidationRun, machine: Machine, case: Case, attempt: int) -> Start:
    assert validation.scheduler is not None
    controller, nodes = validation.scheduler.controller, list(case.nodes)
    argv = science_programs.start(
        machine, validation.node(nodes[0]).gpus, case, reservation=validation.reservation_for(nodes)
    )
    limit = science_programs.limit_s(machine, case) + STEP_WAIT_S + SSH_S
    out, err, problem = "", "", ""
    for _ in range(case.times):
        said = validation.remote.run(
            controller, argv, stdin=SCRIPT.read_text(), timeout_s=limit, check=False, keep_bytes=FABRIC_OUTPUT_BYTES
        )  # fmt: skip
        out, err = out + said.stdout, err + said.stderr
        if not said.ok:
            problem = ended.why(said, case.program.name, nodes[0] if len(nodes) == 1 else controller)
            break
    where = nodes[0] if len(nodes) == 1 else f"{len(nodes)}-nodes"
    name = f"science/{case.program.name}-{where}" + (f"-{attempt}" if attempt > 1 else "")
    evidence = validation.keep(f"{name}.txt", out)
    if err.strip():
        validation.keep(f"{name}.stderr.txt", err)
    found = parser.plain(out)
    if not problem and not found["solved"]:
        problem = f"{case.program.name} printed no result"
    return Start(case, found, problem, evidence)


def _hpl(machine: Machine, start: Start, question: Question) -> law.Outcome:
    n, _, p, q = science_programs.size(machine, start.case)
    return law.hpl(start.found, n, (p, q), question.claim.expectation)


def _record(question: Question, outcome: law.Outcome, start: Start, parts: Sequence[str]) -> Judged:
    """A rate below its floor proves nothing under bad conditions; a wrong solution fails under any."""
    detail = {
        "nodes": list(start.case.nodes),
        "solved": start.found["solved"],
        **({"parts": list(parts)} if parts and outcome.verdict is Verdict.FAIL else {}),
    }
    record = judged(
        question,
        outcome.verdict,
        outcome.reason,
        measured=outcome.measured,
        evidence=start.evidence,
        detail=detail,
    )
    return disturbed(record, start.conditions) if _missed(record) else record
