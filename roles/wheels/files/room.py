#!/usr/bin/python3
"""Says whether a folder that is to be carried here has room. Standard library only.

usage: room.py TO BYTES

What lies in TO already, of a run that was cut off, is not counted again. Exit status 1, with the figures: there is too little.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

MARGIN_BYTES = 2**30
"""Stays free: a file lies beside its place until it is whole, and the machine goes on writing its logs."""


def main(argv: list[str]) -> int:
    """Entry point of the program."""
    to, wanted = Path(argv[0]), int(argv[1])
    there = sum(one.stat().st_size for one in to.rglob("*") if one.is_file())
    disk = next(folder for folder in [to, *to.parents] if folder.is_dir())
    needed, free = max(0, wanted - there) + MARGIN_BYTES, shutil.disk_usage(disk).free
    if free >= needed:
        return 0
    print(
        f"{to}: {needed / 2**30:.1f} GiB are needed (the set has {wanted / 2**30:.1f}, {there / 2**30:.1f} of it lie there, "
        f"{MARGIN_BYTES / 2**30:.1f} stay free), and {free / 2**30:.1f} GiB are free below {disk}: "
        "make room there and run it again; nothing was carried",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
