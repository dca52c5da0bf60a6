"""The command line of nccl-tests (src/common.cu, main)."""

from __future__ import annotations

import argparse
import re
from typing import NoReturn

from .rail_groups import Failure

UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
IGNORED = (
    ("-p", "--parallel_init"), ("-z", "--blocking"), ("-y", "--stream_null"), ("-T", "--timeout"), ("-G", "--cudagraph"),
    ("-C", "--report_cputime"), ("-R", "--local_register"), ("-r", "--root"),
)  # fmt: skip
"""Of GPUs, streams and threads, which there are none of: taken, and without effect."""
INVALID = 255
"""What nccl-tests end with for sizes that cannot be."""


class Unknown(Exception):
    """An option that nccl-tests do not have: they print their usage, and end with 0."""


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Unknown(message)


def size_bytes(text: str) -> int:
    """``64M`` → 67108864."""
    match = re.match(r"^([0-9]{1,15})([KMGT]?)$", text.strip().upper())
    if not match or int(match.group(1)) < 1:
        raise Failure(f"invalid size specified: {text}", INVALID)
    return int(match.group(1)) * UNITS[match.group(2)]


def parser(program: str) -> Parser:
    found = Parser(prog=program, add_help=False, allow_abbrev=False)
    found.add_argument("-b", "--minbytes", type=size_bytes, default=32 << 20)
    found.add_argument("-e", "--maxbytes", type=size_bytes, default=32 << 20)
    found.add_argument("-f", "--stepfactor", type=int, default=1)
    found.add_argument("-i", "--stepbytes", type=size_bytes, default=1 << 20)
    found.add_argument("-n", "--iters", type=int, default=20)
    found.add_argument("-w", "--warmup_iters", type=int, default=1)
    found.add_argument("-c", "--check", type=int, default=1)
    found.add_argument("-a", "--average", type=int, choices=(0, 1, 2, 3), default=1)
    found.add_argument("-d", "--datatype", choices=("float",), default="float")
    found.add_argument("-o", "--op", choices=("sum",), default="sum")
    found.add_argument("-m", "--agg_iters", type=int, choices=(1,), default=1)
    found.add_argument("-t", "--nthreads", type=int, choices=(1,), default=1)
    found.add_argument("-g", "--ngpus", type=int, choices=range(1, 9), default=1)
    found.add_argument("-h", "--help", action="store_true")
    for names in IGNORED:
        found.add_argument(*names, type=int, default=0)
    return found


def arguments(argv: list[str], program: str) -> argparse.Namespace:
    """The options. Raises Unknown where nccl-tests print their usage, Failure for sizes that cannot be."""
    args = parser(program).parse_args(argv)
    if args.help:
        raise Unknown("")
    if args.minbytes > args.maxbytes:
        reason = f"invalid sizes for 'minbytes' and 'maxbytes': {args.minbytes} > {args.maxbytes}"
        raise Failure(reason, INVALID)
    if args.iters < 1 or args.warmup_iters < 0 or args.check < 0:
        raise Failure("needs -n >= 1, -w >= 0 and -c >= 0", INVALID)
    return args


def sizes(args: argparse.Namespace) -> list[int]:
    """Message sizes from -b to -e."""
    found, size = [], args.minbytes
    while size <= args.maxbytes:
        found.append(size)
        size = size * args.stepfactor if args.stepfactor > 1 else size + args.stepbytes
    return found
