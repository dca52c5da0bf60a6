"""Collectives over the GPUs of one node, in one process: stand-ins for them compute in the host's memory, without torch."""

from __future__ import annotations

import argparse
import os
import socket
import time
from typing import Any

from .benchmark import FACTORS, PERIOD
from .rail_groups import INTERNAL, Failure
from .report import busbw, head, line, tail
from .rings import ELEMENT_BYTES

Buffer = list[int]


def pattern(count: int, gpu: int) -> Buffer:
    """What a GPU holds before: element i is i mod PERIOD, plus the number of the GPU."""
    return [at % PERIOD + gpu for at in range(count)]


def source(op: str, count: int, gpus: int, gpu: int) -> Buffer:
    """What a GPU gives: its share of the result where results are gathered, else as many elements as the message has."""
    return pattern(count // gpus if op == "all_gather" else count, gpu)


def expected(op: str, count: int, gpus: int, gpu: int) -> Buffer:
    """What a GPU must hold after, worked out without any buffer."""
    slot, first = count // gpus, gpu * (count // gpus)
    if op == "all_gather":
        return [at % slot % PERIOD + at // slot for at in range(count)]
    if op == "alltoall":
        return [(first + at % slot) % PERIOD + at // slot for at in range(count)]
    added = [at % PERIOD * gpus + gpus * (gpus - 1) // 2 for at in range(count)]
    return added[first : first + slot] if op == "reduce_scatter" else added


def moved(op: str, buffers: list[Buffer]) -> list[Buffer]:
    """What each GPU holds after."""
    gpus, count = len(buffers), len(buffers[0])
    slots = [slice(gpu * (count // gpus), (gpu + 1) * (count // gpus)) for gpu in range(gpus)]
    if op == "all_gather":
        joined = [value for buffer in buffers for value in buffer]
        return [list(joined) for _ in buffers]
    if op == "alltoall":
        return [[value for buffer in buffers for value in buffer[slot]] for slot in slots]
    total = [sum(values) for values in zip(*buffers, strict=True)]
    return [total[slot] for slot in slots] if op == "reduce_scatter" else [list(total) for _ in buffers]


def half(op: str, gpus: int, count: int, args: argparse.Namespace) -> dict[str, Any]:
    """One half of a row: the timed runs, and those that are checked. In place and out of place are one here."""
    buffers = [source(op, count, gpus, gpu) for gpu in range(gpus)]
    began = time.perf_counter()
    for _ in range(args.iters):
        found = moved(op, buffers)
    seconds = (time.perf_counter() - began) / args.iters
    wrong: int | None = None
    for _ in range(args.check):
        wrong = sum(
            one != other
            for gpu, held in enumerate(found)
            for one, other in zip(held, expected(op, count, gpus, gpu), strict=True)
        )
    return {"time_us": seconds * 1e6, "wrong": wrong}


def run(op: str, args: argparse.Namespace, sizes: list[int], version: str) -> tuple[list[str], int]:
    """The lines that the program prints, and the number of wrong elements. Raises Failure for another collective.

    Where every GPU has a slot of the message, sizes are rounded down to whole slots, as nccl-tests do.
    """
    if op not in FACTORS:
        raise Failure(f"stand-ins for the GPUs of one node have {', '.join(FACTORS)}, not {op}", INTERNAL)
    gpus, host, pid = args.ngpus, socket.gethostname(), os.getpid()
    members = [{"node": host, "pid": pid, "device": device} for device in range(gpus)]
    lines, wrong, bandwidths = [head(op, args, members, version)], 0, []
    for size in sizes:
        count = size // ELEMENT_BYTES
        count = count if op == "all_reduce" else count // gpus * gpus
        halves = [half(op, gpus, count, args) for _ in ("out of place", "in place")]
        row: dict[str, Any] = {"size_bytes": count * ELEMENT_BYTES, "count": count, "halves": halves}
        lines.append(line(op, gpus, row))
        wrong += sum(one["wrong"] or 0 for one in halves)
        bandwidths += [busbw(op, gpus, row["size_bytes"], one["time_us"])[1] for one in halves]
    return [*lines, tail(op, wrong, bandwidths)], wrong
