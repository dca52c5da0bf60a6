"""Which published results of healthy machines say what a machine should reach."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from railbed.laws.machine import BandwidthMachine, Point, group

SIZE_SLACK = 0.99
"""Programs round a size down to a multiple of ranks × element."""
MEASURED_SLACK = 0.052
"""Between a healthy run (464 GB/s) and the same operator's gate (440): oracle-quickstart/oci-hpc
multi_node_active_healthcheck.py, documentation/Troubleshooting.md."""
FAMILY_SLACK = 0.10
"""The widest between a healthy run (480) and a gate (432) for one machine: Azure/azurehpc-health-checks,
conf/nd96isr_h200_v5.conf."""

MODEL_SHARE = 0.58
"""Of its bound, what every published healthy result of large messages reached over two to MODEL_DOMAINS NVLink domains, where
NCCL chose the algorithm: the least is 322 of 550 GB/s (all_gather, 1 GiB, two nodes; skypilot-org/skypilot
examples/gcp_gpu_direct_tcpx/README.md); without in-switch reduction 29.6 of 50 (all_reduce, 1 GiB, four nodes of p4d;
NVIDIA/nccl issue 527). Inside one domain the least is 231 of 300 (all_reduce, p4d), or 361 of 450 (all_gather;
stas00/ml-engineering network/README)."""
RINGS_SHARE = 0.80
"""Of what flat rings can carry between boards with NVLS, the line: the least is 322.2 of 400 GB/s (all_gather, as above; at four
nodes 323.5, all_reduce 330.9: aigatech/vpbenchmarking). NVLink of B200 doubles the bound of two nodes, and not the line: 0.58 of
that bound would be more than rings were ever seen to leave."""
NVLS_SHARE = 0.45
"""Of what the bytes allow where NVLink's switches reduce: the least at 8 GiB and above is 791.9 of 1,758 GB/s (all_reduce, 128
GPUs in two GB200 racks; one rack 834.6 of 1,750: coreweave/nccl-tests README). Used where nobody published what such a board
reaches."""
MODEL_DOMAINS = 4
"""Over more of them nobody published how much less of the bound is healthy."""
MODEL_SLACK = 0.23
"""The widest that an operator leaves between a healthy run (325 GB/s) and its gate (250): A3 Ultra of
GoogleCloudPlatform/cluster-health-scanner."""
RAIL_SHARE = 0.968
"""Of the line, what one adapter whose headers nobody published carried: 193.72 of 200 Gb/s, EFA of p5en.48xlarge by ib_write_bw
over SRD (stas00/ml-engineering, TODO.md)."""
RAIL_SLACK = 0.08
"""Between a healthy port (784 Gb/s, both ways) and its gate (720): imbue-ai/cluster-health, host_validation/p2p_ib_test.py."""


@dataclass(frozen=True)
class Found:
    """The points that speak for one case."""

    points: tuple[Point, ...]
    basis: Literal["measured", "family", "none"]
    slack: float
    reason: str


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
    """Points of the machine and its relatives, of any size: inside a domain of its board, between them of its fabric too."""
    g = group(machine, nodes)
    return tuple(
        p
        for p in machine.results
        if p.collective == collective and _answers(p, algorithm) and _regime(p.domains) == _regime(g.domains)
        and (p.domains > 1 or p.nodes == nodes)
        and (p.machine == machine.key or p.domains == 1 or p.fabric == machine.fabric)
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
