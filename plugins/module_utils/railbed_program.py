"""Runs a program that builds something, at the lowest priority: jobs may run on the node. For modules."""

from __future__ import annotations

import subprocess
from pathlib import Path

LAST_LINES = 15
NICE = ["nice", "-n", "19"]
NOT_FOUND = 127
"""What nice ends with where there is no such program."""


class Refused(Exception):
    """What stands in the way; nothing was put in place."""


class Failed(Refused):
    """A program that ran and failed: as it is, it would another time."""


def run(argv: list[str], timeout_s: int, folder: Path | None = None, called: str = "") -> str:
    """The output of a program. Raises Failed with its last words, Refused where there is none.

    ``called``: how it is named in the error, where that is not its name alone.
    """
    try:
        done = subprocess.run(
            [*NICE, *argv], capture_output=True, text=True, timeout=timeout_s, check=False, cwd=folder, errors="replace"
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Failed(f"{argv[0]} did not end in {timeout_s} s") from None
    except OSError as failed:
        raise Refused(f"{argv[0]}: {failed}") from None
    if done.returncode:
        output = "\n".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-LAST_LINES:])
        kind = Refused if done.returncode == NOT_FOUND else Failed
        raise kind(f"{called or argv[0]} ended with {done.returncode}: {output}")
    return done.stdout
