"""Runs one engine operation of a stack as a process of its own, so that a test can kill it: `make` or `destroy`."""

from __future__ import annotations

import sys
from pathlib import Path

from railbed import flow
from railbed.effects.workspace import Workspace


def main() -> None:
    """usage: engine_driver.py make|destroy ROOT STACK"""
    verb, root, stack = sys.argv[1:]
    work = Workspace(Path(root), stack)
    if verb == "make":
        changes, contract = flow.make(work, print)
        print(changes.total, len(contract.nodes))
    else:
        print(flow.destroy(work, print))


main()
