"""SIMULATED: the collectives of NVIDIA's nccl-tests over a lab's rails: their arguments, table and exit statuses.

One rank a node, one gloo group a rail, each rail moves its share of the buffer. Every rail is timed by itself and the slowest
one counts. Ranks come from Slurm's PMIx plugin, rails from NCCL's own settings. One process with several GPUs (-g) is a node by
itself, and moves nothing over rails.

Exit status: 0 done and right, or asked for its usage; 1 wrong data; 3 a rail or a rank did not answer; 255 invalid sizes.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import sys
import time
from pathlib import Path

from . import in_node
from .benchmark import Benchmark, measure, warm_up
from .nccl_log import NcclLog
from .options import Unknown, arguments, parser, sizes
from .rail_groups import INTERNAL, NETWORK, Failure, Place, RailGroups, first_line, leave, rails_of, settings
from .report import busbw, head, line, tail
from .rings import segment


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def table(benchmark: Benchmark, op: str, args: argparse.Namespace) -> int:
    """Runs the collective and prints its rows; returns the number of wrong elements."""
    wrong, bandwidths = 0, []
    warm_up(benchmark, op, args)
    for nbytes in sizes(args):
        row = measure(benchmark, op, nbytes, args)
        wrong += sum(half["wrong"] or 0 for half in row["halves"])
        bandwidths += [
            busbw(op, benchmark.size, row["size_bytes"], half["time_us"])[1] for half in row["halves"]
        ]
        if benchmark.rank == 0:
            say(line(op, benchmark.size, row))
    if benchmark.rank == 0:
        say(tail(op, wrong, bandwidths))
    return wrong


def run(op: str, args: argparse.Namespace, log: NcclLog, version: str) -> int:
    """The whole program; returns its exit status."""
    rails, place = rails_of(log.settings), Place.from_environment()
    if args.ngpus > 1:
        return alone(op, args, place, version)
    if not rails:
        raise Failure("NCCL_SOCKET_IFNAME names no rail, in the environment or /etc/nccl.conf", NETWORK)
    if place.size < 2:
        raise Failure("one rank is no collective: start several with `srun --mpi=pmix`", INTERNAL)
    try:
        import torch
    except ImportError as missing:
        raise Failure(f"torch is not on PYTHONPATH: {missing}", INTERNAL) from None
    torch.set_num_threads(1)
    log.begin(place, rails)
    groups = RailGroups(place, rails)
    log.connected(place, rails)
    members = groups.exchange({"node": socket.gethostname(), "pid": os.getpid()})
    if place.rank == 0:
        say(head(op, args, members, version))
    length = segment(log.settings.get("NCCL_BUFFSIZE", ""))
    wrong = table(Benchmark(groups, args.maxbytes, length), op, args)
    # The store lives in rank 0: it leaves last.
    groups.exchange("done")
    if place.rank == 0:
        time.sleep(0.2)
    return 1 if wrong else 0


def alone(op: str, args: argparse.Namespace, place: Place, version: str) -> int:
    """The GPUs of one node, in this process."""
    if place.size > 1:
        raise Failure(
            "a lab's nodes have one rank each: several GPUs in a process are a node by itself", INTERNAL
        )
    lines, wrong = in_node.run(op, args, sizes(args), version)
    for text in lines:
        say(text)
    return 1 if wrong else 0


def main(version: str) -> None:
    """Maps every outcome to the exit status and the words that nccl-tests have for it."""
    program = Path(sys.argv[0]).name
    log = NcclLog(settings())
    try:
        args = arguments(sys.argv[1:], program)
        leave(run(re.sub(r"_perf$", "", program), args, log, version))
    except Unknown as wrong:
        say(f"{wrong}\n{parser(program).format_usage()}".strip())
        leave(0)
    except Failure as failure:
        _failed(log, program, str(failure), failure.status)
    except (RuntimeError, OSError) as error:
        _failed(log, program, first_line(error), NETWORK)


def _failed(log: NcclLog, program: str, message: str, status: int) -> None:
    if status == NETWORK:
        log.warn(message)
        host, pid = socket.gethostname(), os.getpid()
        say(
            f"{host}: Test NCCL failure {program} 'remote process exited or there was a network error / {message}'"
        )
        say(f" .. {host} pid {pid}: Test failure {program}")
    else:
        sys.stderr.write(f"{program}: {message}\n")
    leave(status)
