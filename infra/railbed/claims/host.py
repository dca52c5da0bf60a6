"""Claims about a host whatever its hardware: identity, clock, packages, kernel, mounts, limits."""

from __future__ import annotations

from railbed.claims import expectations
from railbed.claims.definition import EVERY_HOST, Facts, Having, In, Instances, Level, Out, Subject, define
from railbed.claims.measurements import HARDWARE_SUITE, NODE_SUITE
from railbed.claims.records import WORKERS


@define(
    id="node.kernel", subject=Subject.NODE, roles=WORKERS, level=Level.QUICK, by=NODE_SUITE,
    holds="the release's kernel runs, no other one waits for the next boot, and the driver has a module built for it",
    accuses="kernel", runbook="kernel",
    hidden={"lab": "the lab's driver is a stand-in: no kernel has a module of it"},
)  # fmt: skip
def kernel(_: Facts) -> Instances:
    yield In("the release's kernel runs, no other waits for the next boot, and the driver was built for it")


@define(
    id="node.boot_line", subject=Subject.NODE, roles=WORKERS, level=Level.QUICK, by=NODE_SUITE,
    holds="the kernel runs with the boot parameters that the machine needs", accuses="kernel", runbook="kernel",
)  # fmt: skip
def boot_line(facts: Facts) -> Instances:
    if facts.boot_line:
        kept = f", or its image's {' or '.join(facts.boot_line_kept)}" if facts.boot_line_kept else ""
        yield In(f"the kernel runs with {' '.join(facts.boot_line)}{kept}")
    else:
        yield Out("the catalogue asks no boot parameter of these machines")


@define(
    id="node.acs", subject=Subject.NODE, roles=WORKERS, level=Level.QUICK, by=NODE_SUITE,
    holds="no PCI bridge above a GPU or a network card redirects traffic between them (ACS is off)",
    accuses="pcie", runbook="acs",
)  # fmt: skip
def acs(facts: Facts) -> Instances:
    if facts.own_bridges:
        yield In("GPUs and network cards of one switch reach each other directly")
    else:
        yield Out("the PCI bridges above the node's devices are not its own")


@define(
    id="node.read_requests", subject=Subject.NODE, roles=WORKERS, level=Level.QUICK, by=NODE_SUITE,
    holds="every network card that may be a rail's asks 4096 bytes of memory at once, and may order its writes freely",
    accuses="pcie", runbook="read-requests",
)  # fmt: skip
def read_requests(facts: Facts) -> Instances:
    if not facts.own_bridges:
        yield Out("the configuration spaces of the node's devices are not its own")
    elif {"infiniband", "roce"}.isdisjoint(facts.transports):
        yield Out("the rails' cards are none whose read requests are known")
    else:
        yield In("network cards ask enough of memory at once for their links")


@define(
    id="node.lossless", subject=Subject.NODE, roles=WORKERS, level=Level.QUICK, by=NODE_SUITE,
    holds="on every RoCE rail of a site's own machines the card sorts data and congestion notices by DSCP into their priorities, "
    "and the data's priority alone pauses (PFC); where the driver shows it, notices of congestion are sent and obeyed (ECN), "
    "with their DSCP",
    accuses="rails", runbook="lossless",
)  # fmt: skip
def lossless(facts: Facts) -> Instances:
    # A provider's agents set the classes of its cards, on its bare metal too.
    if facts.own_bridges and not facts.metadata_service and "roce" in facts.transports:
        yield In("RoCE on every rail has the class that the leaf switches keep lossless")
    else:
        yield Out("no rail is RoCE whose classes are the site's to set")


@define(
    id="node.partition", subject=Subject.NODE, roles=WORKERS, having=Having.RAILS, level=Level.QUICK, by=NODE_SUITE,
    holds="every InfiniBand rail is a full member of the partition that the spec names, at one place in the tables of all cards, "
    "and NCCL is set to that place",
    accuses="rails", runbook="partition",
)  # fmt: skip
def partition(facts: Facts) -> Instances:
    if facts.pkey:
        yield In(f"every rail is a full member of partition {facts.pkey:#06x}, where NCCL looks for it")
    else:
        yield Out("the spec names no InfiniBand partition")


@define(
    id="node.nccl", subject=Subject.NODE, roles=WORKERS, having=Having.RAILS, level=Level.QUICK, by=NODE_SUITE,
    holds="`/etc/nccl.conf` has every variable that the machine and its cards ask, and the topology file that it names is there",
    accuses="nccl", runbook="nccl",
)  # fmt: skip
def nccl(facts: Facts) -> Instances:
    if facts.transports == ["efa"] and not facts.machine.nccl_environment:
        yield Out("the catalogue has no NCCL settings for these machines")
    elif facts.has_fabric:
        yield In(
            "NCCL has the settings that the machine and its cards need, in the file that every job reads"
        )
    else:
        yield Out("the hosts have no rails")


@define(
    id="node.processors", subject=Subject.NODE, roles=WORKERS, level=Level.QUICK, by=NODE_SUITE,
    holds="where the kernel has a say in it: every clock has the governor `performance`, no CPU may enter an idle state that "
    "takes longer than 50 µs to leave, transparent huge pages go to who asks, and automatic NUMA balancing is off",
    accuses="processors", runbook="processors",
    hidden={"container": "containers' processors are those of the machine that runs them"},
)  # fmt: skip
def processors(_: Facts) -> Instances:
    yield In("processors keep their clock and wake quickly, and the kernel moves no pages about under ranks")


@define(
    id="node.memory", subject=Subject.NODE, roles=WORKERS, level=Level.QUICK, by=HARDWARE_SUITE,
    holds="the kernel has at least 95 % of the memory that the machine should have", accuses="memory", runbook="memory",
    hidden={"container": "containers see the memory of the machine that runs them"},
)  # fmt: skip
def memory(facts: Facts) -> Instances:
    reach = expectations.memory(facts.machine)
    yield In("the machine's memory is there, so that the scheduler can offer what it promises", reach)


@define(
    id="node.nvme", subject=Subject.NODE, roles=WORKERS, having=Having.GPUS, level=Level.QUICK, by=NODE_SUITE,
    holds="no local NVMe drive has a critical warning, fewer spare blocks than its threshold, or has used up the life that its "
    "maker named; disks of a network are left out", accuses="drives", runbook="nvme",
    hidden={"container": "containers have no drives of their own"},
)  # fmt: skip
def nvme(_: Facts) -> Instances:
    yield In("no local NVMe drive warns of itself or is worn out")


@define(
    id="node.leftovers", subject=Subject.NODE, roles=WORKERS, by=NODE_SUITE,
    holds="where no job runs, ordinary users have no process (administrators' logins apart), no GPU has one, and no shared "
    "memory or semaphores of users are there; unproven where a job runs. Nothing is ended or removed",
    accuses="leftovers", runbook="leftovers", hardware=True,
)  # fmt: skip
def leftovers(facts: Facts) -> Instances:
    if facts.has_scheduler:
        yield In("no job left a process, shared memory or semaphores behind")
    else:
        yield Out("there is no scheduler that says where jobs run")


@define(
    id="node.limits", subject=Subject.NODE, roles=WORKERS, level=Level.QUICK, by=NODE_SUITE,
    holds="a job step (measured inside one) may lock as much memory as the rails' transport needs, and open enough files",
    accuses="limits", runbook="limits",
)  # fmt: skip
def limits(_: Facts) -> Instances:
    yield In("a job step may lock the memory that its transport needs, and open enough files")


@define(
    id="node.mounts", subject=Subject.NODE, roles=EVERY_HOST, level=Level.FAST, by=NODE_SUITE,
    holds="the shared filesystems are mounted with `nosuid` and `nodev`", accuses="mounts", runbook="mounts",
)  # fmt: skip
def mounts(facts: Facts) -> Instances:
    if facts.filesystem is None:
        yield Out("the spec has no filesystem")
        return
    yield In("the shared filesystems are mounted, and setuid programs and device files on them do nothing")


@define(
    id="node.time", subject=Subject.NODE, roles=EVERY_HOST, level=Level.FAST, by=NODE_SUITE,
    holds="the clock is synchronised", accuses="time", runbook="time",
)  # fmt: skip
def time(_: Facts) -> Instances:
    yield In("the clock is synchronised")


@define(
    id="node.dns", subject=Subject.NODE, roles=EVERY_HOST, level=Level.QUICK, by=NODE_SUITE,
    holds="each name server of the site (`site.dns`) answers this node", accuses="dns", runbook="name-servers",
)  # fmt: skip
def dns(facts: Facts) -> Instances:
    if facts.name_servers:
        yield In(f"the site's name servers answer: {', '.join(facts.name_servers)}")
    else:
        yield Out("the spec names no name server of the site")


@define(
    id="node.directory", subject=Subject.NODE, roles=EVERY_HOST, level=Level.QUICK, by=NODE_SUITE,
    holds="SSSD is online, its groups that may log in are found, and no user of it has an admin's id; while the directory is "
    "away it is unproven",
    accuses="directory", runbook="directory",
)  # fmt: skip
def directory(facts: Facts) -> Instances:
    if facts.directory:
        yield In(
            "the directory of people answers, knows the groups that may log in, and no user of it has an admin's id"
        )
    else:
        yield Out("the spec names no directory of people")


@define(
    id="node.identity", subject=Subject.NODE, roles=EVERY_HOST, level=Level.QUICK, by=HARDWARE_SUITE,
    holds="the machine that answers is the contract's, by the serial number, instance id or machine id that it shows; no "
    "other node shows its machine id or GPUs; in a quick run also: no GPU or NIC is another one than when the node was "
    "accepted",
    accuses="identity", runbook="identity",
)  # fmt: skip
def identity(_: Facts) -> Instances:
    yield In("the machine that answers is the contract's, by what it shows of itself, and no other node's")


@define(
    id="node.packages", subject=Subject.NODE, roles=EVERY_HOST, level=Level.QUICK, by=NODE_SUITE,
    holds="the packages of the release are there in its versions", accuses="packages", runbook="packages",
)  # fmt: skip
def packages(facts: Facts) -> Instances:
    yield In(f"the packages of release {facts.release} are installed in its versions")


@define(
    id="node.imds", subject=Subject.NODE, roles=EVERY_HOST, level=Level.QUICK, by=NODE_SUITE,
    holds="root reaches the provider's metadata service, another user does not (clouds)",
    accuses="imds", runbook="metadata-service",
)  # fmt: skip
def imds(facts: Facts) -> Instances:
    if facts.metadata_service:
        yield In("only root reaches the provider's metadata service")
    else:
        yield Out("hosts of this platform have no metadata service")
