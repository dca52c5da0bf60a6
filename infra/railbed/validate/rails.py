"""The rails: each by itself, both directions, against two partners; then all rails of all nodes at once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from railbed.contract import Node, Rail
from railbed.defaults import BOUND_TOLERANCE, RAIL_OMIT_S, RAIL_PORT, RAIL_SECONDS, RAIL_SLACK_S
from railbed.effects.journal import now_iso
from railbed.model import rails as law
from railbed.model.claims import Judged, Verdict
from railbed.model.rails import RailSample
from railbed.parse import iperf3
from railbed.validate.answers import against_floor
from railbed.validate.bench import Bench
from railbed.validate.pairs import Pair, ring_flows, ring_rounds, star_rounds
from railbed.validate.scope import Question

PROBE = Path(__file__).parent / "node" / "rail_probe.py"
EACH = "fabric.rail.*.bandwidth"
TOGETHER = "fabric.all_rails"
DEADLINE_S = RAIL_SECONDS + RAIL_OMIT_S + RAIL_SLACK_S
REFUSED = "Connection refused"
Flow = tuple[str, str, int]
"""Sender, receiver, rail."""


def run(bench: Bench) -> None:
    """Measures what is asked of the rails. Nodes with a job on them are left alone."""
    if not (bench.scope.asks(EACH) or bench.scope.asks(TOGETHER)):
        return
    why = bench.unmeasurable()
    if why:
        bench.answers.why(EACH, why)
        bench.answers.why(TOGETHER, why)
        return
    able = []
    for node in bench.rail_nodes():
        why = bench.unreachable.get(node.name) or bench.busy(node.name)
        if why:
            bench.answers.why(EACH, why, [node.name])
        else:
            able.append(node)
    if bench.scope.asks(EACH):
        _each(bench, able)
    if bench.scope.asks(TOGETHER):
        _together(bench, able)


def _rounds(bench: Bench, names: Sequence[str]) -> list[list[Pair]]:
    """Every node in a ring; one node with partners; some nodes in a ring, with a partner from outside where they are two."""
    only = [name for name in names if name in bench.scope.only]
    if not bench.scope.only:
        return ring_rounds(names)
    if len(only) == 1:
        return star_rounds(only[0], _partners(bench, only[0], names))
    others = [name for name in names if name not in only and name not in bench.dead_rails]
    return ring_rounds([*only, *others[: max(0, law.PARTNERS_NEEDED + 1 - len(only))]])


def _partners(bench: Bench, node: str, names: Sequence[str]) -> list[str]:
    """Whom to measure one node with; those with a dead rail of their own say less and come last."""
    others = [name for name in names if name != node]
    return sorted(others, key=lambda name: name in bench.dead_rails)[: law.PARTNERS_NEEDED]


def _each(bench: Bench, able: Sequence[Node]) -> None:
    by_name = {node.name: node for node in able}
    names = list(by_name)
    asked = [q for q in bench.scope.get(EACH) if q.node in by_name]
    rounds = _rounds(bench, names) if asked else []
    samples: list[RailSample] = []
    for number, pairs in enumerate(rounds, 1):
        samples += _round(bench, by_name, pairs, f"round {number} of {len(rounds)}")
    verdicts = _judge(bench, samples, asked)
    # Slow is what is slow twice: another program's burst on a shared host is no fault of a rail.
    missed = [v.node for v in verdicts if v.verdict is not Verdict.PASS]
    doubtful = [name for name in dict.fromkeys(missed) if name not in bench.dead_rails]
    if len(doubtful) == 1:
        rounds = star_rounds(doubtful[0], _partners(bench, doubtful[0], names))
    for pairs in rounds if doubtful else []:
        samples += _round(bench, by_name, pairs, "once more")
    evidence = bench.keep("rails/samples.json", [s.model_dump(mode="json") for s in samples])
    for verdict in _judge(bench, samples, asked) if doubtful else verdicts:
        bench.answers.add(verdict.model_copy(update={"evidence": evidence, "at": now_iso()}))
        if verdict.measured == 0:
            told = f"blocked by {verdict.claim} on {verdict.node}"
            bench.dead_rails.setdefault(verdict.node, told)


def _round(bench: Bench, nodes: dict[str, Node], pairs: Sequence[Pair], told: str) -> list[RailSample]:
    bench.say(f"rails, {told}: {', '.join(f'{a} ↔ {b}' for a, b in pairs)}")
    flows = [(a, b, rail.index) for a, b in pairs for rail in _shared(nodes[a], nodes[b])]
    name = f"rails/{pairs[0][0]}-{pairs[0][1]}-{told.replace(' ', '-')}.json"
    return [_possible(s, nodes[s.sender]) for s in _measure(bench, nodes, flows, both_ways=True, name=name)]


def _possible(sample: RailSample, node: Node) -> RailSample:
    """A rate above the line is a wrong number, so it is none.

    A receiver that was held up while the start of a flow was left out reads the backlog later.
    """
    line = next(rail.rate_gbps for rail in node.rails if rail.index == sample.rail)
    if sample.gbps is None or sample.gbps <= line * (1 + BOUND_TOLERANCE):
        return sample
    told = f"{sample.gbps:.4g} Gb/s is above the line rate of {line:.4g}: a wrong number"
    return sample.model_copy(update={"gbps": None, "reason": told})


def _judge(bench: Bench, samples: Sequence[RailSample], asked: Sequence[Question]) -> list[Judged]:
    """The verdicts asked for, with all rails in view: siblings tell a slow rail from a slow node."""
    found = []
    for question in asked:
        if question.claim.expectation is None:
            told = "the contract does not say what this rail must reach"
            bench.answers.why(question.claim.id, told, [question.node])
            continue
        index = int(question.claim.id.split(".")[2])
        found += law.judge(
            samples, {index: question.claim.expectation}, [question.node], least_omitted_s=RAIL_OMIT_S,
            simulated=question.claim.simulated,
        )  # fmt: skip
    return found


def _shared(a: Node, b: Node) -> list[Rail]:
    there = {rail.index for rail in b.rails}
    return [rail for rail in a.rails if rail.index in there]


def _address(node: Node, rail: int) -> str:
    return next(r.address for r in node.rails if r.index == rail).partition("/")[0]


def _measure(
    bench: Bench, nodes: dict[str, Node], flows: Iterable[Flow], *, both_ways: bool, name: str
) -> list[RailSample]:
    """Runs all flows at once and returns what arrived."""
    plans: dict[str, dict[str, Any]] = {}
    wanted = list(flows)
    for sender, receiver, rail in wanted:
        for node in (sender, receiver):
            plans.setdefault(
                node, {"servers": [], "clients": [], "seconds": RAIL_SECONDS, "omit": RAIL_OMIT_S,
                       "deadline_s": DEADLINE_S},
            )  # fmt: skip
        address, port = _address(nodes[receiver], rail), RAIL_PORT + rail
        plans[receiver]["servers"].append({"address": address, "port": port})
        plans[sender]["clients"].append(
            {"id": f"{rail}:{receiver}", "local": _address(nodes[sender], rail), "remote": address,
             "port": port, "both_ways": both_ways},
        )  # fmt: skip
    script = PROBE.read_text()

    def ask(node: str) -> dict[str, Any] | str:
        argv = ["python3", "-", json.dumps(plans[node])]
        result = bench.remote.run(node, argv, stdin=script, timeout_s=DEADLINE_S + RAIL_SLACK_S, check=False)
        try:
            reply: dict[str, Any] = json.loads(result.stdout)
        except json.JSONDecodeError:
            return f"the probe on {node} gave no result: {result.tail()}"
        return reply

    replies = bench.remote.each(plans, ask)
    bench.keep(name, replies)
    return [s for flow in wanted for s in samples_of(flow, replies, both_ways=both_ways)]


def samples_of(flow: Flow, replies: dict[str, dict[str, Any] | str], *, both_ways: bool) -> list[RailSample]:
    """The rates of one flow from the probes' replies, one per direction that was to be measured."""
    sender, receiver, rail = flow
    ends = [(sender, receiver), (receiver, sender)] if both_ways else [(sender, receiver)]
    reason = next((r for r in (replies[sender], replies[receiver]) if isinstance(r, str)), "")
    reply = replies[sender]
    entry: dict[str, Any] = {}
    if isinstance(reply, dict):
        entry = next((f for f in reply.get("flows", []) if f.get("id") == f"{rail}:{receiver}"), {})
    read = iperf3.plain(str(entry.get("output", "")))
    ways = [read["forward"], read["reverse"]]
    samples = []
    for (origin, target), way in zip(ends, ways, strict=False):
        rate = way["received_gbps"] if way and not read["error"] else None
        told = reason or read["error"] or ("" if rate is not None else "iperf3 gave no rate")
        # Both hosts answered and the rail did not: that is a rate of nothing, not a missing measurement.
        # Who refuses a connection has answered over the rail: the server was late, and nothing was measured.
        silent = (read["error"] or entry.get("code")) and REFUSED not in told
        if rate is None and not reason and silent:
            rate = 0.0
        samples.append(
            RailSample(
                rail=rail, sender=origin, receiver=target, gbps=rate,
                omitted_s=float(read["omitted_s"] or RAIL_OMIT_S), reason=told,
            )
        )  # fmt: skip
    return samples


def sums(samples: Iterable[RailSample]) -> dict[str, dict[str, float]]:
    """Node → Gb/s over all rails, ``out`` and ``in``; a flow without a rate counts as nothing."""
    found: dict[str, dict[str, float]] = {}
    for s in samples:
        for node, way in ((s.sender, "out"), (s.receiver, "in")):
            entry = found.setdefault(node, {"out": 0.0, "in": 0.0})
            entry[way] += s.gbps or 0.0
    return found


def _together(bench: Bench, able: Sequence[Node]) -> None:
    question = bench.scope.get(TOGETHER)[0]
    by_name = {node.name: node for node in able}
    if len(able) < 2:
        bench.answers.why(TOGETHER, f"{len(able)} nodes can take part, needs 2")
        return
    flows = [
        (a, b, rail.index) for a, b in ring_flows(list(by_name)) for rail in _shared(by_name[a], by_name[b])
    ]
    record = None
    for attempt, name in (
        ("at once", "rails/together.json"),
        ("at once, once more", "rails/together-again.json"),
    ):
        bench.say(f"all rails of {len(able)} nodes {attempt}")
        samples = _measure(bench, by_name, flows, both_ways=False, name=name)
        missing = sorted({s.reason for s in samples if s.gbps is None})
        if missing:
            # A server that was late, say, on a busy machine: not measured is tried again, as slow is.
            bench.answers.why(TOGETHER, "; ".join(missing))
            continue
        detail: dict[str, Any] = {
            "rates": sums(samples),
            "flows": [[s.sender, s.receiver, s.rail, s.gbps] for s in samples],
        }
        slowest = min(rate for ways in sums(samples).values() for rate in ways.values())
        record = against_floor(question, slowest, evidence=f"evidence/{name}", detail=detail)
        if record.verdict is not Verdict.FAIL or bench.dead_rails:
            break
    if record is None:
        return
    absent = [node.name for node in bench.rail_nodes() if node.name not in by_name]
    if absent:
        record = record.model_copy(update={"reason": f"without {', '.join(absent)}: {record.reason}"})
    bench.answers.add(record)
