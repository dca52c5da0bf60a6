"""Builds what the tier kube runs, where the cache does not have it.

usage: tests/kube/setup.py      ends with 75 (EX_TEMPFAIL) where it cannot be had: the tier does not run then
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.kube import building

from railbed.errors import RailbedError


def main() -> int:
    """Exit status 0 when all is there."""
    try:
        for ensure in (building.ensure, building.ensure_kueue):
            ensure(lambda text: sys.stderr.write(text + "\n"))
    except RailbedError as failed:
        sys.stderr.write(failed.as_text() + "\n")
        return os.EX_TEMPFAIL
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
