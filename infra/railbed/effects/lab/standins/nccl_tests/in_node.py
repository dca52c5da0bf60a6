"""all_reduce over the GPUs of one node, in one process: stand-ins for them, which add in the host's memory, without torch."""

from __future__ import annotations

import argparse
import os
import socket
import time
from typing import Any

from .benchmark import ELEMENT_BYTES, PERIOD
from .rail_groups import INTERNAL, Failure
from .report import busbw, head, line, tail

OP = "all_reduce"
Buffer = list[int]


def pattern(count: int, gpu: int) -> Buffer:
    """What a GPU holds before: element i is i mod PERIOD, plus the number of the GPU."""
    return [at % PERIOD + gpu for at in range(count)]


def expected(count: int, gpus: int) -> Buffer:
    """The sum of what all GPUs hold."""
    return [at % PERIOD * gpus + gpus * (gpus - 1) // 2 for at in range(count)]


def reduced(buffers: list[Buffer]) -> list[Buffer]:
    """Each GPU's copy of the sum."""
    total = [sum(values) for values in zip(*buffers, strict=True)]
    return [list(total) for _ in buffers]


def half(gpus: int, count: int, args: argparse.Namespace) -> dict[str, Any]:
    """One half of a row: the timed runs, and those that are checked. In place and out of place are one here."""
    buffers = [pattern(count, gpu) for gpu in range(gpus)]
    began = time.perf_counter()
    for _ in range(args.iters):
        found = reduced(buffers)
    seconds = (time.perf_counter() - began) / args.iters
    wrong: int | None = None
    for _ in range(args.check):
        right = expected(count, gpus)
        wrong = sum(one != other for copy in found for one, other in zip(copy, right, strict=True))
    return {"time_us": seconds * 1e6, "wrong": wrong}


def run(op: str, args: argparse.Namespace, sizes: list[int], version: str) -> tuple[list[str], int]:
    """The lines that the program prints, and the number of wrong elements. Raises Failure for another collective."""
    if op != OP:
        raise Failure(f"stand-ins for the GPUs of one node have {OP} alone, not {op}", INTERNAL)
    gpus, host, pid = args.ngpus, socket.gethostname(), os.getpid()
    members = [{"node": host, "pid": pid, "device": device} for device in range(gpus)]
    lines, wrong, bandwidths = [head(op, args, members, version)], 0, []
    for size in sizes:
        count = size // ELEMENT_BYTES
        halves = [half(gpus, count, args) for _ in ("out of place", "in place")]
        row: dict[str, Any] = {"size_bytes": count * ELEMENT_BYTES, "count": count, "halves": halves}
        lines.append(line(op, gpus, row))
        wrong += sum(one["wrong"] or 0 for one in halves)
        bandwidths += [busbw(op, gpus, row["size_bytes"], one["time_us"])[1] for one in halves]
    return [*lines, tail(op, wrong, bandwidths)], wrong
