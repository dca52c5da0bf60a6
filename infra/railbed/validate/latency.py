"""The claim ``fabric.latency``: small messages over every rail of every node, each against two partners, all in one window."""

from __future__ import annotations

from collections.abc import Sequence

from railbed.claims import Verdict
from railbed.contract import Node
from railbed.judge import latency as law
from railbed.judge.latency import LatencySample, Outcome
from railbed.judge.rails import PARTNERS_NEEDED
from railbed.validate import latency_tools
from railbed.validate.answers import judged
from railbed.validate.flow_tool import Flow
from railbed.validate.pairs import ring_flows
from railbed.validate.patience import Patience
from railbed.validate.survey import Survey, able, conditions, enough
from railbed.validate.validation_run import ValidationRun

CLAIM = "fabric.latency"
ATTEMPTS = 3
SECONDS = 1


def run(validation: ValidationRun) -> None:
    """Measures what is asked. A rail that is slow, or gave no time, is measured again, with the partners that it has."""
    if not validation.scope.asks(CLAIM):
        return
    free = able(validation, CLAIM)
    asked = {q.node: q for q in validation.scope.get(CLAIM) if q.node in {node.name for node in free}}
    if not asked:
        return
    if not enough(validation, CLAIM, free, PARTNERS_NEEDED + 1):
        return
    survey, patience = Survey(validation, free), Patience(validation.say)
    limit_us = next(q.claim.expectation.expected if q.claim.expectation else None for q in asked.values())
    rails = {name: [rail.index for rail in survey.nodes[name].rails] for name in asked}
    wanted = [flow for a, b in ring_flows(_by_unit(free)) for flow in survey.each_rail(a, b)]
    samples: list[LatencySample] = []
    outcomes: dict[str, Outcome] = {}
    for attempt in range(1, ATTEMPTS + 1):
        validation.say(f"latency of {len(wanted)} ways between nodes{', once more' if attempt > 1 else ''}")
        found = _measure(survey, wanted, f"rails/latency-{attempt}.json")
        samples += found
        outcomes = law.judge(samples, rails, limit_us, _tool(survey).slack_us)
        doubtful = {name for name, one in outcomes.items() if one.verdict is not Verdict.PASS}
        disturbed = next((s.disturbed for s in found if s.disturbed), "")
        if not doubtful or attempt == ATTEMPTS or (disturbed and not patience.pause(disturbed)):
            break
        wanted = [flow for flow in wanted if {flow.sender, flow.receiver} & doubtful]
    evidence = validation.keep("rails/latency.json", [s.model_dump(mode="json") for s in samples])
    for name, one in outcomes.items():
        dead = validation.dead_rails.get(name, "")
        reason = f"{dead}: {one.reason}" if dead and one.verdict is Verdict.UNPROVEN else one.reason
        detail = {"latency_us": {str(rail): us for rail, us in one.rails.items()}}
        validation.answers.add(
            judged(
                asked[name], one.verdict, reason, measured=one.measured, evidence=evidence,
                detail={**detail, "parts": one.parts} if one.parts else detail,
            )
        )  # fmt: skip


def _by_unit(nodes: Sequence[Node]) -> list[str]:
    """Names so that neighbours are mostly in one scalable unit: a way through a spine takes longer."""
    return [node.name for node in sorted(nodes, key=lambda node: node.scalable_unit)]


def _tool(survey: Survey) -> latency_tools.LatencyTool:
    return latency_tools.TOOLS[survey.machine.transport]


def _measure(survey: Survey, wanted: Sequence[Flow], name: str) -> list[LatencySample]:
    tool = _tool(survey)
    ends, seen = survey.play(tool, wanted, bidirectional=False, name=name, seconds=SECONDS)
    traffic = survey.traffic(ends)
    found = []
    for flow in wanted:
        absent = ends[flow.sender].error or ends[flow.receiver].error
        timing = tool.timing(flow, ends)
        bad = conditions(seen, traffic, dict.fromkeys((flow.sender, flow.receiver), flow.rail))
        found.append(
            LatencySample(
                rail=flow.rail, sender=flow.sender, receiver=flow.receiver,
                latency_us=None if absent else timing.latency_us, reason=absent or timing.error, disturbed=bad,
            )
        )  # fmt: skip
    return found
