"""Takes launchers' decoration off a log: which process said a line, colours, carriage returns."""

from __future__ import annotations

import re

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
SRUN = re.compile(r"^\s*(\d{1,7}): ?(?!\d\d)")
"""`srun -l`; not a clock (``12:34:56``)."""
MPIRUN = re.compile(r"^\s*\[(\d+,\d+)\]<(?:stdout|stderr|stddiag)>: ?")
"""`mpirun --tag-output`."""


def streams(text: str) -> list[tuple[str, list[str]]]:
    """The lines of each process, in the order in which they first spoke; the tag is empty without one."""
    found: dict[str, list[str]] = {}
    for raw in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        line = ANSI.sub("", raw).rstrip()
        tag = ""
        for pattern in (MPIRUN, SRUN):
            match = pattern.match(line)
            if match:
                tag, line = match.group(1), line[match.end() :]
                break
        found.setdefault(tag, []).append(line)
    return list(found.items())
