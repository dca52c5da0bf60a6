#!/usr/bin/python3
"""Gives an InfiniBand device the name of its place among the machine's InfiniBand cards, by PCI address. Standard library only.

usage: rdma_name.py DEVICE NAME…

udev calls it for each RDMA device that appears. The first NAME is that of the card with the lowest PCI address. Cards are
counted by their PCI class, so the answer is the same whichever of them the driver brings up first. Exit status 1: there are not
as many cards as names, and nothing is renamed. A device that is no InfiniBand card keeps its name.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SYS = Path("/sys")
INFINIBAND = "0x0207"
"""Class and subclass of an InfiniBand controller (PCI Code and ID Assignment Specification)."""
PROGRAM_TIMEOUT_S = 30


def cards(root: Path) -> list[str]:
    """PCI addresses of the InfiniBand cards, in their order."""
    found = [
        path.parent.name
        for path in (root / "bus/pci/devices").glob("*/class")
        if path.read_text().startswith(INFINIBAND)
    ]
    return sorted(found, key=lambda address: [int(part, 16) for part in address.replace(".", ":").split(":")])


def main(device: str, names: list[str], root: Path = SYS) -> int:
    address = (root / "class/infiniband" / device / "device").resolve().name
    there = cards(root)
    if address not in there:
        return 0
    if len(there) != len(names):
        print(f"{len(there)} InfiniBand cards, {len(names)} names: {device} keeps its own", file=sys.stderr)
        return 1
    wanted = names[there.index(address)]
    if wanted == device:
        return 0
    argv = ["rdma", "dev", "set", device, "name", wanted]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=PROGRAM_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as failed:
        print(f"rdma: {failed}", file=sys.stderr)
        return 1
    if done.returncode:
        print(f"{' '.join(argv)}: {(done.stderr or done.stdout).strip()}", file=sys.stderr)
    return 1 if done.returncode else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
