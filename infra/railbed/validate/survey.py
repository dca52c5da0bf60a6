"""Windows of a measurement over rails: flows that start together, and the conditions of their nodes meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from secrets import SystemRandom

from railbed.claims import Judged, Verdict
from railbed.contract import Contract, Machine, Node
from railbed.defaults import RAIL_SECONDS, RAIL_SLACK_S
from railbed.judge.rails import RailSample
from railbed.text import few
from railbed.validate import flows
from railbed.validate.conditions import Watch, watch, words
from railbed.validate.flow_tool import PROBE, Flow, Runner, Tool
from railbed.validate.pairs import Pair
from railbed.validate.patience import Patience
from railbed.validate.rendezvous import End, argv, meet, plain
from railbed.validate.validation_run import ValidationRun

OVERLAP_FRACTION = 0.5
"""Flows that shall load the fabric together must all have sent for this share of the measured seconds: starting a
process takes up to a second on a busy node, and what is left of two is enough for a rate."""
ENOUGH_FRACTION = 0.5
"""Of the nodes with rails: what fewer of them carry says nothing of the fabric that joins all."""
SHOWN = 8
"""Nodes that are named."""
TOGETHER_SECONDS_MOST = 8
"""The longest window over all rails: it doubles from RAIL_SECONDS each time that the flows did not run side by side. Beside four
busy loops the 40 iperf3 of a lab start 2 to 3 s apart."""


class Survey:
    """The flows of one run: each call of ``measure`` is a window in which its flows start together."""

    def __init__(self, validation: ValidationRun, nodes: Sequence[Node]) -> None:
        self.validation = validation
        self.nodes = {node.name: node for node in nodes}
        self.samples: list[RailSample] = []
        self.window = 0

    @cached_property
    def tool(self) -> Tool:
        """What measures how much the rails of these nodes carry."""
        return flows.tool_for(self.validation.as_observed, self.nodes)

    @cached_property
    def seconds(self) -> int:
        """Of a window, at least: slow lines need longer ones."""
        rates = {
            rail.rate_gbps / max(1, len(rail.nics)) for node in self.nodes.values() for rail in node.rails
        }
        return max([RAIL_SECONDS, *map(self.tool.least_s, rates)])

    @cached_property
    def machine(self) -> Machine:
        """Of these nodes, whose rails are of one kind."""
        return self.validation.contract.machine(next(iter(self.nodes.values())).machine)

    def longer(self, seconds: int) -> int:
        """The next window where flows did not run side by side: programs that start apart on busy nodes still send together for
        most of a longer one."""
        return min(2 * seconds, max(TOGETHER_SECONDS_MOST, self.seconds))

    def without(self, record: Judged) -> Judged:
        """The record, which names the nodes with rails that took no part; no pass where most took none."""
        absent = [node.name for node in self.validation.rail_nodes() if node.name not in self.nodes]
        if not absent:
            return record
        few_took_part = len(self.nodes) < ENOUGH_FRACTION * (len(self.nodes) + len(absent))
        verdict = Verdict.UNPROVEN if few_took_part and record.verdict is Verdict.PASS else record.verdict
        said = "too few took part, " if verdict is not record.verdict else ""
        reason = f"{said}without {few(absent, SHOWN)}: {record.reason}"
        return record.model_copy(update={"verdict": verdict, "reason": reason})

    def play(
        self,
        runner: Runner,
        wanted: Sequence[Flow],
        *,
        bidirectional: bool,
        name: str,
        seconds: int,
        contract: Contract | None = None,
    ) -> tuple[dict[str, End], Watch]:
        """Runs all flows at once and keeps what the nodes answered; also the conditions of the nodes. ``contract``: whose cards
        carry them, where it is not the run's."""
        self.window += 1
        shuffled = list(wanted)
        # Which program starts first must not be the same rail's each time (judge/windows.py).
        SystemRandom().shuffle(shuffled)
        contract = contract or self.validation.as_observed
        nodes = {name: contract.node(name) for name in self.nodes}
        plans = flows.plans(runner, contract, nodes, shuffled, bidirectional=bidirectional, seconds=seconds)
        script, remote = PROBE.read_text(), self.validation.remote
        slowdown = max(contract.slowdown(node) for node in nodes.values())
        with watch(remote, plans) as seen:
            ends = meet(
                lambda node: remote.session(node, argv(script, "rail_probe")),
                script,
                plans,
                flows.deadline_s(seconds, slowdown) + int(RAIL_SLACK_S * slowdown),
            )
        self.validation.keep(
            name, {"conditions": seen.plain(), "ends": {n: plain(end) for n, end in ends.items()}}
        )
        return ends, seen

    def measure(
        self, wanted: Sequence[Flow], *, bidirectional: bool, name: str, seconds: int = 0
    ) -> tuple[list[RailSample], Watch]:
        """Runs all flows at once for ``seconds`` or longer and returns what arrived, and the conditions of the nodes."""
        tool, seconds = self.tool, max(seconds, self.seconds)
        ends, seen = self.play(tool, wanted, bidirectional=bidirectional, name=name, seconds=seconds)
        found = [
            sample
            for flow in wanted
            for sample in flows.samples_of(
                tool, flow, ends, bidirectional=bidirectional, window=self.window, seconds=seconds
            )
        ]
        traffic = self.traffic(ends)
        return [_beside(sample, seen, traffic) for sample in flows.side_by_side(found)], seen

    def traffic(self, ends: Mapping[str, End]) -> dict[str, dict[int, str]]:
        """Node → rail → what it carried beside our flows."""
        return {node: flows.other_traffic(self.nodes[node], end) for node, end in ends.items()}

    def round(self, pairs: Sequence[Pair], text: str) -> None:
        """Measures all rails of disjoint pairs, both directions."""
        self.validation.say(f"rails, {text}: {', '.join(f'{a} ↔ {b}' for a, b in pairs)}")
        wanted = [flow for a, b in pairs for flow in self.each_rail(a, b)]
        found, _ = self.measure(wanted, bidirectional=True, name=f"rails/round-{self.window + 1}.json")
        self.samples += found

    def each_rail(self, sender: str, receiver: str) -> list[Flow]:
        """A flow over every rail that both have."""
        there = {rail.index for rail in self.nodes[receiver].rails}
        return [
            Flow(sender, receiver, rail.index) for rail in self.nodes[sender].rails if rail.index in there
        ]


def able(validation: ValidationRun, claim: str) -> list[Node]:
    """The nodes with rails that can be measured now; says of the others why a claim stays open there."""
    found = []
    for node in validation.rail_nodes():
        why = validation.unreachable.get(node.name) or validation.busy(node.name)
        if why:
            validation.answers.why(claim, why, [node.name])
        else:
            found.append(node)
    return found


def enough(validation: ValidationRun, claim: str, free: Sequence[Node], least: int = 2) -> bool:
    """Whether so many nodes can take part that the claim can be asked at all; says why it stays open where not."""
    if len(free) < least:
        validation.answers.why(claim, f"{len(free)} nodes can take part, needs {least}")
    return len(free) >= least


def rails_at_fault(validation: ValidationRun) -> tuple[set[tuple[str, int]], set[tuple[str, str]]]:
    """Rails of nodes that carry nothing, and the parts of all that failed by themselves in this run."""
    failed = [
        one for one in validation.answers.given() if one.verdict is Verdict.FAIL and one.rail is not None
    ]
    dead = {(one.node, one.rail) for one in failed if one.rail is not None and one.measured == 0}
    return dead, {(one.node, f"rail {one.rail}") for one in failed}


def lit(flows: Sequence[Flow], dead: set[tuple[str, int]]) -> tuple[list[Flow], set[tuple[str, int]]]:
    """Flows whose rails carry something, and the dead rails for which others are left out."""
    found: list[Flow] = []
    dark: set[tuple[str, int]] = set()
    for flow in flows:
        of_it = {(flow.sender, flow.rail), (flow.receiver, flow.to_rail)} & dead
        dark |= of_it
        found += [] if of_it else [flow]
    return found, dark


def blocked(rails: set[tuple[str, int]]) -> str:
    """Which dead rails stand in the way."""
    return "; ".join(f"blocked by fabric.rail.{rail}.bandwidth on {node}" for node, rail in sorted(rails))


def apart(samples: Sequence[RailSample], seconds: int) -> str:
    """Why flows that should load the fabric together did not; empty where they did."""
    together_s = flows.together_s([s for s in samples if s.gbps])
    if together_s >= seconds * OVERLAP_FRACTION:
        return ""
    return f"the flows ran side by side for {together_s:.2g} of {seconds} s only"


def may_go_on(survey: Survey, patience: Patience) -> bool:
    """Whether to measure again now: at once after a good window, after a pause while nodes are busy."""
    last = [s for s in survey.samples if s.window == survey.window and s.disturbed]
    return not last or patience.pause(last[0].disturbed)


def _beside(sample: RailSample, seen: Watch, traffic: dict[str, dict[int, str]]) -> RailSample:
    """The sample with what was wrong with the conditions at its ends; a rail without carrier has none that matter."""
    if not sample.carrier:
        return sample
    ends = {sample.sender: sample.rail, sample.receiver: sample.far_rail}
    return sample.model_copy(update={"disturbed": conditions(seen, traffic, ends)})


def conditions(seen: Watch, traffic: Mapping[str, Mapping[int, str]], ends: Mapping[str, int]) -> str:
    """What was wrong at the ends of a flow, node → rail; empty where nothing was."""
    problems = seen.problems(list(ends))
    for node, rail in ends.items():
        if other := traffic[node].get(rail):
            problems[node] = [*problems.get(node, []), other]
    return words(problems)
