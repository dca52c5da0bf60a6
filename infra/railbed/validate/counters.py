"""The byte counters of every rail, as the collectives program prints them, and what they prove."""

from __future__ import annotations

import json
from typing import Any

from railbed.effects.journal import now_iso
from railbed.model import transport
from railbed.model.claims import Judged, Verdict
from railbed.model.proof import RINGED
from railbed.validate.bench import Bench

PREFIX = "# counters: "

Counters = dict[str, list[dict[str, Any]]]
"""Collective → one record per rank."""


def counter_records(text: str, op: str) -> list[dict[str, Any]]:
    """The ``# counters:`` lines of one collective at its largest size, one per rank."""
    records = []
    for line in text.splitlines():
        if line.startswith(PREFIX):
            try:
                record = json.loads(line[len(PREFIX) :])
            except json.JSONDecodeError:
                continue
            if isinstance(record, dict) and record.get("op") == op:
                records.append(record)
    largest = max((r["size_bytes"] for r in records), default=0)
    return [r for r in records if r["size_bytes"] == largest]


def prove(bench: Bench, counters: Counters) -> Judged | None:
    """The worst verdict of the rings' counters; None, and why, where there are none.

    alltoall does not count here: where several senders meet on a port, packets are dropped and sent again, and the
    counters show them twice.
    """
    verdicts = []
    for op, records in counters.items():
        if op not in RINGED or len(records) < 2:
            continue
        record = _judged(bench, op, records)
        if record is None:
            return None
        verdicts.append(record)
    if not verdicts:
        bench.answers.why(transport.CLAIM, "no collective gave byte counters")
        return None
    return max(
        verdicts, key=lambda v: (v.verdict is Verdict.FAIL, v.verdict is Verdict.UNPROVEN, v.measured or 0.0)
    )


def _judged(bench: Bench, op: str, records: list[dict[str, Any]]) -> Judged | None:
    machine = bench.contract.machine(bench.node(records[0]["node"]).machine)
    if machine.payload_fraction is None:
        bench.answers.why(transport.CLAIM, f"nobody published the payload share of {machine.key}'s rails")
        return None
    nodes = []
    for record in records:
        interfaces = {nic.netdev: rail.index for rail, nic in bench.contract.nics(bench.node(record["node"]))}
        counted = transport.node_bytes(record, interfaces)
        if counted is not None:
            nodes.append(counted)
    k = len(records)
    payload = transport.payload_per_node(op, records[0]["size_bytes"], k, records[0]["iterations"])
    simulated = bench.scope.get(transport.CLAIM)[0].claim.simulated
    found = transport.judge(nodes, payload, machine.rails, machine.payload_fraction, simulated=simulated)
    return found.model_copy(update={"reason": f"{op} over {k} nodes: {found.reason}", "at": now_iso()})
