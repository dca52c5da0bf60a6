"""The on-node suite: one bundle and one round trip per node, SSH_FANOUT nodes at once (docs/adr/0022). On Kubernetes, where
nodes take no login, a Job on each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import Field, TypeAdapter

from railbed import ended
from railbed.certificate.identity import CLAIM, Shown
from railbed.claims import Judged, Verdict
from railbed.contract import expectations
from railbed.defaults import SSH_FANOUT
from railbed.effects import boots, node_bundle, node_json
from railbed.effects.kubernetes.node_jobs import NodeJobs, NotRun
from railbed.effects.kubernetes.scheduler import KubernetesScheduler
from railbed.errors import CommandError
from railbed.hardware import Document
from railbed.run import TIMED_OUT, Result
from railbed.validate import affinity, identity, scheduler_files
from railbed.validate.answers import judged
from railbed.validate.pools import compared
from railbed.validate.scope import Question
from railbed.validate.validation_run import ValidationRun

NODE_CHECK_TIMEOUT_S = 90
"""Of the whole suite: two checks that hang (``node/apart.py``) leave time for the others."""

SUITE = node_bundle.PROGRAMS
PACKAGE = node_bundle.PACKAGE
EMPTY = node_bundle.EMPTY
PATTERNS = ("node.*", "fabric.gid")
"""Claims that a node answers by itself."""
IN_A_STEP = ("node.limits",)
"""Claims that a scheduler step answers."""

SCRIPT = """
set -u
echo railbed booted $({booted}) >&2
folder=$(mktemp -d /tmp/railbed-checks.XXXXXX)
trap 'rm -rf "$folder"' EXIT
tar -xzf - -C "$folder" || exit 3
cd "$folder" || exit 3
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$folder"
export RAILBED_EXPECTATIONS="$folder/expectations.json" RAILBED_RESULTS="$folder/results.json"
{suite} >&2
code=$?
cat "$RAILBED_RESULTS" || exit 4
{ended}
"""
BOOTED = re.compile(r"^railbed booted ([0-9a-f-]{36} \d+)$", re.MULTILINE)


def script(limit_s: float) -> str:
    """What a login runs; the bundle is its standard input."""
    suite = node_bundle.suite_command(limit_s)
    return SCRIPT.format(booted=boots.MARKER, suite=suite, ended=node_bundle.SUITE_ENDED)


def bundle(wanted: dict[str, Any]) -> bytes:
    """The suite and its expectations as a compressed tar."""
    return node_bundle.packed({"expectations.json": json.dumps(wanted).encode()})


def run(validation: ValidationRun) -> None:
    """Asks every node its own claims in scope and adds what they answer."""
    questions: dict[str, list[Question]] = {}
    for pattern in PATTERNS:
        for question in validation.scope.get(pattern):
            questions.setdefault(question.node, []).append(question)
    nodes = list(questions)
    if not nodes:
        return
    validation.say(f"on-node checks on {len(nodes)} nodes")
    asked = validation.scope.asks(scheduler_files.CLAIM)
    configured = scheduler_files.reference(validation) if asked else {}
    with _jobs(validation) as jobs:
        found = [
            record
            for records in validation.remote.each(
                nodes, lambda n: _ask(validation, n, questions[n], configured, jobs), SSH_FANOUT
            ).values()
            for record in records
        ]
    found = scheduler_files.odd_controller(found, configured.get("controller", ""))
    if any(record.claim in IN_A_STEP and record.verdict is Verdict.UNPROVEN for record in found):
        validation.refresh()
    for record in identity.apart(compared(validation.contract, found)):
        validation.answers.add(_with_obstacle(validation, record))
        if record.claim == "node.nics" and record.verdict is Verdict.FAIL:
            validation.dead_rails[record.node] = f"blocked by node.nics on {record.node}"


@contextmanager
def _jobs(validation: ValidationRun) -> Iterator[NodeJobs | None]:
    """How nodes are asked that take no login; None where they do. Raises CommandError where the API takes no Job."""
    place = validation.contract.kubernetes
    if place is None or place.checks is None:
        yield None
        return
    scheduler = validation.gate
    if not isinstance(scheduler, KubernetesScheduler):
        raise CommandError("the Kubernetes API did not answer", code="API_UNREACHABLE", path=place.server)
    jobs = NodeJobs(validation.contract, place.checks, scheduler.api)
    with jobs.prepared():
        yield jobs


def _with_obstacle(validation: ValidationRun, record: Judged) -> Judged:
    """A step that did not start is explained by the scheduler, and by what srun's words mean where that is known."""
    if record.claim not in IN_A_STEP or record.verdict is not Verdict.UNPROVEN:
        return record
    obstacle = validation.obstacle(record.node)
    cause = ended.meaning("srun", 1, record.reason, record.node)
    return record.model_copy(update={"reason": ": ".join(filter(None, [obstacle, cause])) or record.reason})


def _ask(
    validation: ValidationRun, name: str, questions: list[Question], configured: dict[str, Any],
    jobs: NodeJobs | None,
) -> list[Judged]:  # fmt: skip
    named = validation.as_observed
    limit_s = NODE_CHECK_TIMEOUT_S * named.slowdown(named.node(name))
    wanted = expectations.of(named, named.node(name)) | {
        "slowdown": named.slowdown(named.node(name)),
        "limit_s": limit_s,
        "reservation": validation.reservation_for([name]),
        "claims": [q.claim.id for q in questions],
        "scheduler": configured,
        "job": validation.busy(name)
        if validation.gate
        else "blocked by scheduler.state: the scheduler does not answer",
    }
    if jobs is not None:
        return _by_job(validation, name, questions, jobs, wanted, limit_s)
    result = validation.remote.run(
        name, script(limit_s), stdin=bundle(wanted), timeout_s=NODE_CHECK_TIMEOUT_S + 10, check=False
    )
    if booted := BOOTED.search(result.stderr):
        validation.boots[name] = booted[1]
    evidence = validation.keep(f"{name}/checks.txt", result.stdout + "\n" + result.stderr)
    # A node whose processes are stopped takes a connection and says nothing: ssh runs out of time.
    if result.returncode in (ended.SSH_FAILED, TIMED_OUT):
        why = (
            ended.why(result, "ssh", name) if result.returncode == ended.SSH_FAILED else "it does not answer"
        )
        validation.unreachable[name] = f"blocked by {name}, which cannot be reached: {why}"
        validation.answers.why("*", validation.unreachable[name], [name])
        return []
    return _read(validation, name, questions, result, evidence)


def _by_job(
    validation: ValidationRun, name: str, questions: list[Question], jobs: NodeJobs, wanted: dict[str, Any],
    limit_s: float,
) -> list[Judged]:  # fmt: skip
    """By a Job on the node. One that does not begin leaves its claims unproven, in the words of who keeps it."""
    state = validation.schedule.get(name)
    try:
        if state is None or state.base == "DOWN":
            raise NotRun(state.reason if state else f"the cluster has no node of its machine id for {name}")
        result = jobs.run(name, wanted, limit_s)
    except NotRun as why:
        for pattern in PATTERNS:
            validation.answers.why(pattern, f"the on-node checks did not run: {why.message}", [name])
        return []
    return _read(validation, name, questions, result, validation.keep(f"{name}/checks.txt", result.stderr))


def _read(
    validation: ValidationRun, name: str, questions: list[Question], result: Result, evidence: str
) -> list[Judged]:
    """What the suite answered; nothing where it printed no records, with the reason at every question."""
    try:
        records = node_json.read(result.stdout, RECORDS, name)
    except node_json.Unreadable as wrong:
        reason = wrong.message if result.ok else ended.why(result, "the on-node suite", name)
        for pattern in PATTERNS:
            validation.answers.why(pattern, f"the on-node checks gave no result: {reason}", [name])
        return []
    by_claim = {record.claim: record for record in records}
    return [
        _judged_here(validation, one, by_claim[one.claim]) for one in answers(questions, records, evidence)
    ]


def _judged_here(validation: ValidationRun, one: Judged, record: Record) -> Judged:
    """What a node only shows is judged here."""
    if one.claim == CLAIM and record.shown is not None:
        return _identified(validation, one, record.shown)
    if one.claim == affinity.CLAIM and record.observed is not None:
        return affinity.judged(
            one, validation.as_observed, validation.as_observed.node(one.node), record.observed
        )
    return one


def _identified(validation: ValidationRun, one: Judged, shown: Shown) -> Judged:
    known, simulated = validation.known.get(one.node), validation.contract.simulated
    return identity.judged(one, validation.node(one.node), shown, known, simulated=simulated)


class Record(node_json.Reply):
    """What the suite says of one claim; the same as ``Finding`` of ``node/healthcheck.py``."""

    claim: str
    verdict: str
    reason: node_json.Words = ""
    measured: float | node_json.Words | None = None
    unit: node_json.Words | None = ""
    expected: float | node_json.Words | None = None
    parts: list[node_json.Words] = Field(default_factory=list)
    at: node_json.Words = ""
    shown: Shown | None = None
    """What the node printed of itself; with claim ``node.identity`` only."""
    observed: Document | None = None
    """What it is made of; with claim ``node.affinity`` only."""


RECORDS = TypeAdapter(list[Record])


CRASHED = "the check crashed: "
"""How ``node/conftest.py`` begins the reason of a check that raised an exception."""


def _reason(question: Question, reason: str) -> str:
    """The reason as a sentence, also where a check crashed."""
    if not reason.startswith(CRASHED):
        return reason
    said = reason.removeprefix(CRASHED)
    return ended.sentence(f"the check of {question.claim.id}", 1, said, question.node)


def answers(questions: list[Question], records: list[Record], evidence: str) -> list[Judged]:
    """Verdicts from the suite's records. A verdict that is none of the three counts as unproven."""
    by_claim = {record.claim: record for record in records}
    found = []
    for question in questions:
        record = by_claim.get(question.claim.id)
        if record is None:
            continue
        known = record.verdict in list(Verdict)
        found.append(
            judged(
                question,
                Verdict(record.verdict) if known else Verdict.UNPROVEN,
                _reason(question, record.reason),
                measured=record.measured,
                unit=record.unit or "",
                expected=record.expected,
                evidence=evidence,
                at=record.at,
                detail={"parts": record.parts},
            )
        )
    return found
