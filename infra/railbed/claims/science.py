"""Claims of the workload `scientific`: HPL, STREAM, MPI between nodes, and equal results of equal computations."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from railbed.claims import expectations
from railbed.claims.definition import CLUSTER, Explanation, Facts, In, Instances, Out, Subject, define
from railbed.claims.fabric import SOFT_RDMA, TRAFFIC
from railbed.claims.measurements import SCIENCE
from railbed.claims.records import WORKERS, Expectation
from railbed.laws import hpl, mpi, outliers

NO_SCHEDULER = "there is no scheduler that starts MPI programs"
OWN_MPI = (
    "the nodes' MPI is of a vendor's installer, and the distribution's hpcc is made for the distribution's"
)
NO_IMAGE = (
    "the spec names no image of NVIDIA's HPC Benchmarks (`software.hpc_benchmarks`), whose HPL runs on GPUs"
)
ONE_NODE = "the largest scientific job has one node"
COMPUTES = Explanation(only=frozenset({"gpu", "gpus", "memory", "pcie", "nvlink"}), first="gpu")
RATE_SHARE = 0.01
"""GB/s of STREAM that a lab's shared processor must reach: it shows that the program computed."""


def where_asked(instances: Callable[[Facts], Instances]) -> Callable[[Facts], Instances]:
    """The claims of a spec with a scientific workload; another one has none of them, in scope or out of it."""

    @wraps(instances)
    def asked(facts: Facts) -> Instances:
        if facts.science_nodes:
            yield from instances(facts)

    return asked


def host_obstacle(facts: Facts) -> str:
    """Why hpcc cannot run; empty where it can."""
    if not facts.has_scheduler:
        return NO_SCHEDULER
    if facts.installed.keys() & {"ofed", "efa_installer"}:
        return OWN_MPI
    return SOFT_RDMA if facts.machine.nic_kind == "rxe" else ""


def _hpl_obstacle(facts: Facts) -> str:
    """Why HPL cannot run; empty where it can. Stand-ins for GPUs solve it with hpcc."""
    if facts.machine.stands_for or not facts.has_scheduler:
        return host_obstacle(facts)
    if not facts.hpl_image:
        return NO_IMAGE
    if not {"enroot", "pyxis"} <= facts.installed.keys():
        return "the release has no enroot or no pyxis for these machines, which start that image"
    return ""


@define(
    id="science.hpl", subject=Subject.NODE, roles=WORKERS, by=SCIENCE, explained=COMPUTES, hardware=True,
    holds="HPL over the GPUs of the node by itself solves its system in double precision (residual below 16), and reaches 0.9 of "
    "what was published of such a node; without a published rate a right solution counts (lab: on processors, by hpcc)",
    accuses="gpus", runbook="hpl",
)  # fmt: skip
@where_asked
def node_hpl(facts: Facts) -> Instances:
    why = _hpl_obstacle(facts)
    statement = "HPL solves its system on the node, and reaches its rate"
    yield Out(why) if why else In(statement, hpl.expect(facts.machine, 1))


@define(
    id="science.hpl@{nodes}", subject=Subject.CLUSTER, roles=CLUSTER, by=SCIENCE, explained=TRAFFIC, hardware=True,
    holds="HPL over {nodes} nodes, those of the largest scientific job, solves its system, and reaches 0.9 of the least that "
    "large systems published for each GPU; without a published rate a right solution counts (lab: on processors, by hpcc)",
    accuses="fabric", runbook="hpl",
)  # fmt: skip
@where_asked
def scaled_hpl(facts: Facts) -> Instances:
    why, nodes = _hpl_obstacle(facts), facts.science_nodes
    if nodes == 1:
        why = why or ONE_NODE
    statement = f"HPL over {nodes} nodes solves its system, and reaches its rate"
    yield (
        Out(why, nodes=max(nodes, 2)) if why else In(statement, hpl.expect(facts.machine, nodes), nodes=nodes)
    )


@define(
    id="science.stream", subject=Subject.NODE, roles=WORKERS, by=SCIENCE, hardware=True,
    holds="STREAM's triad on the node's processors, all ranks at once: no node is far below the others of its model; with fewer "
    "than five nodes the rate is recorded (lab: that it computed)",
    accuses="memory", runbook="host-memory-rate",
)  # fmt: skip
@where_asked
def stream(facts: Facts) -> Instances:
    why = host_obstacle(facts)
    yield Out(why) if why else In("STREAM's triad runs at the rate of the other nodes", _stream(facts))


def _stream(facts: Facts) -> Expectation:
    size = hpl.host_bytes(facts.machine.collective_ranks_per_node, stands_in=bool(facts.machine.stands_for))
    if facts.machine.stands_for:
        reason = (
            f"nodes share the processors of one computer: {RATE_SHARE:g} GB/s shows that the program computed"
        )
        return Expectation(
            unit="GB/s", floor=RATE_SHARE, basis="declared", derivation=[reason], size_bytes=size
        )
    reason = f"nobody published STREAM of the processors of {facts.machine.key}"
    if facts.rail_hosts < outliers.LEAST:
        reason += f", and {facts.rail_hosts} nodes are too few to compare: the rate is recorded"
        return Expectation(unit="GB/s", basis="data", derivation=[reason], size_bytes=size)
    reason += ": nodes are compared with each other"
    return Expectation(unit="GB/s", basis="none", derivation=[reason], size_bytes=size)


@define(
    id="science.repeatable", subject=Subject.NODE, roles=WORKERS, by=SCIENCE,
    holds="the same system, solved twice on each node, has the same residual and solution to the last printed digit, on all "
    "nodes of a model",
    accuses="results", runbook="repeatable-results",
)  # fmt: skip
@where_asked
def repeatable(facts: Facts) -> Instances:
    why = host_obstacle(facts)
    statement = "the same computation has the same result, twice and on every node"
    yield Out(why) if why else In(statement)


def _between(facts: Facts) -> str:
    return host_obstacle(facts) or (ONE_NODE if facts.science_nodes < 2 else "")


@define(
    id="science.mpi_latency", subject=Subject.CLUSTER, roles=CLUSTER, by=SCIENCE, explained=TRAFFIC, hardware=True,
    holds="a message of 8 B between any two ranks takes no longer than twice an operator's gate for the rails, where one is "
    "published; else the longest is recorded",
    accuses="fabric", runbook="mpi",
)  # fmt: skip
@where_asked
def mpi_latency(facts: Facts) -> Instances:
    rack = facts.machine.nodes_per_nvlink_domain > 1
    reach = mpi.expect_latency(facts.machine.transport, rack=rack)
    why = _between(facts)
    yield Out(why) if why else In("MPI's small messages take no longer than the rails allow", reach)


@define(
    id="science.mpi_bandwidth", subject=Subject.CLUSTER, roles=CLUSTER, by=SCIENCE, explained=TRAFFIC, hardware=True,
    holds="the slowest pair of ranks exchanges 2 MB messages at half of a rail's payload or more: MPI's data take the rails",
    accuses="fabric", runbook="mpi",
)  # fmt: skip
@where_asked
def mpi_bandwidth(facts: Facts) -> Instances:
    if why := _between(facts):
        yield Out(why)
        return
    reach = expectations.by_law(facts.machine, "GB/s", mpi.expect_bandwidth)
    yield In("MPI's large messages between nodes take the rails", reach)
