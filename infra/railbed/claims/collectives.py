"""Claims about collectives: over several nodes, and inside each node."""

from __future__ import annotations

from collections.abc import Callable

from railbed.catalog import Machine
from railbed.claims import expectations
from railbed.claims.definition import CLUSTER, Explanation, Facts, Having, In, Instances, Out, Subject, define
from railbed.claims.fabric import ALONE, SOFT_RDMA, TRAFFIC
from railbed.claims.measurements import CARD_COLLECTIVES, COLLECTIVES, NODE_COLLECTIVES
from railbed.claims.records import WORKERS, Expectation
from railbed.defaults import GATING_SIZE_BYTES
from railbed.laws import bandwidth, curve, network_only

COLLECTIVE_STEADY = 0.05
"""Of a collective's certified rate, what a later run may lack: three runs differ by up to 4.35 % (docs/performance.md)."""
STAND_IN_BYTES = 64 * 1024
"""Message of a collective inside a node of stand-ins, which compute in memory: more would cost time and show no more."""
INSIDE = Explanation(only=frozenset({"gpu", "gpus", "nvlink", "fabric manager", "pcie"}), first="gpu")
CARDS = Explanation(
    only=frozenset({"rail", "rails", "gpu", "gpus", "pcie", "gpudirect", "nics", "node", "fabric"}),
    first="rail",
)
OWN_ROUTES = {
    "tcp": "rails over TCP are networks of their own: a node has no route from one to another",
    "roce": "a host reaches its own other cards by the kernel's local routes, which do not cross the subnets of RoCE rails",
    "efa": "nobody published what EFA carries of a node's traffic to itself: nothing could be held against it",
}
"""Transport → why a node does not send from one of its cards to another."""
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
        elif facts.machine.nic_kind == "rxe":
            yield Out(SOFT_RDMA, name=name, nodes=facts.computes)
            continue
        smaller_has_floor = False
        for nodes in group_sizes(facts.computes):
            reach = expectations.by_law(facts.machine, "GB/s", _law(name, nodes))
            statement = f"{name} over {nodes} nodes is correct and reaches its bus bandwidth"
            smaller_has_floor = smaller_has_floor or reach.floor is not None
            if smaller_has_floor and reach.floor is None:
                reach = reach.model_copy(update={"basis": "data"})
                statement = f"{name} over {nodes} nodes is correct; nobody published a rate over so many"
            yield In(statement, reach, name=name, nodes=nodes)


def _inside_a_node(name: str) -> Callable[[Facts], Instances]:
    def instances(facts: Facts) -> Instances:
        machine = facts.machine
        if not machine.nvlink_links:
            yield Out(f"the GPUs of {machine.key} have no NVLink")
        elif "nccl_tests" not in facts.installed:
            yield Out("nodes get no nccl-tests")
        else:
            statement = f"{name} over the GPUs of the node is correct and reaches its bus bandwidth"
            yield In(statement, _in_node(machine, name))

    return instances


def _in_node(machine: Machine, name: str) -> Expectation:
    """What a collective over the GPUs of one node must reach; where nothing supports a floor right data count."""
    if machine.stands_for:
        reason = "a stand-in computes in the memory of the host: right data, and nothing of speed"
        return Expectation(unit="GB/s", basis="data", size_bytes=STAND_IN_BYTES, derivation=[reason])
    reach = expectations.by_law(machine, "GB/s", _law(name, 1))
    return reach if reach.floor is not None else reach.model_copy(update={"basis": "data"})


for _name in GATED:
    define(
        id=f"gpu.{_name}", subject=Subject.NODE, roles=WORKERS, having=Having.GPUS, by=NODE_COLLECTIVES,
        holds=f"{_name} over the GPUs of the node by itself, which NVLink carries, gives right data and holds its floor at the "
        "message size that its reference was published at, and at each smaller size that published results or NCCL's latency "
        "model speak of; where nothing supports a floor: right data, the rate recorded (lab: right data alone)",
        accuses="nvlink", runbook="gpu-collectives", hardware=True, essential=_name == "all_reduce", explained=INSIDE,
        steady=COLLECTIVE_STEADY,
    )(_inside_a_node(_name))  # fmt: skip


@define(
    id="gpu.network_only", subject=Subject.NODE, roles=WORKERS, having=Having.GPUS, by=CARD_COLLECTIVES,
    holds="all_reduce over the GPUs of the node by itself, with NVLink, shared memory and in-switch reduction off, so that each "
    "byte between two GPUs crosses the node's own cards and the switches between them (InfiniBand): right data, and the gate "
    "that an operator published for this test, 0.72 of a GPU's share of the cards' line",
    accuses="gpudirect", runbook="network-only", hardware=True, explained=CARDS,
)  # fmt: skip
def over_cards(facts: Facts) -> Instances:
    machine = facts.machine
    if not facts.has_fabric:
        return
    if machine.transport != "infiniband":
        yield Out(OWN_ROUTES[machine.transport])
    elif facts.rail_only:
        yield Out("no path leads from one rail to another, and each GPU of a node has its own rail")
    elif machine.gpus < 2 or machine.collective_ranks_per_node != machine.gpus:
        yield Out(f"it takes two GPUs of a node with a rank each; {machine.key} has {machine.gpus}")
    elif "nccl_tests" not in facts.installed:
        yield Out("nodes get no nccl-tests")
    else:
        statement = "all_reduce over the GPUs of the node is correct and holds its gate over the cards alone"
        yield In(statement, expectations.by_law(machine, "GB/s", network_only.expect))


def _law(name: str, nodes: int) -> Callable[[bandwidth.BandwidthMachine], Expectation]:
    def law(machine: bandwidth.BandwidthMachine) -> Expectation:
        size = bandwidth.gating_size(machine, nodes, name)
        reach = bandwidth.expect(machine, nodes, name, size)
        named = {} if size == GATING_SIZE_BYTES else {"size_bytes": size}
        return reach.model_copy(update={**named, "curve": curve.curve(machine, nodes, name, size)})

    return law
