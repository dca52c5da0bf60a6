"""The byte counters of rails and of the management network around a start of a collective."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from pydantic import TypeAdapter

from railbed import ended
from railbed.contract import Node
from railbed.defaults import SSH_FANOUT
from railbed.effects import node_json
from railbed.validate import collective_programs
from railbed.validate.counters import Record
from railbed.validate.flow_tool import PROBE, Document, counted_by
from railbed.validate.rendezvous import Counted, argv
from railbed.validate.validation_run import ValidationRun

MANAGEMENT = "management"
COUNTS = TypeAdapter(dict[str, Counted])
Counts = Mapping[str, Mapping[str, Counted]]
"""Node → rail, or ``management`` → what it counted since it was started."""
COUNT_S = 20.0


def read(validation: ValidationRun, nodes: Sequence[str]) -> Counts | str:
    """The counters of all nodes now, or why there are none."""
    contract, script = validation.as_observed, PROBE.read_text()

    def ask(name: str) -> dict[str, Counted] | str:
        parts = json.dumps(_parts(validation, contract.node(name)))
        found = validation.remote.run(
            name, [*argv(script, "rail_probe"), "count", parts], stdin=script, timeout_s=COUNT_S, check=False
        )
        if not found.ok:
            return ended.why(found, "the probe of the rails' counters", name)
        try:
            return node_json.read(found.stdout, COUNTS, name)
        except node_json.Unreadable as wrong:
            return f"{name}: {wrong.message}"

    answers = validation.remote.each(nodes, ask, SSH_FANOUT)
    failed = [answer for answer in answers.values() if isinstance(answer, str)]
    if failed:
        return f"the byte counters were not read: {failed[0]}"
    return {name: answer for name, answer in answers.items() if not isinstance(answer, str)}


def _parts(validation: ValidationRun, node: Node) -> dict[str, Document]:
    nics, rdma = (
        validation.as_observed.nics(node),
        validation.contract.machine(node.machine).transport != "tcp",
    )
    rails = {
        str(rail.index): counted_by((nic for of, nic in nics if of == rail), rdma=rdma) for rail in node.rails
    }
    return {**rails, MANAGEMENT: {**counted_by([], rdma=False), "address": node.address}}


def between(before: Counts, after: Counts, op: str, sizes: Sequence[int]) -> list[Record]:
    """One record for each node: what its rails and its management interface counted."""
    records = []
    for name, now in after.items():
        then = before[name]
        moved = {
            part: {"tx": one.tx - then[part].tx, "rx": one.rx - then[part].rx}
            for part, one in now.items()
            if part in then
        }
        management = moved.pop(MANAGEMENT, None)
        records.append({"op": op, "sizes": list(sizes), "message_bytes": collective_programs.message_bytes(sizes),
                        "node": name, "rails": moved, "management": management})  # fmt: skip
    return records
