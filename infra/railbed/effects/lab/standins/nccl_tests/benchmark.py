"""One rank's buffers, what the collectives must leave in them, and timed runs over all rails at once."""

from __future__ import annotations

import argparse
import time
from typing import Any

from .rail_groups import RailGroups
from .rings import ELEMENT_BYTES, Rail, share

FACTORS = {"all_reduce": 2.0, "all_gather": 1.0, "reduce_scatter": 1.0, "alltoall": 1.0}
"""busbw = algbw · factor · (n-1)/n: nccl-tests, doc/PERFORMANCE.md."""
PERIOD = 61
"""Values repeat after so many elements: small integers, so that sums of any order are exact in float32."""
BLOCK = 1 << 20


def pattern(start: int, length: int) -> Any:
    """Element i holds i mod PERIOD."""
    import torch

    return (torch.arange(start, start + length, dtype=torch.int64) % PERIOD).to(torch.float32)


class Benchmark:
    """One rank's buffers, and the runs over them."""

    def __init__(self, groups: RailGroups, largest_bytes: int, segment: int) -> None:
        import torch

        self.groups, self.rank, self.size = groups, groups.place.rank, groups.place.size
        self.rails = [
            Rail(group, self.rank, self.size, torch.zeros(2, 1), segment) for group in groups.groups
        ]
        elements = max(largest_bytes // ELEMENT_BYTES, 1)
        self.source, self.target = torch.zeros(elements), torch.zeros(elements)

    def count(self, op: str, nbytes: int) -> int:
        """Elements of a size; where every rank has a slot, rounded down to whole slots, as nccl-tests do."""
        elements = nbytes // ELEMENT_BYTES
        return elements if op == "all_reduce" else elements // self.size * self.size

    def slot(self, count: int, index: int) -> tuple[int, int]:
        return share(count, self.size, index)

    def fill(self, op: str, count: int, *, in_place: bool) -> None:
        """Own data: the pattern plus the rank. Elsewhere: what no result can be."""
        self.source[:count] = self.target[:count] = -1.0
        into, first, last = self.source, 0, count
        if in_place:
            into = self.target
            if op == "all_gather":
                first, last = self.slot(count, self.rank)
        for start in range(first, last, BLOCK):
            end = min(start + BLOCK, last)
            into[start:end] = pattern(start - first, end - start) + self.rank

    def wrong(self, op: str, count: int) -> int:
        """Elements of the result that are not exactly what they must be."""
        wrong = 0
        ranks = range(self.size) if op != "reduce_scatter" else [self.rank]
        for slot in ranks:
            first, last = self.slot(count, slot)
            for start in range(first, last, BLOCK):
                end = min(start + BLOCK, last)
                wrong += int((self.target[start:end] != self.expected(op, slot, start, end, count)).sum())
        return wrong

    def expected(self, op: str, slot: int, start: int, end: int, count: int) -> Any:
        """The result's elements from ``start`` to ``end``, which lie in ``slot``."""
        size, length = self.size, end - start
        if op in ("all_reduce", "reduce_scatter"):
            return pattern(start, length) * size + size * (size - 1) // 2
        offset = start - self.slot(count, slot)[0]
        if op == "alltoall":
            offset += self.slot(count, self.rank)[0]
        return pattern(offset, length) + slot

    def run(self, op: str, count: int, iterations: int, *, in_place: bool) -> list[float]:
        """Seconds that each rail took for ``iterations`` back to back, all rails at once."""

        def on_rail(index: int) -> float:
            rail, rails = self.rails[index], len(self.rails)

            def view(buffer: Any) -> Any:
                def part(slot: int) -> Any:
                    first, last = self.slot(count, slot)
                    low, high = share(last - first, rails, index)
                    return buffer[first + low : first + high]

                return part

            own, target = view(self.source), view(self.target)
            source, scratch = (target, own) if in_place else (own, target)
            began = time.perf_counter()
            for _ in range(iterations):
                getattr(rail, op)(source, target, scratch)
            return time.perf_counter() - began

        return list(self.groups.on_every_rail(on_rail, f"{op} failed"))


def combine(values: list[float], how: int) -> float:
    """-a: 0 rank 0, 1 mean, 2 min, 3 max over ranks."""
    return (values[0], sum(values) / len(values), min(values), max(values))[how]


def warm_up(benchmark: Benchmark, op: str, args: argparse.Namespace) -> None:
    """As nccl-tests: ``-w`` runs of the largest size, then of the smallest (src/common.cu, TimeTest)."""
    for nbytes in (args.maxbytes, args.minbytes):
        benchmark.run(op, benchmark.count(op, nbytes), args.warmup_iters, in_place=False)


def half(
    benchmark: Benchmark, op: str, count: int, args: argparse.Namespace, *, in_place: bool
) -> dict[str, Any]:
    """One half of a row, agreed by all ranks: a run that synchronises, the timed ones, and -c that are checked (BenchTime)."""
    benchmark.run(op, count, 1, in_place=in_place)
    benchmark.groups.exchange("ready")
    seconds = max(benchmark.run(op, count, args.iters, in_place=in_place))
    times_s = benchmark.groups.exchange(seconds)
    wrong: int | None = None
    for _ in range(args.check):
        benchmark.fill(op, count, in_place=in_place)
        benchmark.groups.exchange("filled")
        benchmark.run(op, count, 1, in_place=in_place)
        wrong = sum(benchmark.groups.exchange(benchmark.wrong(op, count)))
        if wrong:
            break
    return {
        "time_us": combine(times_s, args.average) / args.iters * 1e6,
        # NCCL has no alltoall in place that could be checked.
        "wrong": None if in_place and op == "alltoall" else wrong,
    }


def measure(benchmark: Benchmark, op: str, nbytes: int, args: argparse.Namespace) -> dict[str, Any]:
    """One row."""
    count = benchmark.count(op, nbytes)
    return {
        "size_bytes": count * ELEMENT_BYTES,
        "count": count if op == "all_reduce" else count // benchmark.size,
        "halves": [half(benchmark, op, count, args, in_place=in_place) for in_place in (False, True)],
    }
