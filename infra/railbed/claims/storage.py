"""Claims about the shared filesystem."""

from __future__ import annotations

from collections.abc import Callable

from railbed.catalog import FilesystemOffer
from railbed.claims import expectations
from railbed.claims.definition import (
    CLUSTER,
    Explanation,
    Facts,
    Filesystem,
    In,
    Instances,
    Level,
    Out,
    Subject,
    define,
)
from railbed.claims.measurements import CHECKPOINT, FIO, STORAGE
from railbed.defaults import STORAGE_PEERS_LEAST

STORAGE_TOGETHER_S = 30.0
"""For which all nodes together write at the rate that was bought: long beside opening, syncing and closing files."""

NONE = "the spec has no filesystem"
FILES = Explanation(
    only=frozenset({"storage", "mounts", "node"}), first="storage", beside="the filesystem's servers"
)


def _each(facts: Facts, instance: Callable[[Filesystem], In | Out]) -> Instances:
    """One instance for each filesystem; all but the first have its name in their id."""
    if not facts.filesystems:
        yield Out(NONE)
    for at, filesystem in enumerate(facts.filesystems):
        found = instance(filesystem)
        found.beside = filesystem.name if at else ""
        yield found


def _rate(facts: Facts, verb: str, floor: Callable[[FilesystemOffer], float | None]) -> Instances:
    def instance(filesystem: Filesystem) -> In:
        statement = f"one client {verb} {filesystem.mount} at the floor or faster"
        return In(statement, expectations.stream(floor(filesystem.offer), filesystem.offer))

    return _each(facts, instance)


def _peers(facts: Facts, statement: str, operations: str) -> Instances:
    def instance(filesystem: Filesystem) -> In | Out:
        if facts.rail_hosts < STORAGE_PEERS_LEAST:
            return Out(
                f"no rate of {operations} is published of {filesystem.offer.key}, and {facts.rail_hosts} clients are too few "
                "to compare them"
            )
        return In(statement.format(mount=filesystem.mount), expectations.peers(operations, filesystem.offer))

    return _each(facts, instance)


@define(
    id="storage.write", subject=Subject.FILESYSTEM, roles=CLUSTER, by=STORAGE, explained=FILES,
    holds="each client by itself reaches the floor, in one of three tries; who does not while most others do is named",
    accuses="storage", runbook="storage-rate",
)  # fmt: skip
def write(facts: Facts) -> Instances:
    return _rate(facts, "writes to", lambda offer: offer.write_floor_mbytes_per_s)


@define(
    id="storage.read", subject=Subject.FILESYSTEM, roles=CLUSTER, by=STORAGE, explained=FILES,
    holds="each client by itself reaches the floor, in one of three tries, and reads what another one wrote; who does not while "
    "most others do is named", accuses="storage", runbook="storage-rate",
)  # fmt: skip
def read(facts: Facts) -> Instances:
    return _rate(facts, "reads from", lambda offer: offer.read_floor_mbytes_per_s)


@define(
    id="storage.servers", subject=Subject.FILESYSTEM, roles=CLUSTER, level=Level.QUICK, by=STORAGE, data_servers=True,
    holds="all clients see the filesystem, every data server serves, every chunk has its copies, a client that never read "
    "a file reads it whole",
    accuses="storage", runbook="storage-servers",
)  # fmt: skip
def servers(facts: Facts) -> Instances:
    return _each(facts, _served)


def _served(filesystem: Filesystem) -> In | Out:
    if not filesystem.servers:
        return Out(f"the servers of {filesystem.name} are the provider's own")
    if filesystem.copies < 2:
        return Out(f"{filesystem.name} keeps one copy: no server may be lost")
    return In(
        f"every data server serves, each chunk has {filesystem.copies} copies, and a client that never read a file "
        "reads it whole",
        expectations.count("data servers", filesystem.servers, filesystem.name),
    )


@define(
    id="storage.path", subject=Subject.FILESYSTEM, roles=CLUSTER, by=STORAGE,
    holds="of a Lustre filesystem that is reached over InfiniBand, RoCE or EFA: what clients write and read takes that network, "
    "by LNet's counters of the node, and not TCP beside it; and LNet has the address there that was planned, where one was",
    accuses="storage client", runbook="storage-path",
)  # fmt: skip
def path(facts: Facts) -> Instances:
    return _each(facts, _reached)


def _reached(filesystem: Filesystem) -> In | Out:
    if filesystem.rdma:
        return In(
            f"what clients move to and from {filesystem.name} takes the network that it is reached over"
        )
    return Out(f"{filesystem.name} is not reached over LNet on RDMA")


@define(
    id="storage.random", subject=Subject.FILESYSTEM, roles=CLUSTER, by=FIO, explained=FILES,
    holds="all clients at once write and read 4 KiB at random places of a file (`fio`), and none is below a quarter of the "
    "median of the others in all of three rounds; the client is named where it is as slow beside one other alone",
    accuses="storage client", runbook="storage-clients",
)  # fmt: skip
def random(facts: Facts) -> Instances:
    return _peers(
        facts, "no client does far fewer random reads or writes a second on {mount} than the others",
        "random reads and writes of one client",
    )  # fmt: skip


@define(
    id="storage.metadata", subject=Subject.FILESYSTEM, roles=CLUSTER, by=FIO, explained=FILES,
    holds="all clients at once create files, and stat those of another one (`fio`, filecreate and filestat); none is below a "
    "quarter of the median of the others in all of three rounds; the client is named where it is as slow beside one other alone",
    accuses="storage client", runbook="storage-clients",
)  # fmt: skip
def metadata(facts: Facts) -> Instances:
    return _peers(
        facts, "no client makes far fewer files a second on {mount}, or stats fewer, than the others",
        "file creates and stats",
    )  # fmt: skip


def _job(facts: Facts, statement: str, verb: str) -> Instances:
    if not facts.long_job:
        return
    wanted, filesystem = facts.checkpoint, facts.filesystem
    if wanted is None or filesystem is None:
        yield Out("the spec has no filesystem to keep a checkpoint on")
        return
    if not filesystem.offer.capacity_enforced:
        yield Out(f"the size of {filesystem.name} is a label: a checkpoint of the job would not fit on it")
        return
    seconds = wanted.write_s if verb == "written" else wanted.restore_s
    yield In(statement, expectations.checkpoint(verb, wanted.gbytes, seconds, wanted.derivation))


@define(
    id="storage.checkpoint", subject=Subject.FILESYSTEM, roles=CLUSTER, by=CHECKPOINT,
    holds="all compute nodes together write a checkpoint of the pretraining job at 0.9 of the planned rate "
    "([storage](storage.md))",
    accuses="storage", runbook="checkpoint-rate",
)  # fmt: skip
def checkpoint(facts: Facts) -> Instances:
    yield from _job(facts, "all nodes together write a checkpoint of the job in the planned time", "written")


@define(
    id="storage.restore", subject=Subject.FILESYSTEM, roles=CLUSTER, by=CHECKPOINT,
    holds="all compute nodes together read such a checkpoint back at 0.9 of the planned rate", accuses="storage",
    runbook="checkpoint-rate",
)  # fmt: skip
def restore(facts: Facts) -> Instances:
    yield from _job(facts, "all nodes together read a checkpoint of the job in the planned time", "read")


def _together(facts: Facts, verb: str, rate: Callable[[Filesystem], float | None]) -> Instances:
    def instance(filesystem: Filesystem) -> In | Out:
        gbytes_per_s = rate(filesystem)
        if facts.long_job and filesystem is facts.filesystem:
            return Out("storage.checkpoint and storage.restore show it with a checkpoint of the job")
        if gbytes_per_s is None or not filesystem.offer.capacity_enforced:
            return Out(f"nobody published what all nodes together reach on {filesystem.name}")
        if facts.computes < 2:
            return Out("one compute node: nobody reads what another one wrote")
        return In(
            f"all nodes together move what was bought to and from {filesystem.mount}",
            expectations.checkpoint(
                verb, gbytes_per_s * STORAGE_TOGETHER_S, STORAGE_TOGETHER_S, list(filesystem.bought)
            ),
        )

    return _each(facts, instance)


@define(
    id="storage.all_write", subject=Subject.FILESYSTEM, roles=CLUSTER, by=CHECKPOINT,
    holds="all compute nodes together write at 0.9 of the planned rate for half a minute, where no checkpoint of a job shows it",
    accuses="storage", runbook="checkpoint-rate",
)  # fmt: skip
def all_write(facts: Facts) -> Instances:
    return _together(facts, "written", lambda filesystem: filesystem.write_gbytes_per_s)


@define(
    id="storage.all_read", subject=Subject.FILESYSTEM, roles=CLUSTER, by=CHECKPOINT,
    holds="all compute nodes together read at 0.9 of the planned rate what they wrote, where no checkpoint of a job shows it",
    accuses="storage", runbook="checkpoint-rate",
)  # fmt: skip
def all_read(facts: Facts) -> Instances:
    return _together(facts, "read", lambda filesystem: filesystem.read_gbytes_per_s)
