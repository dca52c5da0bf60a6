"""Published bus bandwidths of healthy machines, each with its source: what floors of hardware are made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from railbed.laws.machine import BandwidthMachine, group
from railbed.units import GIB, MIB

SIZE_SLACK = 0.99
"""Programs round a size down to a multiple of ranks × element."""
MEASURED_SLACK = 0.052
"""Between a healthy run (464 GB/s) and the same operator's gate (440): oracle-quickstart/oci-hpc
multi_node_active_healthcheck.py, documentation/Troubleshooting.md."""
FAMILY_SLACK = 0.10
"""The widest between a healthy run (480) and a gate (432) for one machine: Azure/azurehpc-health-checks,
conf/nd96isr_h200_v5.conf."""
# The sources below were last looked at on 2026-11-24.


@dataclass(frozen=True)
class Point:
    """One published healthy result."""

    board: str
    """As BandwidthMachine.board."""
    fabric: str
    """As BandwidthMachine.fabric."""
    machine: str
    """Catalogue key of what was measured; empty where nobody sells it by a name of the catalogue."""
    nodes: int
    domains: int
    collective: str
    algorithm: str | None
    """None where NCCL chose."""
    size_bytes: int
    busbw_gbytes_per_s: float
    source: str


@dataclass(frozen=True)
class Found:
    """The points that speak for one case."""

    points: tuple[Point, ...]
    basis: Literal["measured", "family", "none"]
    slack: float
    reason: str


_H100, _H200 = "NVIDIA H100 80GB HBM3 × 8", "NVIDIA H200 × 8"
_B200, _GB200 = "NVIDIA B200 × 8", "NVIDIA GB200 × 72"
_EFA, _ROCE, _IB = "8 × 400 Gb/s efa", "8 × 400 Gb/s roce", "8 × 400 Gb/s infiniband"
_RACK_IB = "4 × 400 Gb/s infiniband"

_AWS = "aws-samples/awsome-distributed-training micro-benchmarks/nccl-tests/README.md"
_OCI = "oracle-quickstart/oci-hpc documentation/Troubleshooting.md"
_VP = "Voltage Park vpbenchmarking (git.onestrm.cn/aigatech/vpbenchmarking); no size stated, taken as its largest, 8 GiB"
_ML = "stas00/ml-engineering network/README.md"
_ML_BENCH = "stas00/ml-engineering network/benchmarks/README.md"
_H200_SWEEP = "stas00/ml-engineering network/benchmarks/results/all-reduce-8xH200.md, NCCL 2.27.7"
_SKY = "skypilot-org/skypilot examples/gcp_gpu_direct_tcpx/README.md"
_CW = "coreweave/nccl-tests README.md at 0120901"
_P212 = "NVIDIA/nccl-tests issue 212, no size"


def _of(
    board: str,
    fabric: str,
    machine: str,
    nodes: int,
    domains: int,
    source: str,
    *results: tuple[str, str | None, int, float],
) -> tuple[Point, ...]:
    """Results of one system: (collective, algorithm, size, busbw)."""
    return tuple(Point(board, fabric, machine, nodes, domains, c, a, s, b, source) for c, a, s, b in results)


POINTS: tuple[Point, ...] = (
    *_of(_H100, _IB, "metal/hgx-h100", 1, 1, _VP, ("all_reduce", None, 8 * GIB, 479.7)),
    *_of(_H100, _IB, "metal/hgx-h100", 1, 1, _P212, ("all_reduce", "ring", 8 * GIB, 365.0)),
    *_of(
        _H100, _IB, "metal/hgx-h100", 4, 4, _VP,
        ("all_reduce", None, 8 * GIB, 330.9), ("all_gather", None, 8 * GIB, 323.5), ("broadcast", None, 8 * GIB, 286.3),
    ),
    *_of(
        _H100, _EFA, "aws/p5.48xlarge", 2, 2, _AWS,
        ("all_reduce", None, 1 * GIB, 437.0), ("all_reduce", None, 4 * GIB, 465.9), ("all_reduce", None, 16 * GIB, 487.1),
    ),
    *_of(_H100, _ROCE, "oci/BM.GPU.H100.8", 2, 2, _OCI, ("all_reduce", None, 16 * GIB, 471.2)),
    *_of(_H100, _IB, "", 12, 12, f"{_CW}, SHARP", ("all_reduce", "collnet", 8 * GIB, 386.6)),
    *_of(
        _H200, _EFA, "metal/hgx-h200", 1, 1, _ML,
        ("all_reduce", "ring", 16 * GIB, 367.2), ("all_gather", None, 16 * GIB, 361.4), ("reduce_scatter", None, 16 * GIB, 362.9),
    ),
    *_of(
        _H200, _EFA, "metal/hgx-h200", 1, 1, _H200_SWEEP,
        ("all_reduce", None, 256 * MIB, 436.15), ("all_reduce", None, 1 * GIB, 463.58), ("all_reduce", None, 16 * GIB, 480.0),
    ),
    *_of(
        _H200, _ROCE, "gcp/a3-ultragpu-8g", 2, 2, _SKY,
        ("all_gather", None, 1 * GIB, 322.2), ("all_gather", None, 8 * GIB, 325.7),
    ),
    *_of(
        _H200, _EFA, "aws/p5en.48xlarge", 4, 4, _ML,
        ("all_reduce", "ring", 4 * GIB, 364.9), ("all_reduce", "nvlstree", 4 * GIB, 310.1),
    ),
    *_of(
        _B200, _EFA, "aws/p6-b200.48xlarge", 1, 1, _ML,
        ("all_reduce", None, 8 * GIB, 838.0), ("all_reduce", "ring", 8 * GIB, 682.2),
    ),
    *_of(
        _B200, _EFA, "aws/p6-b200.48xlarge", 4, 4, _ML,
        ("all_reduce", None, 1 * GIB, 362.0), ("all_reduce", None, 16 * GIB, 381.8),
    ),
    *_of(_B200, _EFA, "aws/p6-b200.48xlarge", 4, 4, _ML_BENCH, ("all_reduce", None, 16 * GIB, 376.7)),
    *_of(
        _GB200, _RACK_IB, "metal/gb200-nvl72", 18, 1, f"{_CW}, one rack",
        ("all_reduce", None, 1 * GIB, 681.2), ("all_reduce", None, 8 * GIB, 834.6),
    ),
    *_of(
        _GB200, _RACK_IB, "metal/gb200-nvl72", 32, 2, f"{_CW}, two racks (labelled 144 ranks, by its factor 128)",
        ("all_reduce", None, 1 * GIB, 596.1), ("all_reduce", None, 8 * GIB, 791.9), ("all_reduce", None, 16 * GIB, 810.4),
    ),
    *_of(
        _GB200, _RACK_IB, "metal/gb200-nvl72", 360, 20, f"{_CW}, twenty racks",
        ("all_reduce", None, 1 * GIB, 218.5), ("all_reduce", None, 8 * GIB, 381.5), ("all_reduce", None, 16 * GIB, 405.7),
    ),
)  # fmt: skip


def _regime(domains: int) -> int:
    """1, 2 and more domains are bound by different things (inside; inside and doubled trees; the network)."""
    return min(domains, 3)


def _answers(point: Point, algorithm: str | None) -> bool:
    """Whether a point speaks for ``algorithm``.

    Without one NCCL chooses: between nodes every algorithm that it may choose counts, inside a domain rings do not, since
    there they are what is left when in-switch reduction is off.
    """
    if algorithm is not None or point.algorithm is None:
        return point.algorithm == algorithm
    return point.domains > 1 and point.algorithm != "collnet"


@lru_cache(maxsize=1024)
def alike(machine: BandwidthMachine, nodes: int, collective: str, algorithm: str | None) -> tuple[Point, ...]:
    """Points of the machine and its relatives, of any size: same board inside a domain, same fabric too between them."""
    g = group(machine, nodes)
    return tuple(
        p
        for p in POINTS
        if p.collective == collective and _answers(p, algorithm) and _regime(p.domains) == _regime(g.domains)
        and (p.domains > 1 or p.nodes == nodes)
        and (p.machine == machine.key or (p.board == machine.board and (p.domains == 1 or p.fabric == machine.fabric)))
    )  # fmt: skip


def _largest(points: Iterable[Point]) -> tuple[Point, ...]:
    """Of each system and algorithm the point of the largest size."""
    largest: dict[tuple[str, str, int, str | None], Point] = {}
    for point in sorted(points, key=lambda p: p.size_bytes):
        largest[point.machine, point.source, point.nodes, point.algorithm] = point
    return tuple(largest.values())


def references(
    machine: BandwidthMachine, nodes: int, collective: str, algorithm: str | None, size_bytes: int
) -> Found:
    """The healthy results that say what a machine should reach: its own at these nodes, else its relatives'.

    Of each system the largest size not above ``size_bytes`` counts: like is compared with like.
    """
    found = [
        p for p in alike(machine, nodes, collective, algorithm) if p.size_bytes * SIZE_SLACK <= size_bytes
    ]
    if not found:
        reason = f"nobody published {collective} of {machine.key} or a relative over {nodes} nodes at {size_bytes} B"
        return Found(points=(), basis="none", slack=0.0, reason=reason)
    own = [p for p in found if p.machine == machine.key and p.nodes == nodes]
    if own:
        return Found(_largest(own), "measured", MEASURED_SLACK, "this machine, as many nodes")
    return Found(_largest(found), "family", FAMILY_SLACK, "a relative or another number of nodes")
