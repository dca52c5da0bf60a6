"""What is printed: the lines and columns of nccl-tests."""

from __future__ import annotations

import argparse
import json
import math
import os
from typing import Any, Dict, List, Tuple

from bench import FACTORS
from rail_groups import RailGroups

REDOP = {"all_reduce": "sum", "reduce_scatter": "sum", "all_gather": "none", "alltoall": "none"}


def head(op: str, args: argparse.Namespace, groups: RailGroups, members: List[Dict[str, Any]]) -> str:
    """The lines above a table."""
    step = f"{args.stepbytes}(bytes)" if args.stepbytes else f"{args.stepfactor}(factor)"
    lines = [
        f"# Collective test starting: {op}_perf",
        f"# nThread 1 nGpus 1 minBytes {args.minbytes} maxBytes {args.maxbytes} step: {step} warmup iters: "
        f"{args.warmup_iters} iters: {args.iters} agg iters: 1 validation: {args.check} graph: 0",
    ]
    if os.environ.get("RAILBED_SIMULATED") == "1":
        lines.append("# simulated: TCP rails at 1:4000")
    lines += ["#", "# Using devices"]
    for rank, one in enumerate(members):
        lines.append(
            f"#  Rank {rank:2d} Group  0 Pid {one['pid']:6d} on {one['node']:>10} device  0 [{','.join(groups.rails)}] rails"
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


def busbw(op: str, ranks: int, row: Dict[str, Any]) -> Tuple[float, float]:
    """Algorithm and bus bandwidth of a row, GB/s."""
    if ranks < 2 or not row["time_us"]:
        return 0.0, 0.0
    algbw = row["size_bytes"] / (row["time_us"] * 1e3)
    return algbw, algbw * FACTORS[op] * (ranks - 1) / ranks


def digits(value: float) -> str:
    """Seven significant digits without an exponent: a lab's rails move 0.1 GB/s."""
    places = 6 - math.floor(math.log10(value)) if value > 0 else 7
    return f"{value:.{min(max(places, 2), 15)}f}"


def line(op: str, ranks: int, row: Dict[str, Any]) -> str:
    """One row as text. In place is not measured."""
    algbw, bus = busbw(op, ranks, row)
    wrong = "N/A" if row["wrong"] is None else str(row["wrong"])
    text = "{:>12}{:>14}{:>10}{:>8}{:>8}".format(row["size_bytes"], row["count"], "float", REDOP[op], -1)
    text += f" {row['time_us']:>11.2f} {digits(algbw):>11} {digits(bus):>11} {wrong:>7}"
    return text + "{:>12}{:>12}{:>12}{:>8}".format("N/A", "N/A", "N/A", "N/A")


def counter_lines(op: str, row: Dict[str, Any], iterations: int) -> List[str]:
    """One line per rank: ``# counters: {json}``."""
    lines = []
    for one in row["ranks"]:
        document = {
            "op": op,
            "size_bytes": row["size_bytes"],
            "iterations": iterations,
            "rank": one["rank"],
            "node": one["node"],
        }
        lines.append("# counters: " + json.dumps({**document, **one["counters"]}, separators=(",", ":")))
    return lines
