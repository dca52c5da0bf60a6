"""The programs that run collectives over nodes, as command lines under the scheduler. Pure.

Rails of TCP have railbed's program, one rank a node, several collectives a start. RDMA rails have nccl-tests, one rank a GPU
and one program for each collective, started by Slurm over PMIx (NVIDIA/nccl-tests README, "Running with multiple processes";
Slurm, mpi_guide). Their ranks get the whole of their nodes: a rank that is bound to one processor starves NCCL's own threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from railbed.contract import Machine
from railbed.defaults import (
    COLLECTIVE_ITERATIONS,
    COLLECTIVE_TIMEOUT_S,
    COLLECTIVE_WARMUP,
    COLLECTIVES_PROGRAM,
    NCCL_TESTS_FOLDER,
    STEP_COMMENT,
    STEP_WAIT_S,
)

NCCL_LOG = ("NCCL_DEBUG=INFO", "NCCL_DEBUG_SUBSYS=INIT,NET,ENV,GRAPH")
"""What NCCL says of the way that data take (NCCL, "Environment Variables")."""


@dataclass(frozen=True)
class Start:
    """One start of a program."""

    ops: tuple[str, ...]
    argv: tuple[str, ...]


def starts(
    machine: Machine,
    ops: Sequence[str],
    nodes: Sequence[str],
    size: int,
    *,
    training_stack_path: str,
    reservation: str = "",
) -> list[Start]:
    """What to start, one after the other, to run the collectives at a message size in bytes."""
    sizes = ["-b", str(size), "-e", str(size)]
    common = ["-n", str(COLLECTIVE_ITERATIONS), "-w", str(COLLECTIVE_WARMUP), "-a", "3", "-c", "1"]
    limit = ["timeout", "-k", "5", str(COLLECTIVE_TIMEOUT_S), "env"]
    if machine.transport == "tcp":
        step = _step(nodes, 1, ["--mpi=none"], reservation)
        program = ["python3", COLLECTIVES_PROGRAM, "--op", ",".join(ops), *sizes, *common, "--counters"]
        return [Start(tuple(ops), (*limit, f"PYTHONPATH={training_stack_path}", *step, *program))]
    ranks = machine.collective_ranks_per_node
    whole = ["--mpi=pmix", "--exclusive", "--mem=0", f"--gpus-per-node={ranks}", "--cpu-bind=none"]
    step = _step(nodes, ranks, whole, reservation)
    return [
        Start((op,), (*limit, *NCCL_LOG, *step, f"{NCCL_TESTS_FOLDER}/{op}_perf", *sizes, "-g", "1", *common))
        for op in ops
    ]


def _step(nodes: Sequence[str], ranks: int, options: Sequence[str], reservation: str) -> list[str]:
    return [
        "srun", *options, f"--immediate={STEP_WAIT_S}", "--kill-on-bad-exit=1", f"--ntasks-per-node={ranks}",
        f"--nodes={len(nodes)}", f"--nodelist={','.join(nodes)}", f"--time={COLLECTIVE_TIMEOUT_S // 60 + 1}",
        "--job-name=railbed-collectives", f"--comment={STEP_COMMENT}",
        *([f"--reservation={reservation}"] if reservation else []),
    ]  # fmt: skip
