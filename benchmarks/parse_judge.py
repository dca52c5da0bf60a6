"""Measures the reader and the judge on a log of 10,000 rows, against merely splitting its lines into fields.

usage: benchmarks/parse_judge.py [--rows 10000] [--repeat 3]

Every figure is the best of the repeats, printed with its ratio to the plain split of the same text in the same run. Nothing is
asserted: a shared machine's clock decides.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from railbed.catalog import load_machine
from railbed.judge import nccl_log
from railbed.laws import bandwidth
from railbed.parse import nccl_debug, nccl_tests
from railbed.toolbox import logs

BUDGET_S = 1.0
"""For reading and judging 10,000 rows."""
MIB = 1 << 20
HEADER = (
    "#       size         count      type   redop    root     time   algbw   busbw  #wrong     time   algbw   busbw  #wrong \n"
    "#        (B)    (elements)                               (us)  (GB/s)  (GB/s)             (us)  (GB/s)  (GB/s)         \n"
)
RANKS, BUSBW = 16, 480.0


def made_log(rows: int, prefix: str = "") -> str:
    """A log of two H100 nodes: sizes in steps of 1 MiB, each with both halves, as `-b 1G -i 1M` prints them."""
    lines = ["# Collective test starting: all_reduce_perf"]
    for rank in range(RANKS):
        place = f"node-{rank // 8} device  {rank % 8} [0000:1b:00] NVIDIA H100 80GB HBM3"
        lines.append(f"#  Rank {rank:2d} Group  0 Pid   4711 on {place}")
    lines += HEADER.splitlines()
    for step in range(rows):
        size = 1024 * MIB + step * MIB
        algbw = BUSBW / (2 * (RANKS - 1) / RANKS)
        half = f"  {size / algbw / 1e3:7.0f}  {algbw:6.2f}  {BUSBW:6.2f}       0"
        lines.append(f"{size:12d}  {size // 4:12d}     float     sum      -1{half}{half}")
    lines += ["# Out of bounds values : 0 OK", f"# Avg bus bandwidth    : {BUSBW:g} ", "#"]
    return "\n".join(prefix + line for line in lines) + "\n"


def best(repeat: int, work: Callable[[], object]) -> float:
    """Shortest wall time of ``work``, s."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Prints the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=10_000)
    options.add_argument("--repeat", type=int, default=3)
    given = options.parse_args()
    machine = bandwidth.of(load_machine("aws/p5.48xlarge"))
    plain, tagged = made_log(given.rows), made_log(given.rows, "[1,0]<stdout>:")
    log = nccl_tests.read(plain)
    assert len(log.tables[0].rows) == given.rows
    verdict = nccl_log.judge(log, machine, 2)
    assert verdict.claims[0].verdict == "pass", verdict.claims[0].reason
    split = best(given.repeat, lambda: [line.split() for line in plain.splitlines()])

    def whole() -> object:
        return nccl_log.judge(nccl_tests.read(plain), machine, 2, nccl=nccl_debug.read(plain))

    figures = {
        "split the lines (baseline)": split,
        "read": best(given.repeat, lambda: nccl_tests.read(plain)),
        "read, mpirun's tags on every line": best(given.repeat, lambda: nccl_tests.read(tagged)),
        "read and describe (bandwidth parse)": best(
            given.repeat, lambda: logs.describe(nccl_tests.read(plain))
        ),
        "judge alone": best(given.repeat, lambda: nccl_log.judge(log, machine, 2)),
        "read, look for NCCL's lines and judge": best(given.repeat, whole),
    }
    print(f"{given.rows} rows, {len(plain) / 1e6:.1f} MB, best of {given.repeat}")
    for name, seconds in figures.items():
        print(f"{name:40}{seconds:8.3f} s   {seconds / split:6.1f} × baseline")
    print(f"of the budget of {BUDGET_S:g} s: {list(figures.values())[-1] / BUDGET_S:.2f}")


if __name__ == "__main__":
    main()
