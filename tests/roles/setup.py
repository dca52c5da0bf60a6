"""Installs what the roles tier runs and this machine lacks: nftables, whose rules one test loads in a network of its own.

usage: tests/roles/setup.py      does nothing where nobody is root; no service starts, now or at boot
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from railbed.errors import RailbedError
from railbed.platforms.lab.machine import install

NFT = Path("/usr/sbin/nft")


def main() -> int:
    """Exit status 0 when all is there or nobody is root, 1 when it could not be installed."""
    if NFT.exists() or os.geteuid() != 0:
        return 0
    sys.stderr.write("installing nftables\n")
    try:
        install(["nftables"])
    except RailbedError as failed:
        sys.stderr.write(failed.as_text() + "\n")
        return 1
    return 0 if NFT.exists() else 1


if __name__ == "__main__":
    sys.exit(main())
