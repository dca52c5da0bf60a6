"""The claims ``inference.*``: the reference service under the load of the spec, and while nodes of it are drained and killed.

Replicas are jobs of the scheduler on idle nodes, one job a node; the load comes from another idle node, or from the
controller where none is left. Goals are judged in a load in which nothing happens to replicas; failures in another one.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

from railbed.claims import Judged, Verdict
from railbed.contract import Node
from railbed.judge import serving as law
from railbed.laws.serving import Service
from railbed.validate import serving_fleet, serving_programs
from railbed.validate.answers import disturbed, judged
from railbed.validate.conditions import watch, words
from railbed.validate.scope import Question
from railbed.validate.serving_fleet import Fleet, Load, NotServed
from railbed.validate.validation_run import ValidationRun

PATTERN = "inference.*"
TTFT, TPOT, GOODPUT, FAILOVER = (f"inference.{name}" for name in ("ttft", "tpot", "goodput", "failover"))
GOALS = (TTFT, TPOT, GOODPUT)
TRIES = 2
"""A goal counts as missed when it is missed so many loads in a row: once that may be another program's burst."""
ACCUSED = ["service"]


def run(validation: ValidationRun) -> None:
    """Starts the service, loads it, and answers what is asked."""
    service, scheduler = validation.contract.serving, validation.scheduler
    if not validation.scope.asks(PATTERN):
        return
    if scheduler is None or service is None:
        why = "blocked: no scheduler answers" if service else "the contract has no service: run `railbed up`"
        validation.answers.why(PATTERN, why)
        return
    serving_fleet.clear(validation, scheduler, [])
    nodes, client, why = _nodes(validation, service, scheduler.controller)
    if not nodes:
        validation.answers.why(PATTERN, why)
        return
    machine = validation.contract.machine(nodes[0].machine)
    asked = [one for claim in GOALS for one in validation.scope.get(claim)]
    endings = validation.scope.get(FAILOVER)
    try:
        with serving_fleet.fleet(validation, scheduler, machine, service, nodes, client, TRIES) as fleet:
            if asked:
                _goals(validation, fleet, asked)
            for question in endings:
                validation.answers.add(_failover(validation, fleet, question))
    except NotServed as broken:
        validation.answers.why(PATTERN, broken.message)


def _nodes(validation: ValidationRun, service: Service, controller: str) -> tuple[list[Node], Node, str]:
    """Nodes for the replicas, or none and why; and where the load comes from."""
    wanted = len(service.placed)
    free, why = validation.usable(wanted)
    names = [*free[: wanted + 1], controller][: wanted + 1]
    return [validation.node(name) for name in names[:wanted] if free], validation.node(names[-1]), why


def _goals(validation: ValidationRun, fleet: Fleet, asked: list[Question]) -> None:
    """Loads the service until its goals are met, TRIES times at most."""
    service, requests = fleet.service, serving_programs.count(fleet.service)
    for attempt in range(1, TRIES + 1):
        again = f", try {attempt}" if attempt > 1 else ""
        validation.say(
            f"{service.replicas} replicas on {len(fleet.nodes)} nodes answer {requests} requests at "
            f"{service.requests_per_s:g} a second{again}"
        )
        evidence = f"inference/load-{attempt}.jsonl"
        with watch(validation.remote, _names(fleet)) as seen:
            load = fleet.load(requests, serving_programs.load_s(service), evidence)
        records = [_goal(one, load, fleet, f"evidence/{evidence}", words(seen.problems())) for one in asked]
        if attempt == TRIES or not any(one.verdict is Verdict.FAIL for one in records):
            validation.answers.add(*records)
            return


def _goal(question: Question, load: Load, fleet: Fleet, evidence: str, conditions: str) -> Judged:
    reach, service = question.claim.expectation, fleet.service
    if question.claim.id == GOODPUT:
        outcome = law.goodput(load.requests, service, reach)
    else:
        outcome = law.latency(load.requests, service, reach, first=question.claim.id == TTFT)
    return _record(question, outcome, load, fleet, evidence, conditions)


def _failover(validation: ValidationRun, fleet: Fleet, question: Question) -> Judged:
    """Drains the replicas of one node, brings them back, kills those of another, all under load."""
    numbers = dict(zip((node.name for node in fleet.nodes), fleet.service.placed, strict=True))
    first, second = fleet.nodes[0], fleet.nodes[-1]
    longest = serving_programs.failover_s(fleet.machine, fleet.service)
    most = max(1, int(longest * fleet.service.requests_per_s * 2))
    evidence = "inference/failover.jsonl"
    with watch(validation.remote, _names(fleet)) as seen, ThreadPoolExecutor(max_workers=1) as pool:
        loading = pool.submit(fleet.load, most, longest, evidence, until=serving_programs.STOP)
        try:
            validation.say(f"replicas on {first.name} are told to end, under load")
            drained = fleet.stop(first, numbers[first.name], "TERM")
            if drained.in_flight:
                fleet.begin(first, numbers[first.name])
                fleet.wait_ready(first, numbers[first.name])
            validation.say(f"replicas on {second.name} are killed, under load")
            killed = fleet.stop(second, numbers[second.name], "KILL")
        finally:
            validation.remote.run(fleet.client.name, ["touch", serving_programs.STOP], check=False)
        load = loading.result()
    broken = fleet.by_node(load)
    outcome = law.failover(load.requests, drained, killed, broken)
    return _record(
        question, outcome, load, fleet, f"evidence/{evidence}", words(seen.problems()),
        {"drained": asdict(drained), "killed": asdict(killed), "broken_off": broken},
    )  # fmt: skip


def _names(fleet: Fleet) -> list[str]:
    return [*(node.name for node in fleet.nodes), fleet.client.name]


def _record(
    question: Question, outcome: law.Outcome, load: Load, fleet: Fleet, evidence: str, conditions: str,
    more: dict[str, object] | None = None,
) -> Judged:  # fmt: skip
    """What is too slow, or not answered in time, proves nothing under bad conditions."""
    detail = {
        "nodes": [node.name for node in fleet.nodes], "client": fleet.client.name, "requests": len(load.requests),
        "requests_per_s": fleet.service.requests_per_s, "conditions": conditions,
        "replicas": [one.model_dump() for one in load.replicas], **(more or {}),
        **({"parts": ACCUSED} if outcome.verdict is Verdict.FAIL else {}),
    }  # fmt: skip
    unit = "failed requests" if question.claim.id == FAILOVER else ""
    record = judged(
        question,
        outcome.verdict,
        outcome.reason,
        measured=outcome.measured,
        unit=unit,
        evidence=evidence,
        detail=detail,
    )
    return disturbed(record, conditions)
