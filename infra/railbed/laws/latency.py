"""How long a collective takes when messages are small: NCCL's own model of steps and hops.

Constants: NVIDIA/nccl src/graph/tuning.cc at 01afd20 (base latency, hop inside a node over NVLink, hop over the network,
for the protocols LL and Simple). Rings take O(n) steps, trees O(log k). LL128 is left out: with it the model is up to
twice too fast on the published curves, without it within a quarter from 16 MiB on (docs/reference/bandwidth.md).
"""

from __future__ import annotations

import math

from railbed.laws import ranks
from railbed.laws.machine import Group

BASE_US = {("tree", "LL"): 4.4, ("tree", "Simple"): 0.0, ("ring", "LL"): 3.6, ("ring", "Simple"): 8.4}
NVLINK_US = {("tree", "LL"): 0.52, ("tree", "Simple"): 28.0, ("ring", "LL"): 0.47, ("ring", "Simple"): 3.4}
NETWORK_US = {("tree", "LL"): 5.0, ("tree", "Simple"): 50.0, ("ring", "LL"): 2.7, ("ring", "Simple"): 9.6}
BANDWIDTH_SHARE = {
    ("tree", "LL"): 1 / 3.8,
    ("tree", "Simple"): 1.0,
    ("ring", "LL"): 1 / 4,
    ("ring", "Simple"): 1.0,
}
"""LL spends half of every word on a flag, and more on waiting for it."""
LL_HOP_ACROSS = 1.8
"""An LL hop inside a node takes so much longer once the network takes part."""
PLATEAU = 1.9
"""A ring of all_reduce over the network from 4 KiB a rank on: its Simple protocol waits for chunks."""
PLATEAU_BYTES_PER_RANK = 4096
ALGORITHMS = {"all_reduce": ("ring", "tree"), "all_gather": ("ring",), "reduce_scatter": ("ring",)}
"""What the model covers; NCCL has no such numbers for alltoall, broadcast and reduce."""
SLOWEST_HEALTHY = 4.75
"""Longest published healthy time over the model's: 64 KiB on two aws/p5.48xlarge (awsome-distributed-training)."""


def latency_us(g: Group, collective: str, algorithm: str, protocol: str, size_bytes: int) -> float:
    """The part of a collective's time that does not depend on bandwidth."""
    key = (algorithm, protocol)
    across = g.domains > 1
    inside = NVLINK_US[key] * (LL_HOP_ACROSS if across and protocol == "LL" else 1.0)
    if algorithm == "tree":
        return BASE_US[key] + 2 * ((g.ranks_per_domain - 1) * inside + math.log2(g.domains) * NETWORK_US[key])
    twice = 2 if collective == "all_reduce" else 1
    steps, hops = twice * (g.ranks - 1), twice * (g.domains - 1)
    found = BASE_US[key] + (steps - hops) * inside + hops * NETWORK_US[key]
    plateau = (
        across and twice == 2 and protocol == "Simple" and size_bytes >= g.ranks * PLATEAU_BYTES_PER_RANK
    )
    return found * PLATEAU if plateau else found


def time_us(g: Group, collective: str, size_bytes: int, busbw_gbytes_per_s: float) -> float | None:
    """Shortest time over algorithms and protocols, where large messages reach ``busbw_gbytes_per_s``.

    None for a collective that the model does not cover.
    """
    scale = ranks.factor(collective, g.ranks)
    if collective not in ALGORITHMS or not scale or busbw_gbytes_per_s <= 0:
        return None
    wire_us = size_bytes * scale / (busbw_gbytes_per_s * 1000)
    return min(
        latency_us(g, collective, algorithm, protocol, size_bytes)
        + wire_us / BANDWIDTH_SHARE[algorithm, protocol]
        for algorithm in ALGORITHMS[collective]
        for protocol in ("LL", "Simple")
    )


def busbw_gbytes_per_s(g: Group, collective: str, size_bytes: int, plateau: float) -> float | None:
    """Bus bandwidth at ``size_bytes`` where large messages reach ``plateau`` GB/s; None as above."""
    took = time_us(g, collective, size_bytes, plateau)
    scale = ranks.factor(collective, g.ranks)
    return None if took is None or not scale else size_bytes * scale / (took * 1000)
