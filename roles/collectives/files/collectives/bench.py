"""One rank's buffers, what the collectives must leave in them, and timed runs over all rails at once."""

from __future__ import annotations

import argparse
import socket
import time
from typing import Any, Dict, List, Tuple

from counters import Counters
from rail_groups import RailGroups
from rings import Rail, share

FACTORS = {"all_reduce": 2.0, "all_gather": 1.0, "reduce_scatter": 1.0, "alltoall": 1.0}
"""busbw = algbw · factor · (n-1)/n: nccl-tests, doc/PERFORMANCE.md."""
ELEMENT_BYTES = 4
PERIOD = 61
"""Values repeat after so many elements: small integers, so that sums of any order are exact in float32."""
BLOCK = 1 << 20


def pattern(start: int, length: int) -> Any:
    """Element i holds i mod PERIOD."""
    import torch

    return (torch.arange(start, start + length, dtype=torch.int64) % PERIOD).to(torch.float32)


class Bench:
    """One rank's buffers, and the runs over them."""

    def __init__(self, groups: RailGroups, largest_bytes: int) -> None:
        import torch

        self.groups, self.rank, self.size = groups, groups.place.rank, groups.place.size
        self.rails = [Rail(group, self.rank, self.size, torch.zeros(2, 1)) for group in groups.groups]
        elements = max(largest_bytes // ELEMENT_BYTES, 1)
        self.source, self.target = torch.empty(elements), torch.empty(elements)

    def count(self, op: str, nbytes: int) -> int:
        """Elements of a size; where every rank has a slot, rounded down to whole slots, as nccl-tests do."""
        elements = nbytes // ELEMENT_BYTES
        return elements if op == "all_reduce" else elements // self.size * self.size

    def slot(self, count: int, index: int) -> Tuple[int, int]:
        return share(count, self.size, index)

    def fill(self, count: int) -> None:
        """Source: the pattern plus the rank. Target: what no result can be."""
        for start in range(0, count, BLOCK):
            end = min(start + BLOCK, count)
            self.source[start:end] = pattern(start, end - start) + self.rank
        self.target[:count] = -1.0

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

    def run(self, op: str, count: int, iterations: int) -> List[float]:
        """Seconds that each rail took for ``iterations`` back to back, all rails at once."""

        def on_rail(index: int) -> float:
            rail, rails = self.rails[index], len(self.rails)

            def view(buffer: Any) -> Any:
                def part(slot: int) -> Any:
                    first, last = self.slot(count, slot)
                    low, high = share(last - first, rails, index)
                    return buffer[first + low : first + high]

                return part

            source, target = view(self.source), view(self.target)
            began = time.perf_counter()
            for _ in range(iterations):
                getattr(rail, op)(source, target)
            return time.perf_counter() - began

        return list(self.groups.on_every_rail(on_rail, f"{op} failed"))


def combine(values: List[float], how: int) -> float:
    """-a: 0 rank 0, 1 mean, 2 min, 3 max over ranks."""
    return (values[0], sum(values) / len(values), min(values), max(values))[how]


def measure(bench: Bench, op: str, nbytes: int, args: argparse.Namespace) -> Dict[str, Any]:
    """One row, agreed by all ranks."""
    count = bench.count(op, nbytes)
    bench.fill(count)
    bench.run(op, count, args.warmup_iters)
    bench.groups.exchange("ready")
    counters = Counters(bench)
    bench.groups.exchange("counted")
    seconds = bench.run(op, count, args.iters)
    bench.groups.exchange("moved")
    mine: Dict[str, Any] = {"seconds": max(seconds), "node": socket.gethostname(), "rank": bench.rank}
    mine["counters"] = counters.delta(seconds)
    mine["wrong"] = bench.wrong(op, count) if args.check else None
    told = bench.groups.exchange(mine)
    time_s = combine([one["seconds"] for one in told], args.average) / args.iters
    return {
        "size_bytes": count * ELEMENT_BYTES,
        "count": count if op == "all_reduce" else count // bench.size,
        "time_us": time_s * 1e6,
        "wrong": sum(one["wrong"] for one in told) if args.check else None,
        "ranks": told,
    }
