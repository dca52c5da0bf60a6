"""What is printed: the lines and columns of nccl-tests."""

from __future__ import annotations

import argparse
import math
from typing import Any

from .benchmark import FACTORS

REDOP = {"all_reduce": "sum", "reduce_scatter": "sum", "all_gather": "none", "alltoall": "none"}


def head(op: str, args: argparse.Namespace, members: list[dict[str, Any]], version: str) -> str:
    """The lines above a table."""
    factor = args.stepfactor > 1
    step = f"{args.stepfactor}(factor)" if factor else f"{args.stepbytes}(bytes)"
    lines = [
        f"# nccl-tests version {version}",
        f"# simulated: {'GPUs that add in memory' if args.ngpus > 1 else 'TCP rails at 1:4000'}",
        f"# Collective test starting: {op}_perf",
        f"# nThread 1 nGpus {args.ngpus} minBytes {args.minbytes} maxBytes {args.maxbytes} step: {step} warmup iters: "
        f"{args.warmup_iters} iters: {args.iters} agg iters: 1 validation: {args.check} graph: 0",
        "#",
        "# Using devices",
    ]
    for rank, one in enumerate(members):
        lines.append(
            f"#  Rank {rank:2d} Group  0 Pid {one['pid']:6d} on {one['node']:>10} "
            f"device {one.get('device', 0):2d} [simulated] no GPU"
        )
    lines += [
        "#",
        f"# {'':57}{'out-of-place':^40}{'in-place':^40}".rstrip(),
        "# {:>10}{:>14}{:>10}{:>8}{:>8}".format("size", "count", "type", "redop", "root")
        + "{:>12}{:>12}{:>12}{:>8}".format("time", "algbw", "busbw", "#wrong") * 2,
        "# {:>10}{:>14}{:>10}{:>8}{:>8}".format("(B)", "(elements)", "", "", "")
        + "{:>12}{:>12}{:>12}{:>8}".format("(us)", "(GB/s)", "(GB/s)", "") * 2,
    ]
    return "\n".join(line.rstrip() for line in lines)


def busbw(op: str, ranks: int, size_bytes: int, time_us: float) -> tuple[float, float]:
    """Algorithm and bus bandwidth, GB/s."""
    if ranks < 2 or not time_us:
        return 0.0, 0.0
    algbw = size_bytes / (time_us * 1e3)
    return algbw, algbw * FACTORS[op] * (ranks - 1) / ranks


def digits(value: float) -> str:
    """Seven significant digits without an exponent: a lab's rails move 0.1 GB/s."""
    places = 6 - math.floor(math.log10(value)) if value > 0 else 7
    return f"{value:.{min(max(places, 2), 15)}f}"


def line(op: str, ranks: int, row: dict[str, Any]) -> str:
    """One row as text."""
    text = "{:>12}{:>14}{:>10}{:>8}{:>8}".format(row["size_bytes"], row["count"], "float", REDOP[op], -1)
    for half in row["halves"]:
        algbw, bus = busbw(op, ranks, row["size_bytes"], half["time_us"])
        wrong = "N/A" if half["wrong"] is None else str(half["wrong"])
        text += f" {half['time_us']:>11.2f} {digits(algbw):>11} {digits(bus):>11} {wrong:>7}"
    return text


def tail(op: str, wrong: int, bandwidths: list[float]) -> str:
    """The closing lines."""
    return (
        f"# Out of bounds values : {wrong} {'FAILED' if wrong else 'OK'}\n"
        f"# Avg bus bandwidth    : {sum(bandwidths) / len(bandwidths):.7f}\n"
        f"#\n# Collective test concluded: {op}_perf\n#"
    )
