"""Claims about collectives over several nodes."""

from __future__ import annotations

from collections.abc import Callable

from railbed.claims import expectations
from railbed.claims.definition import CLUSTER, Facts, In, Instances, Out, Subject, define
from railbed.claims.fabric import ALONE, TRAFFIC
from railbed.claims.measurements import COLLECTIVES
from railbed.claims.records import Expectation
from railbed.defaults import GATING_SIZE_BYTES
from railbed.laws import bandwidth, curve

COLLECTIVE_STEADY = 0.05
"""Of a collective's certified rate, what a later run may lack: three runs differ by up to 4.35 % (docs/performance.md)."""

GATED = ("all_reduce", "all_gather", "reduce_scatter", "alltoall")


def group_sizes(nodes: int) -> list[int]:
    """Numbers of nodes that collectives run over: 2, 4, 8 … and all ``nodes``; none where one node is alone.

    All of them, since a switch of the spine carries nothing before groups span its leaves; powers of two below that, since the
    smallest that is slow says where to look.
    """
    doubling = [1 << power for power in range(1, nodes.bit_length()) if 1 << power < nodes]
    return [*doubling, nodes] if nodes > 1 else []


@define(
    id="collective.{name}@{nodes}", subject=Subject.CLUSTER, roles=CLUSTER, by=COLLECTIVES,
    holds="collective {name} over {nodes} nodes gives right data and holds its floor, at the message size that its "
    "reference was published at (lab: 64 MiB), and at each smaller size that published results or NCCL's latency model speak of; "
    "over more nodes than anybody published a rate of: right data, the rate recorded",
    accuses="fabric", runbook="collectives", hardware=True, essential=True, explained=TRAFFIC, steady=COLLECTIVE_STEADY,
)  # fmt: skip
def collective(facts: Facts) -> Instances:
    if not facts.has_fabric:
        return
    for name in GATED:
        if facts.computes < 2:
            yield Out(ALONE, name=name, nodes=2)
        smaller_has_floor = False
        for nodes in group_sizes(facts.computes):
            reach = expectations.by_law(facts.machine, "GB/s", _law(name, nodes))
            statement = f"{name} over {nodes} nodes is correct and reaches its bus bandwidth"
            smaller_has_floor = smaller_has_floor or reach.floor is not None
            if smaller_has_floor and reach.floor is None:
                reach = reach.model_copy(update={"basis": "data"})
                statement = f"{name} over {nodes} nodes is correct; nobody published a rate over so many"
            yield In(statement, reach, name=name, nodes=nodes)


def _law(name: str, nodes: int) -> Callable[[bandwidth.BandwidthMachine], Expectation]:
    def law(machine: bandwidth.BandwidthMachine) -> Expectation:
        size = bandwidth.gating_size(machine, nodes, name)
        reach = bandwidth.expect(machine, nodes, name, size)
        named = {} if size == GATING_SIZE_BYTES else {"size_bytes": size}
        return reach.model_copy(update={**named, "curve": curve.curve(machine, nodes, name, size)})

    return law
