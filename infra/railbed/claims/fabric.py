"""Claims about the rails of a node and the fabric between nodes."""

from __future__ import annotations

from railbed.claims import expectations
from railbed.claims.definition import (
    CLUSTER,
    Explanation,
    Facts,
    Having,
    In,
    Instances,
    Level,
    Out,
    Subject,
    define,
)
from railbed.claims.measurements import (
    CABLING,
    COLLECTIVES,
    LATENCY,
    NCCL_LOG,
    NODE_SUITE,
    OPTICS,
    PATHS,
    PORT_COUNTERS,
    RAILS,
)
from railbed.claims.records import WORKERS, Expectation
from railbed.defaults import SIBLING_TOLERANCE
from railbed.laws import bandwidth, paths

MIN_PARTNERS = 2
"""A rail is judged against at least so many partners: with one, either side could be the slow one."""
FEW_PARTNERS = f"a rail is judged against at least {MIN_PARTNERS} partners; here it has {{}}"
BISECTION_NODES = 4
"""Two pairs at least."""
INCAST_NODES = 3
"""Two senders at least."""
ALONE = "there is one compute node: no collective leaves it"
SOFT_RDMA = "the lab's stand-in for nccl-tests sends TCP, and the rails of these nodes are RDMA: it would measure another way"
"""Of soft RoCE: NCCL itself needs GPUs."""
SOFT_COUNTERS = "soft RoCE has no link and none of a port's error counters"
TRAFFIC = Explanation(never=frozenset({"storage"}), first="rail", beside="the switches between them")


@define(
    id="node.nics", subject=Subject.NODE, roles=WORKERS, having=Having.RAILS, level=Level.FAST, by=NODE_SUITE,
    holds="every rail NIC is up, with its address, MTU and rate", accuses="nics", runbook="nics", hardware=True,
)  # fmt: skip
def nics(facts: Facts) -> Instances:
    if not facts.has_fabric:
        yield Out("the spec has no fabric, so hosts have no rails")
        return
    number = facts.machine.rails * facts.machine.nics_per_rail
    reach = expectations.count("NICs", number, facts.machine.key)
    yield In(f"all {number} rail NICs are up, with their address, MTU and rate", reach)


@define(
    id="fabric.gid", subject=Subject.NODE, roles=WORKERS, having=Having.RAILS, level=Level.QUICK, by=NODE_SUITE,
    holds="every rail's port has a RoCE v2 GID of the rail's address", accuses="gid", runbook="gid",
)  # fmt: skip
def gid(facts: Facts) -> Instances:
    if facts.has_fabric:
        transport = facts.machine.transport
        roce = transport == "roce"
        yield (
            In("every rail's port has a RoCE v2 GID of the rail's address")
            if roce
            else Out(f"{transport} needs no RoCE GID")
        )


@define(
    id="fabric.cabling", subject=Subject.CLUSTER, roles=CLUSTER, level=Level.QUICK, by=CABLING,
    holds="every cable of a node ends in the leaf switch and port that the plan has for its rail, as LLDP tells the node, or as "
    "InfiniBand's subnet shows it", accuses="fabric", runbook="cabling", hardware=True,
)  # fmt: skip
def cabling(facts: Facts) -> Instances:
    if not facts.has_fabric:
        return
    if facts.platform in ("lab", "metal"):
        yield In("every cable of a node ends in the leaf switch and port of its rail")
    else:
        yield Out("the provider does not show its switches and cables")


@define(
    id="fabric.rail.{rail}.bandwidth", subject=Subject.RAIL, roles=WORKERS, having=Having.RAILS, by=RAILS,
    holds="rail {rail} by itself carries its rate both ways, against two partners or more",
    accuses="rail {rail}", runbook="rails", hardware=True, essential=True, steady=SIBLING_TOLERANCE,
)  # fmt: skip
def rail_bandwidth(facts: Facts) -> Instances:
    if not facts.has_fabric:
        return
    partners = facts.rail_hosts - 1
    for rail in range(facts.machine.rails):
        if partners < MIN_PARTNERS:
            yield Out(FEW_PARTNERS.format(partners), rail=rail)
            continue
        yield In(
            f"rail {rail} by itself carries its rate both ways, against {MIN_PARTNERS} partners or more",
            expectations.by_law(facts.machine, "Gb/s", bandwidth.expect_rail),
            rail=rail,
        )


@define(
    id="fabric.all_rails", subject=Subject.CLUSTER, roles=CLUSTER, by=RAILS,
    holds="all rails of a node carry their rate at the same time", accuses="fabric", runbook="rails",
    hardware=True, essential=True, explained=TRAFFIC, steady=SIBLING_TOLERANCE,
)  # fmt: skip
def all_rails(facts: Facts) -> Instances:
    if not facts.has_fabric:
        return
    if facts.rail_hosts < 2:
        yield Out("there is one node with rails: none to talk to")
        return
    reach = expectations.by_law(facts.machine, "Gb/s", bandwidth.expect_all_rails)
    yield In("all rails of a node carry their rate at the same time", reach)


@define(
    id="fabric.latency", subject=Subject.NODE, roles=WORKERS, having=Having.RAILS, by=LATENCY,
    holds="a small message over each rail takes no longer than an operator's gate allows, where one is published, and no rail is "
    "an outlier among all rails of the cluster with every partner", accuses="rails", runbook="rail-latency", hardware=True,
)  # fmt: skip
def latency(facts: Facts) -> Instances:
    if not facts.has_fabric:
        return
    partners = facts.rail_hosts - 1
    if partners < MIN_PARTNERS:
        yield Out(FEW_PARTNERS.format(partners))
        return
    rack = facts.machine.nodes_per_nvlink_domain > 1
    yield In(
        "a small message over each rail takes no longer than over the others",
        paths.latency_limit(facts.machine.transport, rack=rack),
    )


@define(
    id="fabric.isolation", subject=Subject.NODE, roles=WORKERS, having=Having.RAILS, by=PATHS,
    holds="on InfiniBand with a partition in the spec: by every other partition that both ports have, `ib_write_bw` between two "
    "nodes gets no answer, on each rail, while it carries by the spec's before and after; and no rail is a full member of "
    "another one, but the storage network's",
    accuses="rails", runbook="isolation", hardware=True,
)  # fmt: skip
def isolation(facts: Facts) -> Instances:
    if not facts.has_fabric:
        return
    if facts.pool_tenants > 1:
        yield Out("this release tries no way from the rails of one tenant's hosts to those of another's")
    elif facts.machine.transport != "infiniband":
        yield Out(
            "the spec parts nobody on these rails: they are one network, and nobody outside it is there to try"
        )
    elif not facts.pkey:
        yield Out("the spec names no InfiniBand partition: whoever is on the subnet reaches the rails")
    elif facts.rail_hosts < 2:
        yield Out("there is one node with rails: none to try with")
    else:
        yield In(f"rails reach nobody but by partition {facts.pkey:#06x}")


@define(
    id="fabric.cross_rail", subject=Subject.CLUSTER, roles=CLUSTER, by=PATHS,
    holds="rail i of a node and rail j of another one carry what the uplinks between their leaf switches leave, all nodes at "
    "once in disjoint pairs, both ways; where the fabric joins its rails", accuses="fabric", runbook="cross-rail", hardware=True,
    explained=TRAFFIC,
)  # fmt: skip
def cross_rail(facts: Facts) -> Instances:
    if not facts.has_fabric:
        return
    if facts.rail_only:
        yield Out("no path leads from one rail to another: the fabric has no spine")
    elif facts.machine.transport == "tcp":
        yield Out("rails over TCP are networks of their own: a node has no route from one to another")
    elif facts.machine.rails < 2 or facts.rail_hosts < 2:
        yield Out(f"it takes two rails and two nodes; here are {facts.machine.rails} and {facts.rail_hosts}")
    else:
        yield In("traffic between different rails passes the spine at its rate", _across(facts))


@define(
    id="fabric.bisection", subject=Subject.CLUSTER, roles=CLUSTER, by=PATHS,
    holds="all nodes at once in disjoint pairs, across scalable units where there are several, over all rails both ways, in "
    "several permutations: the flows of each leaf switch carry half of what its uplinks leave, and each a quarter; where no "
    "uplink is shared each carries a rail's rate", accuses="fabric", runbook="bisection", hardware=True, explained=TRAFFIC,
)  # fmt: skip
def bisection(facts: Facts) -> Instances:
    if not facts.has_fabric:
        return
    if facts.rail_hosts < BISECTION_NODES:
        yield Out(f"{BISECTION_NODES} nodes with rails or more have two halves; here are {facts.rail_hosts}")
    elif facts.rail_only:
        reach = expectations.by_law(facts.machine, "Gb/s", paths.expect_within_leaf)
        yield In("all nodes in pairs at once, over all rails, carry a rail's rate", reach)
    else:
        yield In("all nodes in pairs at once carry what the fabric's uplinks leave", _across(facts))


@define(
    id="fabric.incast", subject=Subject.CLUSTER, roles=CLUSTER, by=PATHS,
    holds="several senders into one rail of a receiver together reach nine tenths of its rate, on every rail at once; on RoCE "
    "and InfiniBand no port counts a packet discarded or lost meanwhile; pauses and marks of congestion are recorded",
    accuses="fabric", runbook="incast", hardware=True, explained=TRAFFIC,
)  # fmt: skip
def incast(facts: Facts) -> Instances:
    if not facts.has_fabric:
        return
    if facts.rail_hosts < INCAST_NODES:
        yield Out(
            f"{INCAST_NODES} nodes with rails or more make two senders and a receiver; here are {facts.rail_hosts}"
        )
        return
    reach = expectations.by_law(facts.machine, "Gb/s", paths.expect_incast)
    yield In("several senders fill one rail of a receiver, and nothing is discarded", reach)


def _across(facts: Facts) -> Expectation:
    return expectations.by_law(
        facts.machine, "Gb/s", lambda machine: paths.expect_across(machine, facts.oversubscription)
    )


@define(
    id="fabric.transport", subject=Subject.CLUSTER, roles=CLUSTER, by=COLLECTIVES,
    holds="in the rings over the most nodes, each rail carried its share of the computed bytes within 2 % (TCP, one rank a "
    "node), or half of an equal share or more (else: NCCL shares out), and the management network less than 1 %; one that looks "
    "wrong runs again, up to three times; busy management beside whole rails is another program's, `unproven`",
    accuses="fabric", runbook="transport", hardware=True, essential=True, explained=TRAFFIC,
)  # fmt: skip
def transport(facts: Facts) -> Instances:
    if not facts.has_fabric:
        return
    if facts.computes < 2:
        yield Out(ALONE)
        return
    if facts.machine.nic_kind == "rxe":
        yield Out(SOFT_RDMA)
        return
    statement = "a collective's bytes cross the rails, each its share, and not the management network"
    yield In(statement, expectations.transport())


@define(
    id="fabric.transport.nccl_log", subject=Subject.CLUSTER, roles=CLUSTER, by=NCCL_LOG,
    holds="NCCL's own log names the fabric's transport, and no socket; over TCP rails: sockets of every rail's interface, of "
    "no other", accuses="fabric", runbook="transport", hardware=True, explained=TRAFFIC,
)  # fmt: skip
def nccl_log(facts: Facts) -> Instances:
    if facts.has_fabric:
        yield (
            Out(ALONE)
            if facts.computes < 2
            else Out(SOFT_RDMA)
            if facts.machine.nic_kind == "rxe"
            else In("NCCL's own log names the fabric's transport, and no other")
        )


@define(
    id="fabric.gpudirect", subject=Subject.CLUSTER, roles=CLUSTER, by=NCCL_LOG,
    holds="the rail NICs read GPU memory directly", accuses="gpudirect", runbook="gpudirect",
    hidden={"lab": "the lab's GPUs are stand-ins without memory that a NIC could read"},
)  # fmt: skip
def gpudirect(facts: Facts) -> Instances:
    if facts.has_fabric:
        yield Out(ALONE) if facts.computes < 2 else In("the rail NICs read GPU memory directly")


@define(
    id="fabric.port_errors", subject=Subject.NODE, roles=WORKERS, having=Having.RAILS, by=PORT_COUNTERS,
    holds="while the rails were loaded, no port of a rail lost its link, and none counted more symbol errors, recoveries or "
    "buffer errors than is healthy", accuses="rails", runbook="rail-errors", hardware=True,
)  # fmt: skip
def port_errors(facts: Facts) -> Instances:
    if not facts.has_fabric:
        return
    if facts.machine.transport == "efa":
        yield Out("EFA devices count no errors of their links, which are the provider's")
    elif facts.machine.nic_kind == "rxe":
        yield Out(SOFT_COUNTERS)
    elif facts.rail_hosts < 2:
        yield Out("there is one node with rails: nothing loads them")
    else:
        yield In("no port of a rail loses its link or counts errors under load")


@define(
    id="fabric.optics", subject=Subject.NODE, roles=WORKERS, having=Having.RAILS, by=OPTICS,
    holds="the optical modules of a node's rails are within the alarm limits that they name themselves, bit errors are as few as "
    "the error correction was made for, and while the fabric is loaded it leaves none; copper cables have no optics",
    accuses="rails", runbook="optics", hardware=True,
    hidden={"lab": "the lab's cables are made of software: no module, no bit errors"},
)  # fmt: skip
def optics(facts: Facts) -> Instances:
    if not facts.has_fabric:
        return
    if facts.platform in ("lab", "metal"):
        yield In(
            "the rails' optical modules are within their limits, and the error correction leaves no bit error under load"
        )
    else:
        yield Out("the provider looks after the modules and cables of its network")
