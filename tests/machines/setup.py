"""Installs QEMU where this machine lacks it.

usage: tests/machines/setup.py      ends with 75 (EX_TEMPFAIL) where it cannot be had: the tier does not run then
"""

from __future__ import annotations

import os
import sys

from railbed.errors import RailbedError
from railbed.platforms.lab.doctor import TUN, missing_tools
from railbed.platforms.lab.machine import install

NOT_HERE = os.EX_TEMPFAIL


def main() -> int:
    """Exit status 0 when all is there."""
    packages = missing_tools(machines=True)
    try:
        if packages:
            sys.stderr.write(f"installing {', '.join(packages)}\n")
            install(packages)
    except RailbedError as failed:
        sys.stderr.write(failed.as_text() + "\n")
    lacks = [*missing_tools(machines=True), *([] if TUN.exists() else [str(TUN)])]
    if lacks:
        sys.stderr.write(f"missing: {', '.join(lacks)}\n")
    return NOT_HERE if lacks else os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
