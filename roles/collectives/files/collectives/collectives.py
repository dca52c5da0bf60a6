#!/usr/bin/env python3
"""Collectives over all rails at once, with the arguments and the table of nccl-tests (github.com/NVIDIA/nccl-tests).

One rank per node, one gloo group per rail, each rail moves its share of the buffer. Every rail is timed by
itself and the slowest rank of the slowest rail counts (``-a 3``). Needs torch on PYTHONPATH. Run it under
srun::

    srun --ntasks-per-node=1 collectives.py --op all_reduce,all_gather -b 64M -e 64M -n 3 -w 1 -c 1

Exit status: 0 done and right, 1 wrong data, 2 wrong arguments, 3 a rail or a rank did not answer.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, Optional

from bench import Bench, measure
from options import arguments, sizes
from rail_groups import RAIL_DEAD, USAGE, Failure, Place, RailGroups, configured_rails, first_line, leave
from report import busbw, counter_lines, head, line


def table(bench: Bench, op: str, args: argparse.Namespace, members: List[Dict[str, Any]]) -> int:
    """Runs and prints one collective; returns the number of wrong elements."""
    leads, total_wrong, bandwidths = bench.rank == 0, 0, []
    if leads:
        print(head(op, args, bench.groups, members), flush=True)
    for nbytes in sizes(args):
        row = measure(bench, op, nbytes, args)
        total_wrong += row["wrong"] or 0
        bandwidths.append(busbw(op, bench.size, row)[1])
        if leads:
            print(line(op, bench.size, row), flush=True)
            if args.counters:
                print("\n".join(counter_lines(op, row, args.iters)), flush=True)
    if leads:
        if args.check:
            print(f"# Out of bounds values : {total_wrong} {'FAILED' if total_wrong else 'OK'}")
        print(f"# Avg bus bandwidth    : {sum(bandwidths) / len(bandwidths):.7f}")
        print(f"#\n# Collective test concluded: {op}_perf\n#", flush=True)
    return total_wrong


def run(argv: List[str], program: str) -> int:
    """The whole program; returns its exit status."""
    args = arguments(argv, program, __doc__.splitlines()[0])
    rails = [name for name in args.rails.split(",") if name] or configured_rails()
    if not rails:
        raise Failure("no rails: name them with --rails or NCCL_SOCKET_IFNAME in /etc/nccl.conf", USAGE)
    place = Place.from_environment(args.master, args.port)
    if place.size < 2:
        raise Failure("one rank is no collective: start it under srun, one rank per node", USAGE)
    try:
        import torch
    except ImportError as missing:
        raise Failure(f"torch is not on PYTHONPATH: {missing}", USAGE) from None
    torch.set_num_threads(1)
    groups = RailGroups(place, rails, args.timeout)
    bench = Bench(groups, args.maxbytes)
    members = groups.exchange({"node": socket.gethostname(), "pid": os.getpid()})
    wrong = sum(table(bench, op, args, members) for op in args.op)
    # The store lives in rank 0: it leaves last.
    groups.exchange("done")
    if groups.place.rank == 0:
        time.sleep(0.2)
    return 1 if wrong else 0


def main(argv: Optional[List[str]] = None) -> None:
    """Maps every outcome to an exit status and, on trouble, one line on stderr."""
    program = Path(sys.argv[0]).name
    try:
        leave(run(sys.argv[1:] if argv is None else argv, program))
    except Failure as failure:
        print(f"{program}: {failure}", file=sys.stderr)
        leave(failure.status)
    except (RuntimeError, OSError) as error:
        print(f"{program}: {first_line(error)}", file=sys.stderr)
        leave(RAIL_DEAD)


if __name__ == "__main__":
    main()
