"""The next round: whom to test with whom, or which flows to run over which links."""

from __future__ import annotations

import random
from collections.abc import Sequence

from railbed.errors import UsageError
from railbed.fabric import Fabric, Names
from railbed.fault_search.decision import State, decide, infer
from railbed.fault_search.pairs import next_pairs
from railbed.fault_search.paths import Paths, hops
from railbed.fault_search.record import Planned, Record, Round
from railbed.fault_search.shape import Sweep
from railbed.fault_search.sweep import sweep, variants

WORTH_IT = 0.05
"""A sweep must gain so much more on the suspects to be taken instead of one that stays nearer to the rails."""


def next_round(record: Record, where: str = "") -> Round:
    """The tests to run now. Raises UsageError where results are missing, or nothing is left to run."""
    if record.rounds and not any(test.ran for test in record.rounds[-1].tests):
        raise UsageError(
            f"round {len(record.rounds)} has no results yet", code="BLAME_NO_RESULTS",
            path=f"{where}:rounds[{len(record.rounds) - 1}]", hint="fill in its verdicts: pass, fail or unproven",
        )  # fmt: skip
    if not record.rounds and record.what == "links":
        return _first_sweep(record)
    state = infer(record, where)
    so_far = decide(record, where, state)
    if record.rounds and not so_far.next_round:
        raise UsageError(
            f"no further round: {so_far.reason}", code="BLAME_DECIDED", path=where,
            hint="`railbed blame decide` tells the answer",
        )  # fmt: skip
    planner = {"nodes": _pairs, "rails": _rails, "links": _links}[record.what]
    found = planner(record, state)
    again = [state.problem.planned[place] for place in state.path_faults.again]
    tests = [*found.tests, *_once_more(again, found.stages if found.tests else 0)]
    return _some(_round(tests), record, "nobody is left to test with")


def _once_more(tests: Sequence[Planned], after: int) -> list[Planned]:
    """The same tests in stages of their own, so that no two of a stage share a node."""
    busy: list[set[str]] = []
    found = []
    for test in tests:
        stage = next((s for s, nodes in enumerate(busy) if not nodes & set(test.nodes)), len(busy))
        busy[stage : stage + 1] = [(busy[stage] if stage < len(busy) else set()) | set(test.nodes)]
        found.append(test.model_copy(update={"stage": after + stage + 1, "verdict": None}))
    return found


def _some(found: Round, record: Record, reason: str) -> Round:
    if not found.tests:
        raise UsageError(
            reason, code="BLAME_NOTHING_TO_RUN", path="nodes", found=f"{len(record.players)} nodes",
            hint="name more nodes, or known good partners",
        )  # fmt: skip
    return found


def _pairs(record: Record, state: State) -> Round:
    return _round(_one_rail(record, state, list(range(len(record.players))), None))


def _rails(record: Record, state: State) -> Round:
    count, tests = len(record.players), []
    for rail in range(record.rails):
        parts = [node * record.rails + rail for node in range(count)]
        tests += _one_rail(record, state, parts, rail)
    return _round(tests)


def _one_rail(record: Record, state: State, parts: Sequence[int], rail: int | None) -> list[Planned]:
    """Pairs of those ``parts``, one per node, that may still play."""
    out = state.guilty | state.hidden
    playing = [node for node, part in enumerate(parts) if part not in out]
    probability = [state.probability[part] for part in parts]
    players = record.players
    place = {name: node for node, name in enumerate(players)}
    met = {
        (min(a, b), max(a, b))
        for one in record.rounds
        for test in one.tests
        if test.ran and test.rail == rail
        for a, b in [(place[test.nodes[0]], place[test.nodes[1]])]
    }
    # One seed for all rails of a round: as long as they look alike, they are tested between the same nodes.
    rng = random.Random(f"{record.rule.seed}:{len(record.rounds)}")  # noqa: S311 - nothing secret
    pairs = next_pairs(probability, playing, met, rng)
    tests = [Planned(nodes=(players[a], players[b]), rail=rail) for a, b in pairs]
    paired = {node for pair in pairs for node in pair}
    alone = [node for node in playing if node not in paired and parts[node] in state.untested]
    if len(alone) == 1 and pairs:
        # An odd number: the last one has its turn after the others, so that the first round leaves nobody out.
        nodes = (players[alone[0]], players[pairs[0][0]])
        tests.append(Planned(stage=2, nodes=nodes, rail=rail))
    return tests


def _first_sweep(record: Record) -> Round:
    fabric, names = record.sized()
    reason = "no flow between two of these nodes crosses a cable between switches"
    return _some(_round(_flows(sweep(fabric), _paths(fabric, names))), record, reason)


def _paths(fabric: Fabric, names: Names) -> list[Paths]:
    return [Paths(fabric, names, plane) for plane in range(fabric.request.planes)]


def _links(record: Record, state: State) -> Round:
    """The flows of a further sweep that run over anything open and over nothing guilty."""
    fabric, names = record.sized()
    paths, first = _paths(fabric, names), len(record.rounds)
    number = {hop: part for part, hop in enumerate(state.problem.parts)}
    open_parts, out = set(state.open_parts), state.guilty | state.hidden
    best: tuple[float, list[Planned]] = (-1.0, [])
    tried = variants(fabric, first)
    for variant in tried if record.rule.least_failing == 1 else tried[:1]:
        kept, company = [], dict.fromkeys(open_parts, len(number))
        for test in _flows(sweep(fabric, variant), paths):
            parts = {number[hop] for hop in hops(test.path or "")}
            asked = parts & open_parts
            if asked and not parts & out:
                kept.append(test)
                for part in asked:
                    company[part] = min(company[part], len(asked))
        # A test decides a suspect that is alone in it; with others the less, the more there are.
        worth = sum(1 / count for count in company.values())
        if worth > best[0] * (1 + WORTH_IT):
            best = (worth, kept)
    return _round(best[1])


def _flows(made: Sweep, paths: Sequence[Paths]) -> list[Planned]:
    """Every flow in every plane, by name."""
    return [
        Planned(stage=flow.stage + 1, nodes=(named.nodes[flow.sender], named.nodes[flow.receiver]),
                path=named.of(flow))
        for flow in made.flows
        for named in paths
    ]  # fmt: skip


def _round(tests: Sequence[Planned]) -> Round:
    """The tests with their stages counted from 1 without gaps."""
    stages = {stage: number for number, stage in enumerate(sorted({test.stage for test in tests}), 1)}
    renumbered = [test.model_copy(update={"stage": stages[test.stage]}) for test in tests]
    return Round(stages=len(stages), tests=renumbered)
