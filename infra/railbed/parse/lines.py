"""Takes launchers' decoration off a log: which process said a line, when, in which colour, carriage returns."""

from __future__ import annotations

import re
from collections.abc import Iterable

ANSI = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-Za-z])")
WHO = (
    re.compile(r"^\s*\[(?:[\w.@-]+@)?(\d+,\d+)\]<(?:stdout|stderr|stddiag)>: ?"),
    re.compile(r"^\s*(\d{1,7}):(?: |$)"),
    re.compile(r"^\s*\(([\w.-]+, rank=\d+, pid=\d+(?:, ip=[\w.:]+)?)\) ?"),
    re.compile(r"^\s*\[(\d{1,7})\] "),
    re.compile(r"^\s*\[(pod/[\w./-]+)\] "),
)
"""`mpirun --tag-output` (Open MPI 4 and 5), `srun -l` (no clock, no PCI address), Ray, `mpirun -l` of Hydra,
`kubectl logs --prefix`."""
WHEN = (
    re.compile(
        r"^\s*\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?\]?:?"
        r"(?: (?:stdout|stderr) [FP])?(?: |$)"
    ),
    re.compile(r"^\s*\[?\d\d:\d\d:\d\d(?:[.,]\d{1,9})?\]? "),
    re.compile(r"^\s*[A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d [\w.-]+ [\w./-]+(?:\[\d+\])?: ?"),
    re.compile(r"^\s*[A-Z][a-z]{2} [A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d \d{4}(?=[\[<: ])(?:<std(?:out|err)>)?:? ?"),
)  # fmt: skip
"""ISO 8601 (and the CRI's own stream mark), a clock, syslog, `mpirun --timestamp-output`."""
SIGNS = frozenset(":<(")
"""A line without any of these, and without a bracket in front, carries no decoration."""
DEEPEST = 4
"""Decorations that may stand in front of each other."""
UNREAD_KEPT = 200
"""Lines of ``unread`` that are kept; a longer rest is counted in a last line."""
LINE_KEPT = 500
"""Characters of an unread line that are kept."""


def bare(line: str) -> tuple[str, str]:
    """(who said it, the line itself); ``who`` is empty without a tag."""
    if "\x1b" in line:
        line = ANSI.sub("", line)
    line = line.rstrip()
    if SIGNS.isdisjoint(line) and not line.lstrip().startswith("["):
        return "", line
    who: list[str] = []
    for _ in range(DEEPEST):
        for pattern in WHO:
            match = pattern.match(line)
            if match:
                who.append(match.group(1))
                break
        else:
            match = next((m for m in (p.match(line) for p in WHEN) if m), None)
        if not match:
            break
        line = line[match.end() :]
    return " ".join(who), line


def split(text: str) -> list[str]:
    """Lines of a text, whatever ends them; a progress bar's carriage return ends one too."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def streams(text: str) -> list[tuple[str, list[str]]]:
    """The lines of each process, in the order in which they first spoke; the tag is empty without one."""
    found: dict[str, list[str]] = {}
    for raw in split(text):
        tag, line = bare(raw)
        found.setdefault(tag, []).append(line)
    return list(found.items())


def bare_lines(text: str) -> list[str]:
    """All lines without decoration, in the order of the file, blank ones left out."""
    return [line for line in (bare(raw)[1] for raw in split(text)) if line.strip()]


def bounded(lines: Iterable[str]) -> list[str]:
    """The first ``UNREAD_KEPT`` of ``lines``, each cut to ``LINE_KEPT``; a last line counts the rest."""
    kept: list[str] = []
    more = 0
    for line in lines:
        if len(kept) < UNREAD_KEPT:
            kept.append(line if len(line) <= LINE_KEPT else line[:LINE_KEPT] + "…")
        else:
            more += 1
    return [*kept, f"… and {more} more lines"] if more else kept
