"""Published bus bandwidths of healthy machines, each with its source: what floors of hardware are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from railbed.units import GIB

SIZE_SLACK = 0.99
"""Programs round a size down to a multiple of ranks × element."""
MEASURED_SLACK = 0.052
"""Between a healthy run (464 GB/s) and the same operator's gate (440): oracle-quickstart/oci-hpc
multi_node_active_healthcheck.py, documentation/Troubleshooting.md."""
FAMILY_SLACK = 0.10
"""The widest between a healthy run (480) and a gate (432) for one machine: Azure/azurehpc-health-checks,
conf/nd96isr_h200_v5.conf."""


@dataclass(frozen=True)
class Point:
    """One published healthy result."""

    family: str
    """GPU, NIC rate and count: machines of one family may stand in for each other."""
    machine: str
    """Catalogue key of what was measured."""
    nodes: int
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


_H100 = "h100-8x400"
FAMILIES = {"metal/hgx-h100": _H100, "aws/p5.48xlarge": _H100}

_AWS = "awsome-distributed-training micro-benchmarks/nccl-tests/README.md"
_OCI = "oracle-quickstart/oci-hpc documentation/Troubleshooting.md"
_VP = "Voltage Park vpbenchmarking; no size stated, taken as its largest, 8 GiB"
POINTS = (
    Point(
        _H100, "metal/hgx-h100", 1, "all_reduce", None, 8 * GIB, 479.7, "Voltage Park vpbenchmarking, 8 GiB"
    ),
    Point(
        _H100,
        "metal/hgx-h100",
        1,
        "all_reduce",
        "ring",
        8 * GIB,
        365.0,
        "NVIDIA/nccl-tests issue 212, no size",
    ),
    Point(_H100, "aws/p5.48xlarge", 2, "all_reduce", None, 1 * GIB, 437.0, _AWS),
    Point(_H100, "aws/p5.48xlarge", 2, "all_reduce", None, 4 * GIB, 465.9, _AWS),
    Point(_H100, "aws/p5.48xlarge", 2, "all_reduce", None, 16 * GIB, 487.1, _AWS),
    Point(_H100, "oci/BM.GPU.H100.8", 2, "all_reduce", None, 16 * GIB, 471.2, _OCI),
    Point(_H100, "metal/hgx-h100", 4, "all_reduce", None, 8 * GIB, 330.9, _VP),
    Point(_H100, "metal/hgx-h100", 4, "all_gather", None, 8 * GIB, 323.5, _VP),
    Point(_H100, "metal/hgx-h100", 4, "broadcast", None, 8 * GIB, 286.3, _VP),
)


def _regime(nodes: int) -> int:
    """1, 2 and more nodes are bound by different things (in-node; in-node and doubled trees; network)."""
    return min(nodes, 3)


def references(key: str, nodes: int, collective: str, algorithm: str | None, size_bytes: int) -> Found:
    """The healthy results that say what ``key`` should reach: its own at these nodes, else its family's."""
    family = FAMILIES.get(key)
    alike = [
        p
        for p in POINTS
        if family == p.family and p.collective == collective and p.algorithm == algorithm
        and _regime(p.nodes) == _regime(nodes) and p.size_bytes * SIZE_SLACK <= size_bytes
    ]  # fmt: skip
    if not alike:
        reason = f"nobody published {collective} of {key} or a relative over {nodes} nodes at {size_bytes} B"
        return Found(points=(), basis="none", slack=0.0, reason=reason)
    largest: dict[tuple[str, int], Point] = {}
    for point in sorted(alike, key=lambda p: p.size_bytes):
        largest[(point.machine, point.nodes)] = point
    own = [p for (machine, at), p in largest.items() if machine == key and at == nodes]
    if own:
        return Found(
            points=tuple(own), basis="measured", slack=MEASURED_SLACK, reason="this machine, as many nodes"
        )
    return Found(
        points=tuple(largest.values()),
        basis="family",
        slack=FAMILY_SLACK,
        reason="a relative or another number of nodes",
    )
