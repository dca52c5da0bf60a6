"""Claims about collectives over several nodes."""

from __future__ import annotations

from collections.abc import Callable

from railbed.claims import expectations
from railbed.claims.definition import CLUSTER, Facts, In, Instances, Out, Subject, define
from railbed.claims.fabric import ALONE, TRAFFIC
from railbed.claims.measurements import COLLECTIVES
from railbed.claims.records import Expectation
from railbed.defaults import COLLECTIVE_STEADY, GATING_SIZE_BYTES
from railbed.laws import bandwidth, curve

GATED = ("all_reduce", "all_gather", "reduce_scatter", "alltoall")
MAX_NODES = 4
"""Collectives over 2, 3 and 4 nodes gate; larger groups repeat the same rails."""


@define(
    id="collective.{name}@{nodes}", subject=Subject.CLUSTER, roles=CLUSTER, by=COLLECTIVES,
    holds="collective {name} over {nodes} nodes gives right data and holds its floor, at the message size that its "
    "reference was published at (lab: 64 MiB), and at each smaller size that published results or NCCL's latency model speak of",
    accuses="fabric", runbook="collectives", hardware=True, essential=True, explained=TRAFFIC, steady=COLLECTIVE_STEADY,
)  # fmt: skip
def collective(facts: Facts) -> Instances:
    if not facts.has_fabric:
        return
    for name in GATED:
        if facts.computes < 2:
            yield Out(ALONE, name=name, nodes=2)
        for nodes in range(2, min(MAX_NODES, facts.computes) + 1):
            yield In(
                f"{name} over {nodes} nodes is correct and reaches its bus bandwidth",
                expectations.by_law(facts.machine, "GB/s", _law(name, nodes)),
                name=name,
                nodes=nodes,
            )


def _law(name: str, nodes: int) -> Callable[[bandwidth.BandwidthMachine], Expectation]:
    def law(machine: bandwidth.BandwidthMachine) -> Expectation:
        size = bandwidth.gating_size(machine, nodes, name)
        reach = bandwidth.expect(machine, nodes, name, size)
        named = {} if size == GATING_SIZE_BYTES else {"size_bytes": size}
        return reach.model_copy(update={**named, "curve": curve.curve(machine, nodes, name, size)})

    return law
