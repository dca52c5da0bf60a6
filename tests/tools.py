"""Installs programs that a tier's tests run and this machine lacks, from the machine's own sources.

usage: tests/tools.py PROGRAM=PACKAGE…     where nobody is root, or a package cannot be had, the tests say what they lack
"""

from __future__ import annotations

import os
import shutil
import sys

from railbed.errors import RailbedError
from railbed.platforms.lab.machine import install

SBIN = "/usr/sbin:/sbin"


def main() -> int:
    """Exit status 0: a program that is still missing is its tests' to tell."""
    wanted = dict(one.split("=", 1) for one in sys.argv[1:])
    packages = [
        package
        for name, package in wanted.items()
        if not (shutil.which(name) or shutil.which(name, path=SBIN))
    ]
    if not packages:
        return 0
    if os.geteuid() != 0:
        sys.stderr.write(f"not installed, as nobody is root here: {', '.join(packages)}\n")
        return 0
    sys.stderr.write(f"installing {', '.join(packages)}\n")
    try:
        install(packages)
    except RailbedError as failed:
        sys.stderr.write(failed.as_text() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
