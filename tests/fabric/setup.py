"""Installs what the fabric tier runs and this machine lacks: ibsim, OpenSM and infiniband-diags of Debian.

usage: tests/fabric/setup.py      needs root only where something is missing; no service starts, now or at boot
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from railbed.errors import RailbedError
from railbed.platforms.lab.machine import install
from railbed.run import run

PROGRAMS = {"ibsim": "ibsim-utils", "opensm": "opensm", "ibnetdiscover": "infiniband-diags"}
LIBRARY = "umad2sim/libumad2sim.so"
"""Stands between the programs and the simulator; below the system's library folder."""
SBIN = "/usr/sbin:/sbin"


def program(name: str) -> str | None:
    """Where a program is; Debian keeps some of these out of an ordinary user's PATH."""
    return shutil.which(name) or shutil.which(name, path=SBIN)


def library() -> Path | None:
    """Where the library is."""
    return next(Path("/usr/lib").glob(f"*/{LIBRARY}"), None)


def missing() -> list[str]:
    """Debian packages that are not there."""
    return [package for name, package in PROGRAMS.items() if not program(name)] + (
        [] if library() else ["libumad2sim0"]
    )


def main() -> int:
    """Exit status 0 when all is there, 1 when it could not be installed."""
    packages = missing()
    if not packages:
        return 0
    sys.stderr.write(f"installing {', '.join(packages)}\n")
    try:
        install(packages)
        if "opensm" in packages and shutil.which("systemctl"):
            run(["systemctl", "disable", "opensm.service"])
    except RailbedError as failed:
        sys.stderr.write(failed.as_text() + "\n")
        return 1
    if still := missing():
        sys.stderr.write(f"still missing: {', '.join(still)}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
