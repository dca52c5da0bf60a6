"""HPL and HPC Challenge under the scheduler: their input, command lines and time limits. Pure.

hpcc is the distribution's: HPL, STREAM, latency and bandwidth of MPI in one start, on processors. NVIDIA's HPL runs on GPUs, from
the image that the spec names (docs.nvidia.com/nvidia-hpc-benchmarks, "NVIDIA HPL Benchmark": a rank a GPU, `--mpi=pmix`,
`./hpl.sh --dat FILE`). Ranks get the whole of their nodes, as in collectives. NVIDIA's was never run here.
"""

from __future__ import annotations

from dataclasses import dataclass

from railbed.contract import Machine
from railbed.laws import hpl
from railbed.validate import steps

JOB = "railbed-science"
HOST_S, GPU_S = 600.0, 900.0
"""Longest that a start takes, however small its system: hpcc measures for tens of seconds whatever its size, two of its parts up
to a minute each; NVIDIA's unpacks its image first. The first is ten times what was seen in the lab; the second a guess."""
SLOWEST = 3.0
"""Times the seconds at the floor, after which a start counts as stuck."""
INPUT = """HPLinpack benchmark input file
written by railbed
HPL.out      output file name (if any)
6            device out (6=stdout,7=stderr,file)
1            # of problems sizes (N)
{n}          Ns
1            # of NBs
{nb}         NBs
0            PMAP process mapping (0=Row-,1=Column-major)
1            # of process grids (P x Q)
{p}          Ps
{q}          Qs
16.0         threshold
1            # of panel fact
2            PFACTs (0=left, 1=Crout, 2=Right)
1            # of recursive stopping criterium
4            NBMINs (>= 1)
1            # of panels in recursion
2            NDIVs
1            # of recursive panel fact.
1            RFACTs (0=left, 1=Crout, 2=Right)
1            # of broadcast
1            BCASTs (0=1rg,1=1rM,2=2rg,3=2rM,4=Lng,5=LnM)
1            # of lookahead depth
1            DEPTHs (>=0)
2            SWAP (0=bin-exch,1=long,2=mix)
64           swapping threshold
0            L1 in (0=transposed,1=no-transposed) form
0            U  in (0=transposed,1=no-transposed) form
1            Equilibration (0=no,1=yes)
8            memory alignment in double (> 0)
##### This line (no. 32) is ignored (it serves as a separator). ######
0            Number of additional problem sizes for PTRANS
1200         values of N
0            number of additional blocking sizes for PTRANS
40           values of NB"""
"""HPL.dat (netlib.org/benchmark/hpl/tuning.html), and what hpcc's hpccinf.txt has beside it (its README)."""
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
        *step, "sh", "-s", program.file, INPUT.format(n=n, nb=nb, p=p, q=q), *program.argv,
    )  # fmt: skip
