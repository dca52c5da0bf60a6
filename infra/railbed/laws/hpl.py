"""HPL: how large a system is solved, on which grid, and what a node and a job must reach. Pure.

HPL solves N equations in 2/3 N³ operations of double precision (netlib.org/benchmark/hpl). The larger the system, the nearer the
rate comes to the peak; published rates are of systems that fill the memory of the GPUs.
"""

from __future__ import annotations

from math import isqrt

from railbed.catalog import Machine
from railbed.claims.records import Expectation

BYTES = 8
"""Of a number in double precision."""
GPU_BLOCK, HOST_BLOCK = 1024, 64
"""NB: of NVIDIA's own inputs for H100 and GH200 (`HPL-GH-8GPUs.dat`); of the systems that processors solve here, which are
small."""
GPU_MEMORY_SHARE = 0.8
"""Of the GPUs' memory that the matrix takes: NVIDIA's input for eight GPUs of 96 GB takes 0.93 of it, and leaves little."""
FIRST_N, FIRST_GPU_N = 2048, 65_536
"""Equations of a user's first HPL, on processors and on GPUs: seconds, and far from the best rate."""
STAND_IN_BYTES = 640 * 640 * BYTES
"""Matrix of a lab's node, and of all its nodes together: what a shared processor solves in a second. It shows the chain, and
nothing of speed."""
HOST_BYTES_A_RANK = 256 * 1024 * 1024
"""Matrix that each rank of hpcc holds on a real host. Its STREAM takes as much for its three arrays: with a rank a GPU, 2 GiB a
node, several times the caches of the largest processors."""
FLOOR = 0.9
"""Of a published rate, what a node must reach. Declared: published systems with one GPU differ by 36 to 43 TFLOPS an H100."""
SCALE_FLOOR = 0.9
"""Of the least that large systems published for each GPU."""
STAND_IN_TFLOPS = 1e-6
"""A megaflop a second: the processors of a lab are shared, and a rank that waits computes nothing. 9.2e-5 was seen on one that
five programs shared."""
POOR_FP64_TFLOPS = 2.0
"""A GPU with less in FP64 is slower than the processors beside it (two of 2023 have 4 to 6 TFLOPS)."""


def matrix_bytes(machine: Machine, nodes: int) -> int:
    """Of the matrix over ``nodes``, bytes, where GPUs solve it."""
    if machine.stands_for:
        return STAND_IN_BYTES
    return int(machine.gpu_memory_gbytes * 1e9 * GPU_MEMORY_SHARE * machine.gpus * nodes)


def host_bytes(ranks: int, *, stands_in: bool) -> int:
    """Of the matrix that so many ``ranks`` of hpcc solve on processors, bytes. ``stands_in``: on those of a lab."""
    return STAND_IN_BYTES if stands_in else HOST_BYTES_A_RANK * ranks


def order(size_bytes: int, block: int) -> int:
    """N: the largest system of whole blocks whose matrix has at most ``size_bytes``, one block at least."""
    return max(isqrt(size_bytes // BYTES) // block, 1) * block


def grid(ranks: int) -> tuple[int, int]:
    """P × Q: as square as it gets, with Q the larger, as HPL's own advice has it (netlib.org/benchmark/hpl/faqs.html)."""
    rows = next(p for p in range(isqrt(ranks), 0, -1) if ranks % p == 0)
    return rows, ranks // rows


def seconds(n: int, tflops: float) -> float:
    """For which a system is solved at that rate."""
    return 2 / 3 * n**3 / (tflops * 1e12)


def expect(machine: Machine, nodes: int) -> Expectation:
    """TFLOPS that HPL must reach over ``nodes``; the matrix is its ``size_bytes``.

    Where nobody published a rate a right solution counts, and the rate is recorded.
    """
    size = matrix_bytes(machine, nodes)
    if machine.stands_for:
        reason = f"a processor stands in for the GPUs: {STAND_IN_TFLOPS:g} TFLOPS shows that it computed, and nothing of speed"
        return Expectation(
            unit="TFLOPS", floor=STAND_IN_TFLOPS, basis="declared", derivation=[reason], size_bytes=size
        )
    peak = machine.gpu_fp64_tflops
    bound = peak * machine.gpus * nodes if peak else None
    if nodes == 1 and machine.hpl_node_tflops:
        rate, share = machine.hpl_node_tflops, FLOOR
        words = f"a healthy node of {machine.gpus} {machine.gpu_model} published {rate:g} TFLOPS (catalogue)"
    elif machine.hpl_gpu_tflops:
        rate, share = machine.hpl_gpu_tflops * machine.gpus * nodes, SCALE_FLOOR
        words = (
            f"large systems of {machine.gpu_model} published {machine.hpl_gpu_tflops:g} TFLOPS a GPU and more (catalogue), times "
            f"{machine.gpus * nodes} GPUs"
        )
    else:
        reason = f"nobody published HPL of {machine.gpu_model}: a right solution counts, its rate is recorded"
        return Expectation(unit="TFLOPS", bound=bound, basis="data", derivation=[reason], size_bytes=size)
    return Expectation(
        unit="TFLOPS", bound=bound, expected=rate, floor=rate * share, basis="measured", size_bytes=size,
        derivation=[words, f"floor: {share:g} of it, declared: programs and power limits differ"],
    )  # fmt: skip
