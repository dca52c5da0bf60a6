"""nccl-tests over nodes, as command lines under the scheduler, and where NCCL writes its log. Pure.

Over nodes one rank a GPU, one program a collective, started by Slurm over PMIx (NVIDIA/nccl-tests README, "Running with multiple
processes"; Slurm, mpi_guide). Ranks get the whole of their nodes: a rank that is bound to one processor starves NCCL's own
threads. NCCL's settings for the fabric are in /etc/nccl.conf (role ``nccl``).
"""

from __future__ import annotations

from collections.abc import Sequence

from railbed.contract import Machine
from railbed.defaults import (
    COLLECTIVE_NODES_PER_S,
    COLLECTIVE_TIMEOUT_S,
    NCCL_LOG_FOLDER,
    NCCL_TESTS_FOLDER,
)
from railbed.judge.nccl_hosts import CUT
from railbed.validate import steps

NCCL_LOG_BYTES, NCCL_LOGS_BYTES = 192 * 1024, 256 * 1024**2
"""How much is read of each log, where eight processes fit into what is kept of a node's answer, and of all logs of a start."""
COLLECTIVE_ITERATIONS, COLLECTIVE_WARMUP = 2, 1

RUNS = 2 * (COLLECTIVE_ITERATIONS + 2)
"""How often a start moves the data of each size. Out of place and in place each: one to synchronise, -n, one for the check
(NVIDIA/nccl-tests, src/common.cu, BenchTime)."""
CLEAN_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
JOB = "railbed-collectives"
NETWORK_ONLY = ("NCCL_P2P_DISABLE=1", "NCCL_SHM_DISABLE=1", "NCCL_NVLS_ENABLE=0", "NCCL_COLLNET_ENABLE=0")
"""No NVLink and no PCIe between GPUs, no memory of the host, no reduction in switches: what is left to NCCL is the
network, also between the GPUs of one node (NCCL, "Environment Variables")."""
LOG = "railbed-nccl."
"""How the names of NCCL's logs begin."""


def message_bytes(sizes: Sequence[int]) -> int:
    """What a start moves of these sizes together: RUNS of each, and to warm up -w of the largest and the smallest (TimeTest)."""
    return RUNS * sum(sizes) + COLLECTIVE_WARMUP * (max(sizes) + min(sizes))


def limit_s(machine: Machine, nodes: int) -> int:
    """Seconds after which a start over so many nodes is ended."""
    return int((COLLECTIVE_TIMEOUT_S + nodes // COLLECTIVE_NODES_PER_S) * machine.slowdown)


def start(
    machine: Machine, op: str, nodes: Sequence[str], sizes: Sequence[int], *, log: str, reservation: str = "",
    settings: Sequence[str] = (),
) -> tuple[str, ...]:  # fmt: skip
    """Runs a collective at message sizes in bytes, ascending, each as many times the one before. ``log`` marks the logs of this
    start; ``settings`` are NAME=VALUE of NCCL for it alone.

    Every process has a file of its own (NCCL, "Environment Variables", NCCL_DEBUG_FILE): on standard output the lines of
    one would fall into the table of another.
    """
    ranks, limit = machine.collective_ranks_per_node, limit_s(machine, len(nodes))
    options = steps.whole_nodes(ranks, end_together=True)
    step = steps.srun(nodes, limit, JOB, *options, mpi="pmix", tasks_per_node=ranks, reservation=reservation)
    return (
        "timeout", "-k", "5", str(limit),
        "env", "NCCL_DEBUG=INFO", "NCCL_DEBUG_SUBSYS=INIT,NET,ENV,GRAPH",
        f"NCCL_DEBUG_FILE={NCCL_LOG_FOLDER}/{LOG}{log}.%h.%p",
        *settings, *step, *_program(op, sizes, gpus=1),
    )  # fmt: skip


def inside(
    machine: Machine,
    op: str,
    gpus: int,
    sizes: Sequence[int],
    *,
    nodes: Sequence[str] = (),
    reservation: str = "",
    settings: Sequence[str] = (),
) -> tuple[str, ...]:
    """Runs a collective over the GPUs of a node, in one process; on each of ``nodes`` by itself, all at once, where the scheduler
    starts it. Without ``nodes`` on the node where this runs. ``settings`` are NAME=VALUE of NCCL for it alone.

    The process gets none of the scheduler's variables: an MPI program that sees those of a step takes itself for a rank of the
    whole step, and here every node is a world of its own. Slurm's device cgroup is what gives it the GPUs.
    """
    program = ("env", "-i", CLEAN_PATH, *settings, *_program(op, sizes, gpus=gpus))
    end = ("timeout", "-k", "5", str(limit_s(machine, 1)))
    if not nodes:
        return (*end, *program)
    limit = limit_s(machine, len(nodes))
    options = steps.whole_nodes(gpus, end_together=False)
    step = steps.srun(nodes, limit, JOB, "--label", *options, reservation=reservation)
    return ("timeout", "-k", "5", str(limit), *step, *end, *program)


def _program(op: str, sizes: Sequence[int], *, gpus: int) -> tuple[str, ...]:
    """The program and its arguments. ``gpus``: of one process."""
    return (
        f"{NCCL_TESTS_FOLDER}/{op}_perf", "-b", str(sizes[0]), "-e", str(sizes[-1]), "-f", str(_factor(sizes)), "-g", str(gpus),
        "-n", str(COLLECTIVE_ITERATIONS), "-w", str(COLLECTIVE_WARMUP), "-a", "3", "-c", "1",
    )  # fmt: skip


def _factor(sizes: Sequence[int]) -> int:
    """From one size to the next; of a single size any that leaves it alone."""
    return sizes[1] // sizes[0] if len(sizes) > 1 else 2


def log_bytes(processes: int) -> int:
    """How much is read of each log of a start of so many processes: over 170 nodes of eight it is less than NCCL_LOG_BYTES."""
    return min(NCCL_LOG_BYTES, NCCL_LOGS_BYTES // max(1, processes))


def take_logs(log: str, each_bytes: int) -> tuple[str, ...]:
    """Prints what NCCL's processes on one node logged in a start, and removes all that lie there: those of a validation that was
    ended too. Of each log its first ``each_bytes``, behind a line that names it (``nccl_hosts.CUT``) where it has more."""
    longer = ["(", "-size", f"+{each_bytes}c", "-printf", f"{CUT}%f\\n", "-o", "-true", ")"]
    printed = ["-name", f"{LOG}{log}.*", *longer, "-exec", "head", "-c", str(each_bytes), "{}", ";"]
    found = ["find", NCCL_LOG_FOLDER, "-maxdepth", "1", "-type", "f", "-name", f"{LOG}*"]
    return (*found, "(", *printed, "-o", "-true", ")", "-delete")
