"""The table of a simulated run, in the words of nccl-tests."""

from __future__ import annotations

import math
from collections.abc import Sequence

FACTOR = {"all_reduce": 2.0, "all_gather": 1.0, "reduce_scatter": 1.0, "alltoall": 1.0}
"""Bus over algorithm bandwidth, for very many ranks (NVIDIA/nccl-tests doc/PERFORMANCE.md)."""


def table(
    collective: str, nodes: Sequence[int], gpus: int, rows: Sequence[tuple[int, Sequence[float]]]
) -> str:
    """The log: rank lines, one row per size with seconds out of place and in place, and its end."""
    ranks = len(nodes) * gpus
    factor = FACTOR[collective] * (ranks - 1) / ranks
    lines = [
        "# simulated: channels of a collective, no hardware",
        f"# Collective test starting: {collective}_perf",
        f"# nThread 1 nGpus 1 minBytes {rows[0][0] if rows else 0} maxBytes {rows[-1][0] if rows else 0} step: "
        "2(factor) warmup iters: 0 iters: 1 agg iters: 1 validation: 1 graph: 0",
        "# Using devices",
    ]
    for rank in range(ranks):
        node, gpu = divmod(rank, gpus)
        lines.append(
            f"#  Rank {rank:2} Group  0 Pid {3000 + rank} on     node-{nodes[node]} device {gpu:2} [0000:{gpu:02x}:00] simulated"
        )
    lines += [
        "#       size         count      type   redop    root     time   algbw   busbw #wrong     time   algbw   busbw #wrong",
        "#        (B)    (elements)                               (us)  (GB/s)  (GB/s)            (us)  (GB/s)  (GB/s)",
    ]
    printed = []
    for size, both in rows:
        if any(math.isinf(seconds) for seconds in both):
            continue
        halves = []
        for seconds in both:
            algbw = size / seconds / 1e9
            printed.append(algbw * factor)
            halves.append(f"{seconds * 1e6:12.2f} {algbw:10.4f} {algbw * factor:10.4f} {0:6}")
        lines.append(f"{size:12} {size // 4:13}     float     sum      -1 " + " ".join(halves))
    if printed:
        lines += [
            "# Out of bounds values : 0 OK",
            f"# Avg bus bandwidth    : {sum(printed) / len(printed):.4f}",
        ]
    return "\n".join([*lines, ""])
