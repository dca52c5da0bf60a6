"""The command line: the arguments of nccl-tests that have a meaning here, and railbed's own."""

from __future__ import annotations

import argparse
import re
from typing import List

from bench import FACTORS

UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def size_bytes(text: str) -> int:
    """``64M`` → 67108864."""
    match = re.match(r"^([0-9]{1,15})([KMGT]?)$", text.strip().upper())
    if not match or int(match.group(1)) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no size (8, 64M, 1G)")
    return int(match.group(1)) * UNITS[match.group(2)]


def operations(text: str) -> List[str]:
    """``all_reduce,alltoall`` → both, checked."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in FACTORS]
    if unknown or not names:
        raise argparse.ArgumentTypeError(
            f"no collective {', '.join(unknown) or text!r}; there are {', '.join(FACTORS)}"
        )
    return names


def arguments(argv: List[str], program: str, description: str) -> argparse.Namespace:
    """Those of nccl-tests that have a meaning here, and railbed's own."""
    parser = argparse.ArgumentParser(prog=program, description=description)
    own = re.sub(r"_perf$", "", program)
    parser.add_argument(
        "--op", type=operations, default=[own] if own in FACTORS else None, help="collectives, by commas"
    )
    parser.add_argument("-b", "--minbytes", type=size_bytes, default="64M")
    parser.add_argument("-e", "--maxbytes", type=size_bytes, default=None, help="default: as -b")
    parser.add_argument("-f", "--stepfactor", type=int, default=2)
    parser.add_argument("-i", "--stepbytes", type=size_bytes, default=None, help="fixed step instead of -f")
    parser.add_argument("-n", "--iters", type=int, default=3)
    parser.add_argument("-w", "--warmup_iters", type=int, default=1)
    parser.add_argument("-c", "--check", type=int, choices=(0, 1), default=1)
    parser.add_argument(
        "-a", "--average", type=int, choices=(0, 1, 2, 3), default=3, help="0 rank 0, 1 mean, 2 min, 3 max"
    )
    parser.add_argument("-d", "--datatype", choices=("float",), default="float")
    parser.add_argument("-o", "--redop", choices=("sum",), default="sum")
    parser.add_argument("-t", "--nthreads", type=int, choices=(1,), default=1)
    parser.add_argument("-g", "--ngpus", type=int, choices=(1,), default=1)
    parser.add_argument(
        "--rails", default="", help="interfaces by commas; default: NCCL_SOCKET_IFNAME of /etc/nccl.conf"
    )
    parser.add_argument(
        "--master", default="", help="address of rank 0; default: RAILBED_MASTER, else the first node"
    )
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument(
        "--timeout", type=float, default=20.0, help="seconds after which a silent rail is dead"
    )
    parser.add_argument("--counters", action="store_true", help="print bytes counted by every interface")
    args = parser.parse_args(argv)
    args.maxbytes = args.maxbytes or args.minbytes
    if not args.op:
        parser.error("say which collective: --op all_reduce")
    if args.iters < 1 or args.warmup_iters < 0 or args.stepfactor < 2 or args.maxbytes < args.minbytes:
        parser.error("needs -n >= 1, -w >= 0, -f >= 2 and -e >= -b")
    return args


def sizes(args: argparse.Namespace) -> List[int]:
    """Message sizes from -b to -e."""
    found, size = [], args.minbytes
    while size <= args.maxbytes:
        found.append(size)
        size = size + args.stepbytes if args.stepbytes else size * args.stepfactor
    return found
