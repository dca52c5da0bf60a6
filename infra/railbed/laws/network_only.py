"""What an all_reduce over the GPUs of one node must reach where every byte between them crosses the node's own network cards."""

from __future__ import annotations

from railbed.claims import Expectation
from railbed.laws.machine import BandwidthMachine
from railbed.units import GIB

HEALTHY_SHARE = 46.4 / 50
"""Of a GPU's line, what a healthy node reached: 46.4 GB/s of eight H100 with 400 Gb/s each, in the log of ND H100 v5 that
Azure/azurehpc-health-checks shows as a sample (distributed_nhc, "Example Logs from Real Tests")."""
GATE_SHARE = 18 / 25
"""From which on an operator takes a node into service: 18 GB/s of eight A100 with 200 Gb/s each (the same project,
check_nccl_allreduce_ib_loopback, conf/nd96asr_v4.conf). The lowest of its gates for this test."""

SIZE_BYTES = 8 * GIB
"""The operator's is 16 GiB; nccl-tests keep three buffers of it, and some GPUs have 40 GB. At 8 GiB latency is a thousandth."""


def expect(machine: BandwidthMachine) -> Expectation:
    """GB/s of bus bandwidth. Each GPU is a domain of its own, so that a ring leaves each by its share of the node's cards."""
    line = machine.node_gbytes_per_s / machine.gpus
    return Expectation(
        unit="GB/s", bound=line, expected=line * HEALTHY_SHARE, floor=line * GATE_SHARE, basis="derived",
        size_bytes=SIZE_BYTES,
        derivation=[
            f"a ring in which each GPU is a domain of its own: W/g = {machine.node_gbytes_per_s:g}/{machine.gpus} = {line:g}",
            f"expected: {HEALTHY_SHARE:.3g} of it, that of a published healthy node (Azure/azurehpc-health-checks, 46.4 of 50)",
            f"floor: {GATE_SHARE:.3g} of it, the lowest gate of that operator for this test (18 of 25 GB/s)",
        ],
    )  # fmt: skip
