"""The claims ``gpu.*``: how fast GPUs compute and copy, and whether they compute the same bits.

One program on every node (``node/gpu_probe.py``), through the scheduler where there is one: a step over all nodes, whose
standard input srun gives to each of them (srun(1), --input). It takes the nodes whole, so no job begins beside it. It computes
on what the machine trains on, as the reference job.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from railbed import ended
from railbed.claims import Judged, Verdict
from railbed.contract import Machine
from railbed.defaults import FABRIC_OUTPUT_BYTES, STEP_WAIT_S
from railbed.effects import node_bundle, node_json
from railbed.judge import gpu_pairs
from railbed.judge import gpus as law
from railbed.run import Result
from railbed.validate import gpu_peers, steps
from railbed.validate.answers import judged
from railbed.validate.gpu_answers import LINE, PROGRAM, GpuReply, Line, joined
from railbed.validate.scope import Question
from railbed.validate.validation_run import ValidationRun

GPU_PROBE_S = {"cuda": 300, "cpu": 60}
"""A probe of all GPUs of a node that takes longer is stuck; expected: a minute, and some seconds."""

PROBE = node_bundle.in_one_text("gpu_probe", "gpu_lines")
PATTERN = "gpu.*"
DETERMINISM, PEERS = "gpu.determinism", "gpu.p2p"
RATES_OF = {
    "gpu.gemm.bf16": ("bf16",),
    "gpu.gemm.fp8": ("fp8",),
    "gpu.gemm.fp64": ("fp64",),
    "gpu.hbm": ("hbm",),
    "gpu.copies": ("h2d", "d2h"),
    DETERMINISM: (),
    PEERS: (),
}
"""Claim → rates that answer it."""
ASKED = {**{claim: claim.rpartition(".")[2] for claim in RATES_OF}, DETERMINISM: "digest"}
"""Claim → what the probe calls it."""
NEEDS = ("node.driver", "node.gpus")
"""Claims without which the GPUs cannot all compute."""
SSH_S = 30.0


@dataclass
class Fleet:
    """All nodes of one machine type."""

    machine: Machine
    questions: dict[str, list[Question]] = field(default_factory=dict)
    """Node → what is asked of it."""
    parts: dict[str, GpuReply] = field(default_factory=dict)
    peers: dict[str, GpuReply] = field(default_factory=dict)
    """Of nodes that are not measured now, from the last whole run."""
    evidence: str = ""


def run(validation: ValidationRun) -> None:
    """Measures every node that can take a step, and answers the claims of all of them."""
    questions = [one for one in validation.scope.get(PATTERN) if one.claim.id in RATES_OF]
    if not questions:
        return
    validation.refresh()
    fleets: dict[str, Fleet] = {}
    asked = {question.node for question in questions}
    for question in questions:
        if reason := obstacle(validation, question.node):
            validation.answers.why(PATTERN, reason, [question.node])
            continue
        key = validation.node(question.node).machine
        fleet = fleets.setdefault(key, Fleet(validation.contract.machine(key)))
        fleet.questions.setdefault(question.node, []).append(question)
    for fleet in fleets.values():
        for nodes in together(validation, list(fleet.questions)):
            validation.say(f"GPUs of {len(nodes)} nodes compute")
            _start(validation, fleet, nodes)
        kept = {name: reply.model_dump(mode="json") for name, reply in sorted(fleet.parts.items())}
        fleet.evidence = validation.keep(gpu_peers.kept_as(fleet.machine), kept)
        fleet.peers = gpu_peers.last(validation, fleet.machine, fleet.parts, asked)
        validation.answers.add(*_answers(validation, fleet))


def obstacle(validation: ValidationRun, name: str) -> str:
    """Why the node cannot be measured; empty where it can."""
    if reason := validation.unreachable.get(name) or validation.busy(name):
        return reason
    for claim in NEEDS:
        known = validation.answers.of(claim, name)
        if known is not None and known.verdict is not Verdict.PASS:
            return f"blocked by {claim} on {name}"
    if validation.contract.scheduler != "slurm":
        return ""
    reason, gpus = validation.obstacle(name), validation.node(name).gpus
    if not reason and validation.schedule[name].gpus < gpus:
        reason = (
            f"blocked by scheduler.state: it offers {validation.schedule[name].gpus} of {gpus} GPUs of {name}"
        )
    return reason


def together(validation: ValidationRun, nodes: Sequence[str]) -> Iterator[list[str]]:
    """Nodes that one step can take: Slurm starts none across the border of a reservation, nor with other numbers of GPUs."""
    groups: dict[tuple[bool, int], list[str]] = {}
    for name in nodes:
        groups.setdefault((name in validation.reserved, validation.node(name).gpus), []).append(name)
    yield from groups.values()


def _start(validation: ValidationRun, fleet: Fleet, nodes: list[str]) -> None:
    """Runs the probe on the nodes; keeps the parts of those that answered, and why the others did not."""
    wanted = sorted(
        {ASKED[q.claim.id] for name in nodes for q in fleet.questions[name] if q.claim.id in ASKED}
    )
    device, gpus = fleet.machine.trains_on, validation.node(nodes[0]).gpus
    limit_s = int(GPU_PROBE_S[device] * fleet.machine.slowdown)
    program = (
        "env", f"PYTHONPATH={validation.contract.software.training_stack_path}", "PYTHONDONTWRITEBYTECODE=1",
        "timeout", "-k", "5", str(limit_s), "python3", "-", "--device", device, "--gpus", str(gpus),
        "--measure", ",".join(wanted),
    )  # fmt: skip
    if validation.contract.scheduler == "slurm" and validation.scheduler is not None:
        step = steps.srun(
            nodes, limit_s, "railbed-gpus", *steps.whole_nodes(gpus, end_together=False),
            reservation=validation.reservation_for(nodes),
        )  # fmt: skip
        controller = validation.scheduler.controller
        said: Mapping[str, Result] = {
            controller: validation.remote.run(
                controller, [*step, *program], stdin=PROBE, timeout_s=limit_s + STEP_WAIT_S + SSH_S, check=False,
                keep_bytes=FABRIC_OUTPUT_BYTES,
            )
        }  # fmt: skip
    else:
        said = validation.remote.each(
            nodes,
            lambda name: validation.remote.run(
                name, [*program, "--node", name], stdin=PROBE, timeout_s=limit_s + SSH_S, check=False
            ),
        )
    _read(validation, fleet, nodes, said)


def _read(validation: ValidationRun, fleet: Fleet, nodes: list[str], said: Mapping[str, Result]) -> None:
    """``said``: where the program was started → what came back."""
    found: dict[str, list[Line]] = {}
    for place, result in said.items():
        for line in node_json.lines(result.stdout, LINE):
            # Over SSH a node speaks for itself alone.
            if line.node in nodes and (place not in nodes or place == line.node):
                found.setdefault(line.node, []).append(line)
        if result.stderr.strip():
            validation.keep(f"gpus/{place}.stderr.txt", result.stderr)
    program = hashlib.sha256(PROBE.encode()).hexdigest()
    for name in nodes:
        if lines := found.get(name):
            reply = joined(name, lines, validation.node(name).gpus, program)
            if isinstance(reply, GpuReply):
                fleet.parts[name] = reply
                continue
        else:
            place = name if name in said else next(iter(said))
            reply = (
                f"{PROGRAM} printed no answer on {name}"
                if said[place].ok
                else f"no answer of {name}: {ended.why(said[place], PROGRAM, place)}"
            )
        validation.answers.why(PATTERN, reply, [name])


def _answers(validation: ValidationRun, fleet: Fleet) -> Iterator[Judged]:
    """Verdicts on the nodes that answered."""
    everyone = {**fleet.peers, **fleet.parts}
    peers = {"report": gpu_peers.last_report(validation), "nodes": len(fleet.peers)} if fleet.peers else {}
    alike = not fleet.machine.stands_for
    claims = {q.claim.id: q.claim for asked in fleet.questions.values() for q in asked}
    rates = {
        claim: [
            law.compared(what, _rates(everyone, what), claims[claim].expectation, alike=alike)
            for what in RATES_OF[claim]
        ]
        for claim in claims
        if claim in RATES_OF
    }
    digests = {
        (name, gpu.index): (f"{gpu.model}, PyTorch {reply.torch}, CUDA {reply.cuda}", gpu.digests)
        for name, reply in everyone.items()
        for gpu in reply.gpus
    }
    voices = law.voices(digests)
    expectation = claims[PEERS].expectation if PEERS in claims else None
    pairs = gpu_pairs.compared(_pairs(everyone), expectation, alike=alike)
    for name, reply in fleet.parts.items():
        gpus = validation.node(name).gpus
        for question in fleet.questions[name]:
            claim = question.claim.id
            if claim not in RATES_OF:
                continue
            errors = {g.index: g.errors[ASKED[claim]] for g in reply.gpus if ASKED[claim] in g.errors}
            if claim == DETERMINISM:
                outcome = law.digests(name, gpus, digests, voices, errors)
            elif claim == PEERS:
                changed = [(gpu.index, other) for gpu in reply.gpus for other in gpu.changed]
                outcome = gpu_pairs.judge(name, gpus, pairs, changed, question.claim.expectation, errors)
            else:
                outcome = law.rates(name, gpus, rates[claim], question.claim.expectation, errors)
            yield _judged(question, outcome, reply, fleet.evidence, peers)


def _rates(parts: Mapping[str, GpuReply], what: str) -> dict[law.Gpu, float]:
    return {
        (name, gpu.index): gpu.rates[what]
        for name, reply in parts.items()
        for gpu in reply.gpus
        if what in gpu.rates
    }


def _pairs(parts: Mapping[str, GpuReply]) -> dict[gpu_pairs.Pair, float]:
    return {
        (name, gpu.index, other): rate
        for name, reply in parts.items()
        for gpu in reply.gpus
        for other, rate in enumerate(gpu.peers)
        if rate is not None
    }


def _shown(claim: str, reply: GpuReply) -> dict[str, object]:
    """The rates of a verdict, for the report's tables: of each GPU, and of each pair."""
    if claim == PEERS:
        return {"peers": {str(gpu.index): gpu.peers for gpu in reply.gpus if gpu.peers}}
    found = {
        what: {str(gpu.index): float(f"{gpu.rates[what]:.4g}") for gpu in reply.gpus if what in gpu.rates}
        for what in RATES_OF[claim]
    }
    return {"rates": {what: rates for what, rates in found.items() if rates}}


def _judged(
    question: Question, outcome: law.Outcome, reply: GpuReply, evidence: str, peers: Mapping[str, object]
) -> Judged:
    """With the clocks, power and heat of GPUs that failed: they often say why. ``peers``: what else they were compared with."""
    detail: dict[str, object] = {
        "parts": outcome.parts,
        "trace": {index: one.model_dump() for index, one in sorted(reply.trace.items())},
        **({"compared_with": peers} if peers else {}),
        **({"pairs": outcome.pairs} if outcome.pairs else {}),
        **_shown(question.claim.id, reply),
    }
    traces = [
        f"{name} at {reply.trace[name[4:]].words()}" for name in outcome.parts if name[4:] in reply.trace
    ]
    reason = f"{outcome.reason} ({'; '.join(traces)})" if traces else outcome.reason
    return judged(
        question, outcome.verdict, reason, measured=outcome.measured, evidence=evidence, detail=detail
    )
