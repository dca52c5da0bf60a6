"""Which claims a cluster must show, what each must reach, and which its platform cannot expose."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from railbed.catalog import FilesystemOffer, Release
from railbed.certificate import identity
from railbed.claims import Claim, Expectation, FrozenModel, OutOfScope
from railbed.defaults import GATING_SIZE_BYTES
from railbed.laws import bandwidth
from railbed.plan import expectations
from railbed.plan.parts import PlannedFilesystem, PlannedJob, PlannedPool, PlannedStorage
from railbed.spec.platforms import CLOUDS

GATED_COLLECTIVES = ("all_reduce", "all_gather", "reduce_scatter", "alltoall")
MAX_COLLECTIVE_NODES = 4
"""Collectives over 2, 3 and 4 nodes gate; larger groups repeat the same rails."""
MIN_PARTNERS = 2
"""A rail is judged against at least so many partners: with one, either side could be the slow one."""

WORKERS = ["compute", "spare"]
EVERY_HOST = ["controller", "compute", "spare"]
CLUSTER: list[str] = []

HARDWARE = {
    "node.kernel": "the release's kernel runs, no other waits for the next boot, and the driver was built for it",
    "node.nvlink": "every NVLink of every GPU is up at its rate",
    "node.xid": "the driver wrote no XID since the node was taken in",
    "node.pcie": "every GPU and rail NIC has its PCIe generation and width",
    "node.dcgm": "DCGM's diagnostics pass",
}
FABRIC = {
    "fabric.transport.nccl_log": "NCCL's own log names the fabric's transport, and no socket",
    "fabric.gpudirect": "the rail NICs read GPU memory directly",
}
LAB_CANNOT_SHOW = {
    "node.kernel": "the lab's hosts are containers: they run the machine's kernel, and no module of theirs is in it",
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


class Facts(FrozenModel):
    """What decides the scope."""

    pools: list[PlannedPool]
    filesystems: list[PlannedFilesystem]
    offers: list[FilesystemOffer]
    """The offer of each filesystem, in the same order."""
    release: Release
    installed: dict[str, str]
    """Component of the release → version, of those that nodes get."""
    platform: str
    has_fabric: bool
    has_scheduler: bool
    storage: list[PlannedStorage]
    """What each filesystem gives, in the same order."""
    jobs: list[PlannedJob]

    @property
    def simulated(self) -> bool:
        """True where the platform stands in for hardware."""
        return self.platform == "lab"

    @property
    def computes(self) -> int:
        """Compute nodes."""
        return sum(pool.nodes for pool in self.pools)

    @property
    def rail_hosts(self) -> int:
        """Hosts with rails: compute nodes and spares."""
        return self.computes + sum(pool.spares for pool in self.pools)

    def hardware(
        self, name: str, roles: list[str], statement: str, reach: Expectation | None = None
    ) -> Claim:
        """A claim about what the platform may only stand in for."""
        return Claim(id=name, statement=statement, roles=roles, expectation=reach, simulated=self.simulated)


Scope = Iterator[Claim | OutOfScope]


def claims(facts: Facts) -> tuple[list[Claim], list[OutOfScope]]:
    """Claims in scope and those out of scope, each in a fixed order."""
    found = [
        item
        for group in (_node, _hardware, _rails, _fabric, _collectives, _storage, _job, _pretraining)
        for item in group(facts)
    ]
    outside = [item for item in found if isinstance(item, OutOfScope)]
    if facts.simulated:
        outside += [OutOfScope(id=name, reason=reason) for name, reason in LAB_CANNOT_SHOW.items()]
    return [item for item in found if isinstance(item, Claim)], outside


def _node(facts: Facts) -> Scope:
    machine, release, installed = facts.pools[0].machine, facts.release, facts.installed
    driver, manager, dcgm = installed["nvidia_driver"], installed.get("fabric_manager"), installed.get("dcgm")
    yield facts.hardware(
        "node.gpus",
        WORKERS,
        f"the node shows {machine.gpus} healthy GPUs of its model and memory",
        expectations.count("GPUs", machine.gpus, machine.key),
    )
    yield facts.hardware(
        "node.driver", WORKERS, f"driver {driver} is installed and loaded, and its library has its version"
    )
    if manager:
        yield facts.hardware(
            "node.fabric_manager",
            WORKERS,
            f"fabric manager {manager} runs, with a driver of its version, and every GPU is in its fabric",
        )
    if dcgm:
        statement = f"DCGM {dcgm} answers and sees every GPU"
        reach = expectations.count("GPUs", machine.gpus, machine.key)
        yield facts.hardware("node.dcgm_engine", WORKERS, statement, reach)
    if facts.has_fabric:
        nics = machine.rails * machine.nics_per_rail
        yield facts.hardware(
            "node.nics",
            WORKERS,
            f"all {nics} rail NICs are up, with their address, MTU and rate",
            expectations.count("NICs", nics, machine.key),
        )
    else:
        yield OutOfScope(id="node.nics", reason="the spec has no fabric, so hosts have no rails")
    yield Claim(
        id="node.limits",
        statement="a job step may lock the memory that its transport needs, and open enough files",
        roles=WORKERS,
    )
    if "enroot" in installed and "container_toolkit" in installed:
        yield facts.hardware(
            "node.containers", WORKERS, "jobs may run in containers, which get the node's GPUs"
        )
    if facts.filesystems:
        yield Claim(
            id="node.mounts",
            statement="the shared filesystems are mounted, and setuid programs and device files on them do nothing",
            roles=EVERY_HOST,
        )
    else:
        yield OutOfScope(id="node.mounts", reason="the spec has no filesystem")
    yield Claim(id="node.time", statement="the clock is synchronised", roles=EVERY_HOST)
    yield Claim(
        id=identity.CLAIM,
        statement="the machine that answers is the contract's, by what it shows of itself, and no other node's",
        roles=EVERY_HOST,
    )
    yield Claim(
        id="node.packages",
        statement=f"the packages of release {release.key} are installed in its versions",
        roles=EVERY_HOST,
    )
    if facts.platform in CLOUDS:
        yield Claim(
            id="node.imds", statement="only root reaches the provider's metadata service", roles=EVERY_HOST
        )
    else:
        yield OutOfScope(id="node.imds", reason="hosts of this platform have no metadata service")
    if not facts.has_scheduler:
        for name in ("node.scheduler", "node.logins", "scheduler.state"):
            yield OutOfScope(id=name, reason="the spec has no scheduler")
        return
    yield Claim(
        id="node.scheduler",
        statement="the scheduler's files and munge key are those of the controller",
        roles=EVERY_HOST,
    )
    yield Claim(
        id="node.logins",
        statement="over SSH only those who have a job on the node, or look after it, are let in",
        roles=WORKERS,
    )
    yield Claim(
        id="scheduler.state",
        statement="the scheduler knows every node, with its GPUs, in a state fit for work",
        roles=CLUSTER,
    )


def _hardware(facts: Facts) -> Scope:
    """Claims about the machines themselves, where there are any."""
    if facts.simulated:
        return
    for name, statement in HARDWARE.items():
        yield Claim(id=name, statement=statement, roles=WORKERS)
    if not facts.has_fabric:
        return
    for name, statement in FABRIC.items():
        yield Claim(id=name, statement=statement, roles=CLUSTER)
    transport = facts.pools[0].machine.transport
    if transport == "roce":
        yield Claim(id="fabric.gid", statement="every rail NIC has its RoCE v2 GID", roles=WORKERS)
    else:
        yield OutOfScope(id="fabric.gid", reason=f"{transport} needs no RoCE GID")
    if facts.platform == "metal":
        statement = "every cable is where the plan has it"
        yield Claim(id="fabric.cabling", statement=statement, roles=CLUSTER)
    else:
        yield OutOfScope(id="fabric.cabling", reason="the provider does not show its switches and cables")


def _rails(facts: Facts) -> Scope:
    if not facts.has_fabric:
        return
    machine = facts.pools[0].machine
    partners = facts.rail_hosts - 1
    for rail in range(machine.rails):
        name = f"fabric.rail.{rail}.bandwidth"
        if partners < MIN_PARTNERS:
            reason = f"a rail is judged against at least {MIN_PARTNERS} partners; here it has {partners}"
            yield OutOfScope(id=name, reason=reason)
            continue
        yield facts.hardware(
            name,
            WORKERS,
            f"rail {rail} by itself carries its rate both ways, against {MIN_PARTNERS} partners or more",
            expectations.by_law(machine, "Gb/s", bandwidth.expect_rail),
        )


def _fabric(facts: Facts) -> Scope:
    if not facts.has_fabric:
        return
    if facts.rail_hosts < 2:
        yield OutOfScope(id="fabric.all_rails", reason="there is one node with rails: none to talk to")
    else:
        yield facts.hardware(
            "fabric.all_rails",
            CLUSTER,
            "all rails of a node carry their rate at the same time",
            expectations.by_law(facts.pools[0].machine, "Gb/s", expectations.all_rails),
        )
    if facts.computes < 2:
        reason = "there is one compute node: no collective leaves it"
        yield OutOfScope(id="fabric.transport", reason=reason)
    else:
        yield facts.hardware(
            "fabric.transport",
            CLUSTER,
            "a collective's bytes cross the rails, each its share, and not the management network",
            expectations.transport(),
        )


def _collectives(facts: Facts) -> Scope:
    if not facts.has_fabric:
        return
    machine = facts.pools[0].machine
    for name in GATED_COLLECTIVES:
        if facts.computes < 2:
            reason = "there is one compute node: no collective leaves it"
            yield OutOfScope(id=f"collective.{name}@2", reason=reason)
        for nodes in range(2, min(MAX_COLLECTIVE_NODES, facts.computes) + 1):
            yield facts.hardware(
                f"collective.{name}@{nodes}",
                CLUSTER,
                f"{name} over {nodes} nodes is correct and reaches its bus bandwidth",
                expectations.by_law(machine, "GB/s", _collective(name, nodes)),
            )


def _collective(name: str, nodes: int) -> Callable[[bandwidth.BandwidthMachine], Expectation]:
    def law(machine: bandwidth.BandwidthMachine) -> Expectation:
        size = bandwidth.gating_size(machine, nodes, name)
        reach = bandwidth.expect(machine, nodes, name, size)
        return reach if size == GATING_SIZE_BYTES else reach.model_copy(update={"size_bytes": size})

    return law


def _storage(facts: Facts) -> Scope:
    if not facts.filesystems:
        for name in ("storage.write", "storage.read", "storage.servers"):
            yield OutOfScope(id=name, reason="the spec has no filesystem")
        return
    filesystem, offer = facts.filesystems[0], facts.offers[0]
    yield Claim(
        id="storage.write",
        statement=f"one client writes to {filesystem.mount} at the floor or faster",
        roles=CLUSTER,
        expectation=expectations.declared(offer.write_floor_mbytes_per_s, offer),
    )
    yield Claim(
        id="storage.read",
        statement=f"one client reads from {filesystem.mount} at the floor or faster",
        roles=CLUSTER,
        expectation=expectations.declared(offer.read_floor_mbytes_per_s, offer),
    )
    if not filesystem.data_servers:
        reason = f"the servers of {filesystem.name} are the provider's own"
        yield OutOfScope(id="storage.servers", reason=reason)
        return
    if filesystem.copies < 2:
        reason = f"{filesystem.name} keeps one copy: no server may be lost"
        yield OutOfScope(id="storage.servers", reason=reason)
        return
    yield Claim(
        id="storage.servers",
        statement=f"every data server serves, each chunk has {filesystem.copies} copies, and a client that "
        f"never read a file reads it whole",
        roles=CLUSTER,
        expectation=expectations.count("data servers", len(filesystem.data_servers), filesystem.name),
    )


JOB_WITHOUT_HARDWARE = (
    "the reference job of this release trains on processors over TCP: "
    "it would say nothing of the GPUs and the RDMA rails"
)


def _job(facts: Facts) -> Scope:
    if not facts.has_scheduler:
        for name in ("job.checkpoint", "job.resume"):
            yield OutOfScope(id=name, reason="there is no scheduler to run the reference job")
        return
    if not facts.filesystems:
        for name in ("job.checkpoint", "job.resume"):
            yield OutOfScope(id=name, reason="the spec has no filesystem to keep a checkpoint on")
        return
    if any(pool.machine.transport != "tcp" for pool in facts.pools):
        for name in ("job.checkpoint", "job.resume"):
            yield OutOfScope(id=name, reason=JOB_WITHOUT_HARDWARE)
        return
    yield facts.hardware(
        "job.checkpoint",
        CLUSTER,
        "the reference job trains under the scheduler and writes a whole checkpoint",
    )
    if facts.computes < 2:
        reason = "there is one compute node: none is left to resume on"
        yield OutOfScope(id="job.resume", reason=reason)
        return
    yield facts.hardware(
        "job.resume", CLUSTER, "after a node is lost the job goes on from its last checkpoint"
    )


def _pretraining(facts: Facts) -> Scope:
    """What a long job adds: its checkpoints must be written and read as fast as was planned."""
    if not facts.jobs:
        return
    verbs = (
        (
            "storage.checkpoint",
            "written",
            "all nodes together write a checkpoint of the job in the planned time",
        ),
        ("storage.restore", "read", "all nodes together read a checkpoint of the job in the planned time"),
    )
    for name, verb, statement in verbs:
        if not facts.filesystems:
            yield OutOfScope(id=name, reason="the spec has no filesystem to keep a checkpoint on")
        elif facts.simulated:
            reason = (
                "the lab's disk stands for no checkpoint store: a checkpoint of the job would not fit on it"
            )
            yield OutOfScope(id=name, reason=reason)
        else:
            given = facts.storage[0]
            seconds = given.checkpoint_write_s if verb == "written" else given.checkpoint_restore_s
            reach = expectations.checkpoint(
                verb, given.checkpoint_gbytes or 0.0, seconds, given.rates.derivation
            )
            yield Claim(id=name, statement=statement, roles=CLUSTER, expectation=reach)
