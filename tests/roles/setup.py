"""Brings what the roles tier runs and this machine lacks: nftables, whose rules one test loads in a network of its own, and the
programs that check and send alerts and ask for addresses, unpacked from their packages beside the caches, so that no service is
installed.

usage: tests/roles/setup.py      does nothing where nobody is root; no service starts, now or at boot
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from railbed.effects.workspace import cache_dir
from railbed.errors import RailbedError
from railbed.platforms.lab.machine import install
from railbed.run import run

NFT = Path("/usr/sbin/nft")
PACKAGES = {
    "promtool": "prometheus", "amtool": "prometheus-alertmanager", "prometheus-alertmanager": "prometheus-alertmanager",
    "arping": "iputils-arping",
}  # fmt: skip
"""Program → its package."""
FOLDER = cache_dir() / "alerting-tools"


def program(name: str) -> str | None:
    """Path of a program: this machine's, or an unpacked one; None where it is not there."""
    return shutil.which(name) or shutil.which(name, path=str(FOLDER / "usr/bin"))


def unpack(package: str) -> None:
    """The files of a package of this machine's own sources, whose signature apt checks. Raises CommandError."""
    with TemporaryDirectory() as folder:
        run(["apt-get", "-q", "download", package], cwd=Path(folder))
        (file,) = Path(folder).glob("*.deb")
        FOLDER.mkdir(parents=True, exist_ok=True)
        run(["dpkg-deb", "-x", file, FOLDER])


def main() -> int:
    """Exit status 0 when all is there or nobody is root, 1 when it could not be installed."""
    if os.geteuid() != 0:
        return 0
    try:
        if not NFT.exists():
            sys.stderr.write("installing nftables\n")
            install(["nftables"])
        missing = sorted({package for name, package in PACKAGES.items() if program(name) is None})
        if missing:
            run(["apt-get", "-q", "update"])
        for package in missing:
            sys.stderr.write(f"unpacking {package}\n")
            unpack(package)
    except RailbedError as failed:
        sys.stderr.write(failed.as_text() + "\n")
        return 1
    return 0 if NFT.exists() else 1


if __name__ == "__main__":
    sys.exit(main())
