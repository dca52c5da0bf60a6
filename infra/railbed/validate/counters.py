"""What the byte counters of every rail prove of a collective (``fabric.transport``)."""

from __future__ import annotations

import math
from typing import Any

from railbed.claims import Judged, Verdict
from railbed.effects.journal import now_iso
from railbed.judge import rail_shares, transport
from railbed.judge.proof import RINGED
from railbed.judge.transport import NodeBytes
from railbed.validate.validation_run import ValidationRun

Record = dict[str, Any]
"""What one node's rails counted around one collective: ``op``, ``sizes``, ``message_bytes`` of all runs together, ``node``,
``rails`` by number, ``management``."""
Counters = dict[str, list[Record]]
"""Collective → one record per node."""


def prove(validation: ValidationRun, counters: Counters) -> Judged | None:
    """The worst verdict of the rings' counters; None, and why, where there are none.

    alltoall does not count here: where several senders meet on a port, packets are dropped and sent again, and the
    counters show them twice.
    """
    verdicts = []
    for op, records in counters.items():
        if op not in RINGED or len(records) < 2:
            continue
        record = _judged(validation, op, records)
        if record is None:
            return None
        verdicts.append(record)
    if not verdicts:
        validation.answers.why(transport.CLAIM, "no collective gave byte counters")
        return None
    return max(
        verdicts, key=lambda v: (v.verdict is Verdict.FAIL, v.verdict is Verdict.UNPROVEN, v.measured or 0.0)
    )


def _judged(validation: ValidationRun, op: str, records: list[Record]) -> Judged | None:
    names = [record["node"] for record in records]
    if len(set(names)) < len(names) or not {n.name for n in validation.rail_nodes()}.issuperset(names):
        validation.answers.why(
            transport.CLAIM, f"the byte counters are of other nodes: {', '.join(names[:8])}"
        )
        return None
    machine = validation.contract.machine(validation.node(names[0]).machine)
    k, moved = len(records), records[0]["message_bytes"]
    counted = [one for one in (_by_rail(validation, record) for record in records) if one]
    if len(counted) < k:
        silent = sorted(set(names) - {one.node for one in counted})
        validation.answers.why(transport.CLAIM, f"not all counters of {', '.join(silent)} could be read")
        return None
    if machine.transport == "tcp" and machine.payload_fraction and machine.collective_ranks_per_node == 1:
        payload = transport.payload_per_node(op, moved, k)
        found = transport.judge(counted, payload, machine.rails, machine.payload_fraction)
    else:
        reduces = machine.transport == "infiniband"
        domains = math.ceil(k / machine.nodes_per_nvlink_domain)
        least = rail_shares.least_per_node(op, moved, k, domains, 1, in_network_reduction=reduces)
        found = rail_shares.judge(counted, least, machine.rails)
    simulated = validation.scope.get(transport.CLAIM)[0].claim.simulated
    found = found.model_copy(update={"simulated": simulated})
    return found.model_copy(update={"reason": f"{op} over {k} nodes: {found.reason}", "at": now_iso()})


def _by_rail(validation: ValidationRun, record: Record) -> NodeBytes | None:
    """The record with numbers for the rails' names."""
    rails = validation.contract.node(record["node"]).rails
    return transport.node_bytes(record, {str(rail.index): rail.index for rail in rails})
