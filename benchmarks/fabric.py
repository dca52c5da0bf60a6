"""Measures the fabric planner: time and memory of the full cable map, growth with size, against a plain build.

usage: .venv/bin/python benchmarks/fabric.py        about a minute; every size runs in a process of its own

The baseline is how one would build the same map by hand, in the same run: a graph of mappings in which every cable
takes the first free port of both its ends.
"""

from __future__ import annotations

import json
import math
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from railbed.fabric import Cable, Fabric, FabricRequest, Names, cables, export, infiniband, plan
from railbed.fabric.observed import read
from railbed.fabric.verify import verify

SIZES = (1024, 2048, 4096, 8192)
REPEATS, ROUNDS = 5, 2
TARGET_S, TARGET_GBYTES, TARGET_EXPONENT = 10.0, 2.0, 1.1


def by_hand(fabric: Fabric) -> dict[str, dict[int, tuple[str, int]]]:
    """The same switches and cables as a graph of mappings: device → port → (device, port) at the far end."""
    graph: dict[str, dict[int, tuple[str, int]]] = {}

    def connect(one: str, other: str) -> None:
        ends = []
        for name in (one, other):
            ports = graph.setdefault(name, {})
            ends.append((name, next(port for port in range(1, len(ports) + 2) if port not in ports)))
        graph[one][ends[0][1]] = ends[1]
        graph[other][ends[1][1]] = ends[0]

    for node in range(fabric.request.nodes):
        for rail in range(fabric.request.rails):
            connect(f"node-{node}", f"leaf{node // fabric.down * fabric.request.rails + rail}")
    for leaf in range(fabric.leaf):
        for uplink in range(fabric.up):
            spine = leaf // fabric.half * fabric.up + uplink if fabric.core else uplink % fabric.spine
            connect(f"leaf{leaf}", f"spine{spine}")
    for spine in range(fabric.spine if fabric.core else 0):
        for uplink in range(fabric.half):
            connect(f"spine{spine}", f"core{spine % fabric.up % fabric.core_sets * fabric.half + uplink}")
    return graph


def kept(fabric: Fabric) -> list[Cable]:
    """The whole map in memory; the collector's passes over so many tuples grow a little faster than the map."""
    return list(cables(fabric))


def streamed(fabric: Fabric) -> int:
    """The whole map as `fabric export --format csv` writes it: made on demand, cable by cable."""
    return sum(len(line) for line in export.csv(fabric, Names()))


def verified(fabric: Fabric) -> str:
    """What `ibnetdiscover` would print of it all, read and compared with the plan."""
    text = "".join(infiniband.ibnetdiscover(fabric, Names(), 400.0))
    map_ = list(cables(fabric))
    devices = {end for cable in map_ for end in (cable.source, cable.target)}
    return verify(map_, read(text, "benchmark", devices)).verdict.value


WORK: dict[str, Callable[[Fabric], Any]] = {
    "export": streamed, "kept": kept, "baseline": by_hand, "verify": verified
}  # fmt: skip


def measure(work: str, nodes: int) -> dict[str, float]:
    """CPU seconds (the best of some: other programs run too) and peak memory of one piece of work, in this process."""
    best = math.inf
    for _ in range(1 if work == "verify" else REPEATS):
        start = time.process_time()
        fabric = plan(FabricRequest(nodes=nodes))
        WORK[work](fabric)
        best = min(best, time.process_time() - start)
    return {"s": best, "gbytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9}


def apart(work: str, nodes: int) -> dict[str, float]:
    """The same in a process of its own, so that its memory is its own."""
    argv = [sys.executable, str(Path(__file__).resolve()), work, str(nodes)]
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def exponent(points: list[tuple[int, float]]) -> float:
    """Slope of log time over log size, by least squares."""
    logs = [(math.log(n), math.log(s)) for n, s in points]
    mean_x, mean_y = (sum(values) / len(logs) for values in zip(*logs, strict=True))
    covariance: float = sum((x - mean_x) * (y - mean_y) for x, y in logs)
    variance: float = sum((x - mean_x) ** 2 for x, _ in logs)
    return covariance / variance


def report() -> Iterator[str]:
    """Lines of the result."""
    found: dict[tuple[str, int], dict[str, float]] = {}
    for _ in range(ROUNDS):
        for work in ("export", "kept", "baseline"):
            for n in SIZES:
                again = apart(work, n)
                found[work, n] = min(found.get((work, n), again), again, key=lambda one: one["s"])
    yield " nodes   cables export s     GB  kept s     GB  baseline s     GB  ratio"
    for n in SIZES:
        text, one, hand = (found[work, n] for work in ("export", "kept", "baseline"))
        total = sum(plan(FabricRequest(nodes=n)).cables.values())
        yield (
            f"{n:6} {total:8} {text['s']:8.2f} {text['gbytes']:6.2f} {one['s']:7.2f} {one['gbytes']:6.2f} "
            f"{hand['s']:11.2f} {hand['gbytes']:6.2f} {hand['s'] / text['s']:6.1f}"
        )
    slopes = {
        work: exponent([(n, found[work, n]["s"]) for n in SIZES]) for work in ("export", "kept", "baseline")
    }
    others = f"kept {slopes['kept']:.2f}, baseline {slopes['baseline']:.2f}"
    last = found["export", SIZES[-1]]
    yield f"growth exponent of the export: {slopes['export']:.2f} (to reach: ≤ {TARGET_EXPONENT}); {others}"
    yield f"{SIZES[-1]} nodes: {last['s']:.2f} s (≤ {TARGET_S:g}), {last['gbytes']:.2f} GB (≤ {TARGET_GBYTES:g})"
    seen = apart("verify", SIZES[-1])
    yield f"written as ibnetdiscover, read back and verified: {seen['s']:.1f} s, {seen['gbytes']:.2f} GB"


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
    else:
        for line in report():
            print(line, flush=True)
