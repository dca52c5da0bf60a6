"""What MPI must reach between nodes: half of what one rail carries, and no more than twice a rail's own latency. Pure."""

from __future__ import annotations

from railbed.claims.records import Expectation
from railbed.laws.bandwidth import expect_rail
from railbed.laws.machine import BandwidthMachine
from railbed.laws.paths import latency_limit
from railbed.units import gbytes_per_s

RAIL_SHARE = 0.5
"""Of one rail's payload, what two ranks must exchange with 2 MB messages. Declared: a rank drives one or two rails and copies; it
finds ranks that met over the management network, and says nothing of how fast MPI could be."""
LATENCY_TIMES = 2.0
"""Of an operator's gate for the rails themselves, what a small message of MPI may take. Declared: matching and a progress loop
take their part; TCP, which MPI falls back to, takes ten times as long."""


def expect_bandwidth(machine: BandwidthMachine) -> Expectation:
    """GB/s that the slowest pair of ranks on different nodes must reach in a ping-pong."""
    rail = expect_rail(machine)
    if rail.expected is None:
        return rail.model_copy(update={"unit": "GB/s", "bound": None, "floor": None})
    line = gbytes_per_s(rail.expected)
    return Expectation(
        unit="GB/s", expected=line, floor=line * RAIL_SHARE, basis="declared",
        derivation=[
            *rail.derivation[:1],
            f"one rail carries {line:.4g} GB/s of payload; floor {RAIL_SHARE:g} of it, declared: a rank may drive one rail "
            "alone, and copies; ranks that meet over the management network stay below",
        ],
    )  # fmt: skip


def expect_latency(transport: str, *, rack: bool) -> Expectation:
    """Microseconds that a small message between any two ranks may take, as ``expected``; without a published gate any time
    counts, and is recorded."""
    rail = latency_limit(transport, rack=rack)
    if rail.expected is None:
        reason = f"nobody published what latency of MPI over {transport} is healthy: it is recorded"
        return Expectation(unit="us", basis="data", derivation=[reason])
    limit = rail.expected * LATENCY_TIMES
    return Expectation(
        unit="us", expected=limit, basis="declared",
        derivation=[
            *rail.derivation,
            f"at most {limit:g} us of MPI: {LATENCY_TIMES:g} times that, declared: matching and progress take their part",
        ],
    )  # fmt: skip
