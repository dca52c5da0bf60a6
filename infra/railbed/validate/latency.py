"""The claim ``fabric.latency``: small messages over every rail of every node, each against two partners, all in one window."""

from __future__ import annotations

from collections.abc import Collection, Sequence

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
ATTEMPTS = 4
"""One that is slow for the first time in the second window is measured in the third, and those beside it there in the fourth."""
SIBLINGS = 3
"""So many times as many nodes as are in doubt are measured again, where there are: most of what a window compares is sound."""
SECONDS = 1


def run(validation: ValidationRun) -> None:
    """Measures what is asked. A rail that is slow, or gave no time, is measured again, among siblings."""
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
    every = [flow for a, b in ring_flows(_by_unit(free)) for flow in survey.each_rail(a, b)]
    wanted = every
    samples: list[LatencySample] = []
    outcomes: dict[str, Outcome] = {}
    for attempt in range(1, ATTEMPTS + 1):
        validation.say(f"latency of {len(wanted)} ways between nodes{', once more' if attempt > 1 else ''}")
        found = _measure(survey, wanted, attempt)
        samples += found
        outcomes = law.judge(samples, rails, limit_us, _tool(survey).slack_us)
        doubtful = {name for name, one in outcomes.items() if one.doubts}
        disturbed = next((s.disturbed for s in found if s.disturbed), "")
        if not doubtful or attempt == ATTEMPTS or (disturbed and not patience.pause(disturbed)):
            break
        wanted = again(every, doubtful)
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


def again(every: Sequence[Flow], doubtful: Collection[str]) -> list[Flow]:
    """The flows of the nodes in doubt and of their partners, and of others until most nodes are in no doubt. Pure.

    Partners are measured with their other partners too: with a slow one alone all of them would look slow.
    """
    ends = [(flow.sender, flow.receiver) for flow in every]
    near = {name for pair in ends if set(pair) & set(doubtful) for name in pair}
    others = [name for name in dict.fromkeys(name for pair in ends for name in pair) if name not in near]
    near |= set(others[: max(0, SIBLINGS * len(doubtful) - len(near))])
    return [flow for flow in every if {flow.sender, flow.receiver} & near]


def _by_unit(nodes: Sequence[Node]) -> list[str]:
    """Names so that neighbours are mostly in one scalable unit: a way through a spine takes longer."""
    return [node.name for node in sorted(nodes, key=lambda node: node.scalable_unit)]


def _tool(survey: Survey) -> latency_tools.LatencyTool:
    return latency_tools.TOOLS[survey.machine.transport]


def _measure(survey: Survey, wanted: Sequence[Flow], window: int) -> list[LatencySample]:
    tool, name = _tool(survey), f"rails/latency-{window}.json"
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
                window=window,
            )
        )  # fmt: skip
    return found
