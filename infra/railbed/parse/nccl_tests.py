"""Reads what nccl-tests print (NVIDIA/nccl-tests): tables, rank lines, averages, several per log.

Never raises on any text; what it could not read is kept in ``unread``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from railbed.parse.lines import streams
from railbed.parse.numbers import finite, integer, number

PROGRAM = re.compile(
    r"\b(all_reduce|all_gather|reduce_scatter|alltoallv?|broadcast|reduce|sendrecv|gather|scatter|hypercube)_perf(?:_mpi)?\b"
)
RANK = re.compile(
    r"^#?\s*Rank\s+(\d+)\s+(?:Group\s+(\d+)\s+)?Pid\s+(\d+)\s+on\s+(\S+)\s+device\s+(\d+)", re.IGNORECASE
)
HEADER = re.compile(r"^#\s*size\s+count\s+type\b")
AVERAGE = re.compile(r"^#\s*Avg bus bandwidth\s*:\s*(\S+)", re.IGNORECASE)
OUT_OF_BOUNDS = re.compile(r"^#\s*Out of bounds values\s*:\s*(\d+)", re.IGNORECASE)
REDUCED = re.compile(r"Reducing maxBytes to (\d{1,18})")
SETTING = re.compile(r"(\w[\w ]*?):?\s+(-?\d+)(?=\(|\s|$)")
SIMULATED = re.compile(r"^#\s*simulated\s*:\s*(.*)$", re.IGNORECASE)
COUNTERS = re.compile(r"^#\s*counters\s*:\s*(\{.*\})\s*$")
UNREAD_KEPT = 200
"""Lines of ``unread`` that are kept; a longer rest is counted in a last line."""


@dataclass
class Measurement:
    """One half of a row: out of place or in place. Absent where the program printed N/A or nothing."""

    time_us: float | None = None
    algbw_gbytes_per_s: float | None = None
    busbw_gbytes_per_s: float | None = None
    wrong: int | None = None
    """Wrong elements; None where they were not counted."""
    error: float | None = None
    """Largest deviation, of versions that print that instead."""
    broken: bool = False
    """True where a number was NaN, infinite or negative."""
    printed: dict[str, str] = field(default_factory=dict)
    """``time``, ``algbw`` and ``busbw`` as printed: their rounding tells the range of ranks."""

    @property
    def present(self) -> bool:
        return self.time_us is not None or self.broken


@dataclass
class Row:
    """One message size."""

    size_bytes: int
    count: int | None
    type: str
    redop: str
    root: int | None
    out_of_place: Measurement
    in_place: Measurement

    def measurements(self) -> list[Measurement]:
        """The halves that were measured."""
        return [m for m in (self.out_of_place, self.in_place) if m.present]


@dataclass
class Table:
    """One run of one collective."""

    collective: str | None = None
    rows: list[Row] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)
    """The group of each rank that the log names."""
    nodes: list[str] = field(default_factory=list)
    """Hosts of those ranks, each once, in the order named."""
    settings: dict[str, int] = field(default_factory=dict)
    """From the line of settings: ``iters``, ``warmup iters``, ``validation``, …"""
    average_busbw_gbytes_per_s: float | None = None
    out_of_bounds: int | None = None
    complete: bool = False
    """True where the closing lines are there: the program came to its end."""
    simulated: str = ""
    counters: list[dict[str, Any]] = field(default_factory=list)
    """One document per rank and size: bytes that each interface counted (railbed's own collectives program)."""

    @property
    def lacks_rows(self) -> bool:
        """True where the settings promise larger sizes than the table holds: the program stopped early."""
        last, step = self.settings.get("maxBytes"), self.settings.get("step")
        if self.complete or last is None or step is None or step < 1:
            return False
        largest = max((r.size_bytes for r in self.rows), default=0)
        following = largest * step if self.settings.get("step is factor") else largest + step
        return not self.rows or following <= last

    @property
    def labelled_ranks(self) -> int | None:
        """Ranks of one collective by the log's own rank lines; under a split mask, of one group."""
        if not self.groups:
            return None
        return max(self.groups.count(g) for g in set(self.groups))


@dataclass
class Log:
    """Everything in one log."""

    tables: list[Table] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def _measurement(tokens: list[str], last: str) -> Measurement | None:
    """From the four printed fields; None where they are no numbers at all."""
    if all(t.upper() == "N/A" for t in tokens[:3]):
        return Measurement()
    values = [number(t) for t in tokens[:3]]
    if any(v is None for v in values):
        return None
    m = Measurement(printed={"time": tokens[0], "algbw": tokens[1], "busbw": tokens[2]})
    m.broken = not all(finite(v) and v >= 0 for v in values if v is not None)
    if not m.broken:
        m.time_us, m.algbw_gbytes_per_s, m.busbw_gbytes_per_s = values
    tail = tokens[3] if len(tokens) > 3 else "N/A"
    if tail.upper() == "N/A":
        return m
    if last == "error":
        m.error = number(tail)
        return m if m.error is not None else None
    m.wrong = integer(tail)
    if m.wrong is None:
        as_number = number(tail)
        if as_number is None:
            return None
        m.broken = m.broken or not finite(as_number)
        m.wrong = int(as_number) if finite(as_number) else None
    return m


class _Reader:
    """One process's lines, one after the other."""

    def __init__(self) -> None:
        self.tables: list[Table] = []
        self.unread: list[str] = []
        self.next = Table()
        self.current: Table | None = None
        self.halves: list[str] = []
        """The last column's name of each half that the header announces."""
        self.heads: list[int] = []
        """How many fields may stand before the first time."""

    def line(self, line: str) -> None:
        if HEADER.match(line):
            self.current, self.next = self.next, Table(collective=self.next.collective)
            self.tables.append(self.current)
            self.columns(line)
            return
        if self.comment(line):
            return
        row = self.row(line) if self.current is not None else None
        if row is not None and self.current is not None:
            self.current.rows.append(row)
        elif line.strip(" #\t") and not _furniture(line):
            self.unread.append(line)

    def columns(self, header: str) -> None:
        """Takes in the names of a table's columns: versions differ in root, redop, #wrong and in-place."""
        names = header.lstrip("# ").split()
        self.halves = [n.lstrip("#") for n in names if n.lstrip("#") in ("wrong", "error")]
        first = names.index("time") if "time" in names else len(names)
        # Versions without a root column leave redop blank where there is none.
        self.heads = [first] if "root" in names and "redop" in names else [first, first - 1]

    def comment(self, line: str) -> bool:
        """Takes in a line that says something about a table; True where it did."""
        program = PROGRAM.search(line)
        if program:
            if "concluded" in line and self.current is not None:
                self.current.collective = program.group(1)
            else:
                self.next.collective = program.group(1)
            return True
        rank = RANK.match(line)
        if rank:
            self.next.groups.append(int(rank.group(2) or 0))
            if rank.group(4) not in self.next.nodes:
                self.next.nodes.append(rank.group(4))
            return True
        if line.startswith("#") and "nThread" in line:
            self.next.settings = {k: int(v) for k, v in SETTING.findall(line.lstrip("# ")) if len(v) < 19}
            self.next.settings["step is factor"] = int("(factor)" in line)
            return True
        reduced = REDUCED.search(line)
        if reduced:
            self.next.settings["maxBytes"] = int(reduced.group(1))
            return True
        counters = COUNTERS.match(line)
        if counters and self.current is not None:
            return self.counted(counters.group(1))
        simulated = SIMULATED.match(line)
        if simulated:
            self.next.simulated = simulated.group(1)
            return True
        return self.closing(line)

    def closing(self, line: str) -> bool:
        average, bounds = AVERAGE.match(line), OUT_OF_BOUNDS.match(line)
        if self.current is None or not (average or bounds):
            return False
        if average:
            value = number(average.group(1))
            self.current.average_busbw_gbytes_per_s = value if value is not None and finite(value) else None
            self.current.complete = True
        if bounds:
            self.current.out_of_bounds = int(bounds.group(1)[:18])
        return True

    def counted(self, text: str) -> bool:
        """Takes in a document of byte counters; False where it is none."""
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return False
        if self.current is not None and isinstance(document, dict):
            self.current.counters.append(document)
        return isinstance(document, dict)

    def row(self, line: str) -> Row | None:
        tokens = line.split()
        size = integer(tokens[0]) if tokens else None
        if size is None or size < 0 or not self.halves:
            return None
        width = 4 * len(self.halves)
        head, tail = tokens[:-width], tokens[-width:]
        if len(head) not in self.heads or len(tail) != width or len(head) < 3:
            return None
        count = integer(head[1])
        if count is None:
            return None
        halves = [_measurement(tail[4 * i : 4 * i + 4], name) for i, name in enumerate(self.halves)]
        if any(h is None for h in halves):
            return None
        read = [h for h in halves if h is not None]
        return Row(
            size_bytes=size,
            count=count,
            type=head[2],
            redop=head[3] if len(head) > 3 else "",
            root=integer(head[4]) if len(head) > 4 else None,
            out_of_place=read[0],
            in_place=read[1] if len(read) > 1 else Measurement(),
        )


def _furniture(line: str) -> bool:
    """Lines that every log has and that say nothing more."""
    bare = line.lstrip("# \t").lower()
    return bare.startswith(
        ("using devices", "out-of-place", "(b)", "nccl-tests version", "nccl version", "time ")
    )


def read(text: str) -> Log:
    """All tables of a log, process by process."""
    log = Log()
    for _, lines in streams(text):
        reader = _Reader()
        for line in lines:
            reader.line(line)
        log.tables += reader.tables
        log.unread += reader.unread
    if len(log.unread) > UNREAD_KEPT:
        more = len(log.unread) - UNREAD_KEPT
        log.unread = [*log.unread[:UNREAD_KEPT], f"… and {more} more lines"]
    return log


def _plain(m: Measurement) -> dict[str, Any] | None:
    if not m.present:
        return None
    return {
        "time_us": m.time_us,
        "algbw_gbytes_per_s": m.algbw_gbytes_per_s,
        "busbw_gbytes_per_s": m.busbw_gbytes_per_s,
        "wrong": m.wrong,
    }


def plain_rows(table: Table) -> list[dict[str, Any]]:
    """Rows as JSON data; what was NaN or not measured is null."""
    return [
        {
            "size_bytes": r.size_bytes,
            "count": r.count,
            "type": r.type,
            "redop": r.redop,
            "root": r.root,
            "out_of_place": _plain(r.out_of_place),
            "in_place": _plain(r.in_place),
        }
        for r in table.rows
    ]


def plain(text: str) -> dict[str, Any]:
    """The log as JSON data."""
    log = read(text)
    return {
        "tables": [
            {
                "collective": t.collective,
                "labelled_ranks": t.labelled_ranks,
                "nodes": t.nodes,
                "settings": t.settings,
                "rows": plain_rows(t),
                "average_busbw_gbytes_per_s": t.average_busbw_gbytes_per_s,
                "out_of_bounds": t.out_of_bounds,
                "complete": t.complete,
                "simulated": t.simulated,
                "counters": t.counters,
            }
            for t in log.tables
        ],
        "unread": log.unread,
    }
