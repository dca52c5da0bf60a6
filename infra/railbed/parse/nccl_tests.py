"""Reads what nccl-tests print (NVIDIA/nccl-tests), of every version: tables, rank lines, averages, JSON, CSV.

The table's own header says which columns there are: root, redop, #wrong or error (res, in milliseconds, before 2.0),
one or two halves, timings per iteration, a timestamp. Never raises on any text; what it could not read is kept in
``unread``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from railbed.parse import nccl_json
from railbed.parse.lines import UNREAD_KEPT, bounded, streams
from railbed.parse.nccl_table import Log, Measurement, Row, Table, measurement, plain_rows
from railbed.parse.numbers import finite, integer, number

__all__ = ["UNREAD_KEPT", "Log", "Measurement", "Row", "Table", "plain", "plain_rows", "read"]

PROGRAM = nccl_json.PROGRAM
RANK = re.compile(
    r"^#?\s*Rank\s+(\d+)\s+(?:Group\s+(\d+)\s+)?(?:Pid\s+\d+\s+)?(?:on\s+(\S+)|uses)\s+device\s+(\d+)",
    re.IGNORECASE,
)
HEADER = re.compile(r"^#?\s*(?:size|bytes)[\s,]+(?:count|N)[\s,]+type\b")
AVERAGE = re.compile(r"^#?\s*Avg bus bandwidth\s*:\s*(\S+)", re.IGNORECASE)
OUT_OF_BOUNDS = re.compile(r"^#?\s*Out of bounds values\s*:\s*(\d+)", re.IGNORECASE)
REDUCED = re.compile(r"Reducing maxBytes to (\d{1,18})")
SETTING_WORD = re.compile(r"^\w+:?$")
SETTING_VALUE = re.compile(r"^(-?\d{1,18})(?:\(|$)")
SIMULATED = re.compile(r"^#\s*simulated\s*:\s*(.*)$", re.IGNORECASE)
COUNTERS = re.compile(r"^#\s*counters\s*:\s*(\{.*\})\s*$")
DATE = re.compile(r"^\d{4}-\d\d-\d\d$")
BLANK_HALF = re.compile(r"\S {24,}\S")
"""32 blanks stand for an out-of-place half that was not run; columns lie at most 17 apart."""
STARTS = ("time", "cputime")
HALF = frozenset((*STARTS, "algbw", "busbw", "wrong", "error", "res", "i_min", "i_max", "i_p99", "i_cv%"))
"""Columns of one half, without their ``#``."""
FURNITURE = (
    "using devices", "out-of-place", "(b)", "nccl-tests version", "nccl version", "time ", ",,,,,out-of-place",
    "writing json output", "writing results to file", "gpu memory usage", "blocking enabled", "per-iteration report",
    "parallel init", "nccl tests compiled with",
)  # fmt: skip
"""Lines that logs have and that say nothing more about a result."""


@dataclass
class Columns:
    """What a header announces."""

    halves: list[list[str]] = field(default_factory=list)
    heads: list[int] = field(default_factory=list)
    """How many fields may stand before the first time."""
    names: list[str] = field(default_factory=list)
    """Names of those after size, count and type: ``redop``, ``root``."""
    separated: bool = False
    """True for CSV."""
    stamped: bool = False
    """True where date and time end a row."""
    time_unit_us: int = 1


def columns(header: str) -> Columns:
    """The columns of a table, from the line that names them."""
    found = Columns(separated="," in header)
    names = [
        n.strip().lstrip("#") for n in (header.split(",") if found.separated else header.lstrip("# ").split())
    ]
    names = [n for n in names if n]
    starts = [i for i, name in enumerate(names) if name in STARTS]
    for start in starts:
        half = [names[start]]
        for name in names[start + 1 :]:
            if name in STARTS or name not in HALF:
                break
            half.append("error" if name == "res" else name)
        found.halves.append(half)
    first = starts[0] if starts else len(names)
    found.names = ["redop" if name == "op" else name for name in names[3:first]]
    # Where there is no redop, versions before 2.13 leave its column blank, or out.
    found.heads = [first] if found.separated else [first, first - 1]
    found.stamped = "timestamp" in names
    found.time_unit_us = 1000 if names[:1] == ["bytes"] else 1
    return found


class _Reader:
    """One process's lines, one after the other."""

    def __init__(self) -> None:
        self.tables: list[Table] = []
        self.unread: list[str] = []
        self.next = Table()
        self.current: Table | None = None
        self.columns = Columns()
        self.named: set[str] = set()
        """Collectives whose program a line names."""

    def line(self, line: str) -> None:
        if self.current is not None and line[:1] in " 0123456789":
            row = self.row(line)
            if row is not None:
                self.current.rows.append(row)
                return
        if HEADER.match(line):
            self.current, self.next = self.next, Table(collective=self.next.collective)
            self.tables.append(self.current)
            self.columns = columns(line)
        elif not self.comment(line) and line.strip(" #\t") and not _furniture(line):
            self.unread.append(line)

    def comment(self, line: str) -> bool:
        """Takes in a line that says something about a table; True where it did."""
        program = PROGRAM.search(line)
        if program:
            self.named.add(program.group(1))
            if "concluded" in line and self.current is not None:
                self.current.collective = program.group(1)
            else:
                self.next.collective = program.group(1)
            return True
        rank = RANK.match(line)
        if rank:
            self.next.groups.append(int((rank.group(2) or "0")[:9]))
            self.next.highest_rank = max(self.next.highest_rank, int(rank.group(1)[:9]))
            if rank.group(3):
                self.next.hosts[rank.group(3)] = None
            return True
        if "nThread" in line and "minBytes" in line:
            self.next.settings = _settings(line.lstrip("# "))
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
        fields = self.fields(line)
        if fields is None:
            return None
        head, halves = fields
        size, count = integer(head[0]), integer(head[1])
        names = [name for name in self.columns.names if name != "redop" or len(head) == self.columns.heads[0]]
        columns = {names[place]: text for place, text in enumerate(head[3 : 3 + len(names)])}
        root = integer(columns.get("root", ""))
        if size is None or size < 0 or count is None or (root is None and "root" in names):
            return None
        read: list[Measurement] = []
        for tokens, names in halves:
            half = (
                measurement(tokens, names[3] if len(names) > 3 else "", self.columns.time_unit_us)
                if tokens
                else Measurement()
            )
            if half is None:
                return None
            read.append(half)
        return Row(
            size_bytes=size,
            count=count,
            type=head[2],
            redop=columns.get("redop", ""),
            root=root,
            out_of_place=read[0],
            in_place=read[1] if len(read) > 1 else Measurement(),
        )

    def fields(self, line: str) -> tuple[list[str], list[tuple[list[str], list[str]]]] | None:
        """(fields before the first time, per half its fields and their names); None where the row is not whole."""
        known = self.columns
        tokens = [t.strip() for t in line.split(",")] if known.separated else line.split()
        if not known.halves or not tokens:
            return None
        if known.stamped and len(tokens) > 2 and DATE.match(tokens[-2]):
            tokens = tokens[:-2]
        widths = [len(half) for half in known.halves]
        if known.separated:
            tokens = tokens[: known.heads[0] + sum(widths)]
        absent = 0
        if len(widths) > 1 and len(tokens) - widths[1] in known.heads and BLANK_HALF.search(line):
            absent = widths[0]
        first = len(tokens) - sum(widths) + absent
        if first not in known.heads or first < 3:
            return None
        halves, at = [], first
        for place, names in enumerate(known.halves):
            width = 0 if absent and place == 0 else len(names)
            halves.append((tokens[at : at + width], names))
            at += width
        return tokens[:first], halves


def _settings(line: str) -> dict[str, int]:
    """``step: 2(factor) warmup iters: 5`` as numbers by the words in front of them."""
    found: dict[str, int] = {}
    words: list[str] = []
    for token in line.split():
        value = SETTING_VALUE.match(token)
        if value and words:
            found[" ".join(words)] = int(value.group(1))
            words = []
        else:
            words = [*words, token.rstrip(":")] if SETTING_WORD.match(token) and len(words) < 4 else []
    return found


def _furniture(line: str) -> bool:
    return line.lstrip("# \t").lower().startswith(FURNITURE)


def read(text: str) -> Log:
    """All tables of a log, process by process; of a JSON report its one table."""
    report = nccl_json.read(text)
    if report is not None:
        return report
    log = Log()
    named: set[str] = set()
    for _, lines in streams(text):
        reader = _Reader()
        for line in lines:
            reader.line(line)
        log.tables += reader.tables
        log.unread += reader.unread
        named |= reader.named
    if len(named) == 1:  # versions before 2.17 do not name themselves; whoever started them may have
        (only,) = named
        for table in log.tables:
            table.collective = table.collective or only
    log.unread = bounded(log.unread)
    return log


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
