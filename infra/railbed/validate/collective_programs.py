"""nccl-tests over nodes, as command lines under the scheduler, and where NCCL writes its log. Pure.

One rank a GPU, one program a collective, started by Slurm over PMIx (NVIDIA/nccl-tests README, "Running with multiple
processes"; Slurm, mpi_guide). Ranks get the whole of their nodes: a rank that is bound to one processor starves NCCL's own
threads. What NCCL is told of the fabric is in /etc/nccl.conf (role ``nccl``).
"""

from __future__ import annotations

from collections.abc import Sequence

from railbed.contract import Machine
from railbed.defaults import (
    COLLECTIVE_ITERATIONS,
    COLLECTIVE_TIMEOUT_S,
    COLLECTIVE_WARMUP,
    NCCL_LOG_BYTES,
    NCCL_LOG_FOLDER,
    NCCL_TESTS_FOLDER,
    STEP_COMMENT,
    STEP_WAIT_S,
)

RUNS = 2 * (COLLECTIVE_ITERATIONS + 2) + 2 * COLLECTIVE_WARMUP
"""How often a start moves its data, of one size. Out of place and in place each: one to synchronise, -n, one for the check;
beside them two warm-ups of -w (NVIDIA/nccl-tests, src/common.cu, BenchTime and TimeTest)."""
LOG = "railbed-nccl."
"""How the names of NCCL's logs begin."""


def start(
    machine: Machine, op: str, nodes: Sequence[str], size: int, *, log: str, reservation: str = ""
) -> tuple[str, ...]:
    """Runs a collective at a message size in bytes. ``log`` tells the logs of this start from those of another.

    Every process has a file of its own (NCCL, "Environment Variables", NCCL_DEBUG_FILE): on standard output the lines of
    one would fall into the table of another.
    """
    ranks = machine.collective_ranks_per_node
    step = [
        "srun", "--mpi=pmix", "--exclusive", "--mem=0", f"--gpus-per-node={ranks}", "--cpu-bind=none",
        f"--immediate={STEP_WAIT_S}", "--kill-on-bad-exit=1", f"--ntasks-per-node={ranks}",
        f"--nodes={len(nodes)}", f"--nodelist={','.join(nodes)}", f"--time={COLLECTIVE_TIMEOUT_S // 60 + 1}",
        "--job-name=railbed-collectives", f"--comment={STEP_COMMENT}",
        *([f"--reservation={reservation}"] if reservation else []),
    ]  # fmt: skip
    return (
        "timeout", "-k", "5", str(COLLECTIVE_TIMEOUT_S),
        "env", "NCCL_DEBUG=INFO", "NCCL_DEBUG_SUBSYS=INIT,NET,ENV,GRAPH",
        f"NCCL_DEBUG_FILE={NCCL_LOG_FOLDER}/{LOG}{log}.%h.%p",
        *step,
        f"{NCCL_TESTS_FOLDER}/{op}_perf", "-b", str(size), "-e", str(size), "-g", "1",
        "-n", str(COLLECTIVE_ITERATIONS), "-w", str(COLLECTIVE_WARMUP), "-a", "3", "-c", "1",
    )  # fmt: skip


def take_logs(log: str) -> tuple[str, ...]:
    """Prints what NCCL's processes on one node logged in a start, of each its beginning, and removes all that lie there: those
    of a validation that was ended too."""
    printed = ["-name", f"{LOG}{log}.*", "-exec", "head", "-c", str(NCCL_LOG_BYTES), "{}", ";"]
    found = ["find", NCCL_LOG_FOLDER, "-maxdepth", "1", "-type", "f", "-name", f"{LOG}*"]
    return (*found, "(", *printed, "-o", "-true", ")", "-delete")
