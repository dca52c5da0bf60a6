"""A report of thousands of nodes, built: rates are drawn from a seeded generator, none was measured."""

from __future__ import annotations

import random
from collections.abc import Iterator

from railbed.claims import Culprit, Judged, Verdict
from railbed.contract import Contract
from railbed.validate.records import Report

NODE_CLAIMS = 30
RAILS = 8
EXPECTED_GBPS, FLOOR_GBPS = 397.5, 377.6
SLOW_EVERY, SILENT_EVERY = 701, 997
"""One node in so many has a slow rail; one in so many does not answer."""
AT = "2026-11-30T08:00:00+00:00"


def large(contract: Contract, count: int) -> tuple[Report, Contract]:
    """A report of ``count`` nodes, and ``contract`` with so many copies of its first node with GPUs."""
    one = next(node for node in contract.nodes if node.gpus)
    names = [f"node-{at:04d}" for at in range(count)]
    cluster = contract.model_copy(update={"nodes": [one.model_copy(update={"name": name}) for name in names]})
    claims = [record for at, name in enumerate(names) for record in _node(at, name, names[(at + 1) % count])]
    slow = [name for at, name in enumerate(names) if at % SLOW_EVERY == 0]
    return Report(
        stack="large", contract_hash="c" * 64, verdict=Verdict.FAIL, claims=claims,
        culprits=[Culprit(node=n, part="rail 3", claims=["fabric.rail.3.bandwidth"], confidence=0.95) for n in slow],
        out_of_scope=[], accepted_unproven={}, quick=False, node="", pattern="", simulated=False, started=AT, ended=AT,
        seconds={"rails": 100.0}, report_dir="/tmp/report", certificate="",
    ), cluster  # fmt: skip


def _node(at: int, name: str, partner: str) -> Iterator[Judged]:
    drawn = random.Random(at)
    silent = at % SILENT_EVERY == 1
    for index in range(NODE_CLAIMS):
        claim = "node.gpus" if index == 0 else f"node.check_{index}"
        if silent:
            reason = f"ssh: connect to host {name} port 22: No route to host"
            yield Judged(claim=claim, node=name, verdict=Verdict.UNPROVEN, reason=reason)
        else:
            yield Judged(
                claim=claim, node=name, verdict=Verdict.PASS, measured=drawn.random(), unit="s", at=AT,
                reason=f"seen in {drawn.random():.6f} s", evidence=f"evidence/{name}/checks.txt",
            )  # fmt: skip
    for rail in range(RAILS):
        rate = 196.1 if at % SLOW_EVERY == 0 and rail == 3 else drawn.uniform(385.0, 395.0)
        slow = rate < FLOOR_GBPS
        yield Judged(
            claim=f"fabric.rail.{rail}.bandwidth", node=name, verdict=Verdict.FAIL if slow else Verdict.PASS,
            measured=rate, unit="Gb/s", expected=EXPECTED_GBPS, floor=FLOOR_GBPS, basis="derived", derivation=["line"],
            reason=f"outgoing {rate:.4g} Gb/s" if slow else "both directions hold the gate", at=AT,
            evidence="evidence/rails/samples.json",
            detail={"gbps": {"out": rate, "in": rate}, "partners": {"out": {partner: rate}, "in": {partner: rate}}},
        )  # fmt: skip
