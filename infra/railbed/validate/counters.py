"""The byte counters of every rail, as the collectives program prints them, and what they prove."""

from __future__ import annotations

import math
from typing import Any

from pydantic import Field, TypeAdapter

from railbed.claims import Judged, Verdict
from railbed.defaults import REPLY_MAX_WHOLE
from railbed.effects import node_json
from railbed.effects.journal import now_iso
from railbed.judge import rail_shares, transport
from railbed.judge.proof import RINGED
from railbed.judge.transport import NodeBytes
from railbed.validate.bench import Bench

PREFIX = "# counters: "


class Moved(node_json.Reply):
    """Bytes that an interface counted."""

    tx: node_json.Whole
    rx: node_json.Whole


class Counted(node_json.Reply):
    """One rank's counters over the timed part of one collective."""

    op: str
    size_bytes: int = Field(gt=0, le=REPLY_MAX_WHOLE)
    iterations: int = Field(gt=0, le=REPLY_MAX_WHOLE)
    node: node_json.Words
    rails: dict[str, Moved]
    management: Moved


COUNTED = TypeAdapter(Counted)
Record = dict[str, Any]
"""A ``Counted`` as plain data."""
Counters = dict[str, list[Record]]
"""Collective → one record per node."""


def counter_records(text: str, op: str) -> list[Record]:
    """The ``# counters:`` lines of one collective at its largest size, one per node."""
    told = "\n".join(line[len(PREFIX) :] for line in text.splitlines() if line.startswith(PREFIX))
    records = [one.model_dump() for one in node_json.lines(told, COUNTED) if one.op == op]
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


def _judged(bench: Bench, op: str, records: list[Record]) -> Judged | None:
    names = [record["node"] for record in records]
    if len(set(names)) < len(names) or not {n.name for n in bench.rail_nodes()}.issuperset(names):
        bench.answers.why(transport.CLAIM, f"the byte counters are of other nodes: {', '.join(names[:8])}")
        return None
    machine = bench.contract.machine(bench.node(names[0]).machine)
    k, size, runs = len(records), records[0]["size_bytes"], records[0]["iterations"]
    counted = [one for one in (_by_rail(bench, record) for record in records) if one]
    if machine.transport != "tcp" and len(counted) < k:
        silent = sorted(set(names) - {one.node for one in counted})
        bench.answers.why(transport.CLAIM, f"not all counters of {', '.join(silent)} could be read")
        return None
    if machine.transport != "tcp":
        reduces = machine.transport == "infiniband"
        domains = math.ceil(k / machine.nodes_per_nvlink_domain)
        least = rail_shares.least_per_node(op, size, k, domains, runs, in_network_reduction=reduces)
        found = rail_shares.judge(counted, least, machine.rails)
    elif machine.payload_fraction is None:
        bench.answers.why(transport.CLAIM, f"nobody published the payload share of {machine.key}'s rails")
        return None
    else:
        payload = transport.payload_per_node(op, size, k, runs)
        found = transport.judge(counted, payload, machine.rails, machine.payload_fraction)
    simulated = bench.scope.get(transport.CLAIM)[0].claim.simulated
    found = found.model_copy(update={"simulated": simulated})
    return found.model_copy(update={"reason": f"{op} over {k} nodes: {found.reason}", "at": now_iso()})


def _by_rail(bench: Bench, record: Record) -> NodeBytes | None:
    """The record with the rails' numbers in place of their interfaces' names."""
    nics = bench.contract.nics(bench.node(record["node"]))
    names = {nic.netdev: rail.index for rail, nic in nics if nic.netdev}
    return transport.node_bytes(record, names | {str(rail.index): rail.index for rail, _ in nics})
