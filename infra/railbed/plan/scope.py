"""Which claims a cluster must show, what each must reach, and which its platform cannot expose."""

from __future__ import annotations

from railbed.catalog import FilesystemOffer, Release
from railbed.defaults import COUNTER_TOLERANCE, GATING_SIZE_BYTES, RAIL_GATE_FRACTION
from railbed.model import bandwidth
from railbed.model.claims import Claim, Expectation, OutOfScope, Part
from railbed.plan.parts import PlannedFilesystem, PlannedPool

GATED_COLLECTIVES = ("all_reduce", "all_gather", "reduce_scatter", "alltoall")
MAX_COLLECTIVE_NODES = 4
"""Collectives over 2, 3 and 4 nodes gate; larger groups repeat the same rails."""
MIN_PARTNERS = 2
"""A rail is judged against at least so many partners: with one, either side could be the slow one."""

NODES = ["compute", "spare"]
HOSTS = ["controller", "compute", "spare"]

LAB_CANNOT_SHOW = {
    "node.nvlink": "the lab has no GPU, so there is no NVLink to measure",
    "node.xid": "the lab has no GPU driver in the kernel, so it writes no XID lines",
    "node.pcie": "the lab has no GPU and no PCIe card whose link could be read",
    "node.dcgm": "the lab has no GPU, so DCGM's diagnostics do not run",
    "fabric.transport.nccl_log": "the lab has no GPU, so NCCL itself does not run and writes no log",
    "fabric.gpudirect": "the lab's rails are TCP, so no NIC reads GPU memory",
    "fabric.gid": "the lab's rails are TCP and have no RDMA GIDs",
    "fabric.cabling": "the lab's switches are bridges that announce no neighbours (LLDP)",
}
"""Claims of the hardware that the lab stands in for."""


class Facts(Part):
    """What decides the scope."""

    pools: list[PlannedPool]
    filesystems: list[PlannedFilesystem]
    offers: list[FilesystemOffer]
    """The offer of each filesystem, in the same order."""
    release: Release
    simulated: bool

    @property
    def computes(self) -> int:
        return sum(pool.nodes for pool in self.pools)

    @property
    def rail_hosts(self) -> int:
        """Hosts with rails: compute nodes and spares."""
        return self.computes + sum(pool.spares for pool in self.pools)


def claims(facts: Facts) -> tuple[list[Claim], list[OutOfScope]]:
    """Claims in scope and those out of scope, each in a fixed order."""
    inside: list[Claim] = []
    outside: list[OutOfScope] = []
    for group in (_node, _fabric, _collectives, _storage, _job):
        more_inside, more_outside = group(facts)
        inside += more_inside
        outside += more_outside
    if facts.simulated:
        outside += [OutOfScope(id=name, reason=reason) for name, reason in LAB_CANNOT_SHOW.items()]
    return inside, outside


Scope = tuple[list[Claim], list[OutOfScope]]


def _node(facts: Facts) -> Scope:
    machine = facts.pools[0].machine
    nics = machine.rails * machine.nics_per_rail
    driver = facts.release.components["nvidia_driver"].version
    sim = facts.simulated
    return [
        Claim(id="node.gpus", statement=f"the node shows {machine.gpus} healthy GPUs of its model and memory",
              roles=NODES, expectation=_count("GPUs", machine.gpus, machine.key), simulated=sim),
        Claim(id="node.driver", statement=f"driver {driver} is installed and loaded, and its library is the same version",
              roles=NODES, simulated=sim),
        Claim(id="node.nics", statement=f"all {nics} rail NICs are up, with their address, MTU and rate",
              roles=NODES, expectation=_count("NICs", nics, machine.key), simulated=sim),
        Claim(id="node.limits", statement="a job step may lock memory without limit and open enough files",
              roles=NODES),
        Claim(id="node.time", statement="the clock is synchronised", roles=HOSTS),
        Claim(id="node.packages", statement=f"the packages of release {facts.release.key} are installed in its versions",
              roles=HOSTS),
        Claim(id="scheduler.state", statement="the scheduler knows every node, with its GPUs, in a state fit for work",
              roles=[]),
    ], []  # fmt: skip


def _fabric(facts: Facts) -> Scope:
    machine = bandwidth.of(facts.pools[0].machine)
    sim = facts.simulated
    inside: list[Claim] = []
    outside: list[OutOfScope] = []
    partners = facts.rail_hosts - 1
    for rail in range(machine.rails):
        name = f"fabric.rail.{rail}.bandwidth"
        if partners < MIN_PARTNERS:
            outside.append(OutOfScope(id=name, reason=f"a rail is judged against {MIN_PARTNERS} partners or more, and "
                                                      f"there {'is' if partners == 1 else 'are'} {partners}"))  # fmt: skip
            continue
        inside.append(Claim(
            id=name, statement=f"rail {rail} by itself carries its rate in both directions, against {MIN_PARTNERS} partners",
            roles=NODES, expectation=bandwidth.expect_rail(machine), simulated=sim,
        ))  # fmt: skip
    if facts.rail_hosts < 2:
        reason = "there is one node with rails: nothing to talk to"
        outside += [OutOfScope(id=name, reason=reason) for name in ("fabric.all_rails", "fabric.transport")]
        return inside, outside
    inside.append(Claim(id="fabric.all_rails", statement="all rails of a node carry their rate at the same time", roles=[],
                        expectation=_all_rails(machine), simulated=sim))  # fmt: skip
    if facts.computes < 2:
        outside.append(OutOfScope(id="fabric.transport", reason="there is one compute node: no collective leaves it"))
    else:
        inside.append(Claim(id="fabric.transport", roles=[], expectation=_transport(), simulated=sim,
                            statement="a collective's bytes cross the rails, each its share, and not the management network"))  # fmt: skip
    return inside, outside


def _collectives(facts: Facts) -> Scope:
    machine = bandwidth.of(facts.pools[0].machine)
    if facts.computes < 2:
        return [], [
            OutOfScope(id=f"collective.{name}@2", reason="there is one compute node: no collective leaves it")
            for name in GATED_COLLECTIVES
        ]
    return [
        Claim(
            id=f"collective.{name}@{k}", statement=f"{name} over {k} nodes is correct and reaches its bus bandwidth", roles=[],
            expectation=bandwidth.expect(machine, k, name, GATING_SIZE_BYTES), simulated=facts.simulated,
        )
        for name in GATED_COLLECTIVES
        for k in range(2, min(MAX_COLLECTIVE_NODES, facts.computes) + 1)
    ], []  # fmt: skip


def _storage(facts: Facts) -> Scope:
    names = ("storage.write", "storage.read", "storage.servers")
    if not facts.filesystems:
        return [], [OutOfScope(id=name, reason="the spec has no filesystem") for name in names]
    filesystem, offer = facts.filesystems[0], facts.offers[0]
    inside = [
        Claim(id="storage.write", statement=f"one client writes to {filesystem.mount} at the floor or faster", roles=[],
              expectation=_declared(offer.write_floor_mbytes_per_s, offer)),
        Claim(id="storage.read", statement=f"one client reads from {filesystem.mount} at the floor or faster", roles=[],
              expectation=_declared(offer.read_floor_mbytes_per_s, offer)),
    ]  # fmt: skip
    if filesystem.copies < 2:
        return inside, [OutOfScope(id="storage.servers", reason=f"{filesystem.name} keeps one copy: no server may be lost")]
    inside.append(Claim(
        id="storage.servers", roles=[],
        statement=f"every data server serves, each chunk has {filesystem.copies} copies, and a client that never read a "
                  f"file reads it whole",
        expectation=_count("data servers", len(filesystem.data_servers), f"filesystem {filesystem.name}"),
    ))  # fmt: skip
    return inside, []


def _job(facts: Facts) -> Scope:
    if not facts.filesystems:
        reason = "the spec has no filesystem to keep a checkpoint on"
        return [], [OutOfScope(id=name, reason=reason) for name in ("job.checkpoint", "job.resume")]
    checkpoint = Claim(id="job.checkpoint", roles=[], simulated=facts.simulated,
                       statement="the reference job trains under the scheduler and writes a whole checkpoint")  # fmt: skip
    if facts.computes < 2:
        return [checkpoint], [OutOfScope(id="job.resume", reason="there is one compute node: none is left to resume on")]
    resume = Claim(id="job.resume", roles=[], simulated=facts.simulated,
                   statement="after a node is lost the job goes on from its last checkpoint and loses no other step")  # fmt: skip
    return [checkpoint, resume], []


def _count(unit: str, number: int, source: str) -> Expectation:
    return Expectation(unit=unit, bound=number, expected=number, floor=number, basis="derived",
                       derivation=[f"{source} has {number}"])  # fmt: skip


def _declared(floor_mbytes_per_s: float, offer: FilesystemOffer) -> Expectation:
    return Expectation(unit="MB/s", floor=floor_mbytes_per_s, basis="declared",
                       derivation=[f"floor of {offer.key}: {offer.floor_reason}"])  # fmt: skip


def _all_rails(machine: bandwidth.BandwidthMachine) -> Expectation:
    line = machine.rails * machine.nic_gbps_per_rail
    payload = line * machine.payload_fraction
    return Expectation(
        unit="Gb/s", bound=line, expected=payload, floor=payload * RAIL_GATE_FRACTION, basis="derived",
        derivation=[
            f"{machine.rails} rails × {machine.nic_gbps_per_rail:g} Gb/s = {line:g} Gb/s a node, each direction",
            f"payload {machine.payload_fraction:g} of it; floor {RAIL_GATE_FRACTION:g} of the payload",
        ],
    )  # fmt: skip


def _transport() -> Expectation:
    return Expectation(
        unit="of the computed bytes", bound=1.0 + COUNTER_TOLERANCE, expected=1.0, floor=1.0 - COUNTER_TOLERANCE,
        basis="derived",
        derivation=[f"each rail's byte counter lies within {COUNTER_TOLERANCE:.0%} of the bytes that the collective moves"],
    )  # fmt: skip
