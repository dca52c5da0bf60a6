"""HPL and HPC Challenge under the scheduler: their input, command lines and time limits. Pure.

hpcc is the distribution's: HPL, STREAM, latency and bandwidth of MPI in one start, on processors. NVIDIA's HPL runs on GPUs, from
the image that the spec names (docs.nvidia.com/nvidia-hpc-benchmarks, "NVIDIA HPL Benchmark": a rank a GPU, `--mpi=pmix`,
`./hpl.sh --dat FILE`). Ranks get the whole of their nodes, as in collectives. NVIDIA's was never run here.
"""

from __future__ import annotations

from dataclasses import dataclass

from railbed.contract import Machine
from railbed.laws import hpl, hpl_input
from railbed.validate import steps

JOB = "railbed-science"
HOST_S, GPU_S = 600.0, 900.0
"""Longest that a start takes, however small its system: hpcc measures for tens of seconds whatever its size, two of its parts up
to a minute each; NVIDIA's unpacks its image first. The first is ten times what was seen in the lab; the second a guess."""
SLOWEST = 3.0
"""Times the seconds at the floor, after which a start counts as stuck."""
IMAGE_WORKDIR = "/workspace"
"""Where the image has `hpl.sh`."""


@dataclass(frozen=True)
class Program:
    """One of the two programs."""

    name: str
    file: str
    """Name of its input."""
    argv: tuple[str, ...]
    block: int
    limit_s: float
    image: str = ""
    """File of the image that it runs in; empty: on the node itself."""


HPCC = Program("hpcc", "hpccinf.txt", ("hpcc",), hpl.HOST_BLOCK, HOST_S)


def nvidia(image: str) -> Program:
    """NVIDIA's HPL in its image. Emulated double precision, which releases from 25.04 on may use, is kept off by name."""
    argv = ("env", "HPL_EMULATE_DOUBLE_PRECISION=0", f"{IMAGE_WORKDIR}/hpl.sh", "--dat", "HPL.dat")
    return Program("hpl.sh", "HPL.dat", argv, hpl.GPU_BLOCK, GPU_S, image)


@dataclass(frozen=True)
class Case:
    """One start: what is solved where."""

    program: Program
    nodes: tuple[str, ...]
    size_bytes: int
    """Of the matrix."""
    times: int = 1
    """Steps one after the other: a task of one step can be a rank of MPI once."""
    tflops: float | None = None
    """At which it is solved where all is well; None: nobody knows."""


def size(machine: Machine, case: Case) -> tuple[int, int, int, int]:
    """N, NB, P and Q."""
    n = hpl.order(case.size_bytes, case.program.block)
    return (n, case.program.block, *hpl.grid(len(case.nodes) * machine.collective_ranks_per_node))


def limit_s(machine: Machine, case: Case) -> int:
    """Seconds after which a start is ended."""
    n = hpl.order(case.size_bytes, case.program.block)
    work = SLOWEST * hpl.seconds(n, case.tflops) if case.tflops and not machine.stands_for else 0.0
    return int((case.program.limit_s + work) * machine.slowdown)


def start(machine: Machine, gpus: int, case: Case, *, reservation: str = "") -> tuple[str, ...]:
    """The step; `node/hpl.sh` is its standard input. ``gpus``: of one node, which the step takes whole."""
    n, nb, p, q = size(machine, case)
    limit, program = limit_s(machine, case), case.program
    container = (
        (
            f"--container-image={program.image}",
            f"--container-workdir={IMAGE_WORKDIR}",
            "--no-container-mount-home",
        )
        if program.image
        else ()
    )
    step = steps.srun(
        case.nodes, limit, JOB, *container, *steps.whole_nodes(gpus, end_together=True), mpi="pmix",
        tasks_per_node=machine.collective_ranks_per_node, reservation=reservation,
    )  # fmt: skip
    return (
        "timeout", "-k", "5", str(limit), "env", "OPENBLAS_NUM_THREADS=1", "OMP_NUM_THREADS=1", "OMPI_MCA_mpi_yield_when_idle=1",
        *step, "sh", "-s", program.file, hpl_input.text(n, nb, p, q), *program.argv,
    )  # fmt: skip
