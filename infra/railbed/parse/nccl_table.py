"""What a log of nccl-tests holds: tables, their rows, and the two measurements of a row."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from railbed.parse.numbers import finite, integer, number


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
    """``time``, ``algbw`` and ``busbw`` as printed: their rounding limits the range of ranks."""

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
    """The group of each rank that the log names, in its order: rank 0 comes first."""
    highest_rank: int = -1
    """Highest number that a rank line has; -1 without one."""
    hosts: dict[str, None] = field(default_factory=dict)
    """Hosts of those ranks, each once, in the order named."""
    settings: dict[str, int] = field(default_factory=dict)
    """From the line of settings: ``iters``, ``warmup iters``, ``validation``, …"""
    average_busbw_gbytes_per_s: float | None = None
    out_of_bounds: int | None = None
    complete: bool = False
    """True where the closing lines are there: the program came to its end."""
    simulated: str = ""
    counters: list[dict[str, Any]] = field(default_factory=list)
    """One document per rank and size: bytes that each interface counted (logs of the lab's program of before)."""

    @property
    def nodes(self) -> list[str]:
        """Hosts of the ranks that the log names."""
        return list(self.hosts)

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
    def group_sizes(self) -> list[int]:
        """Ranks of each group, in the order named; several under a split mask, which run at the same time."""
        return list(Counter(self.groups).values())

    @property
    def labelled_ranks(self) -> int | None:
        """Ranks of one collective by the log's own rank lines; under a split mask, of the group that prints.

        Where the first lines are missing the highest number counts.
        """
        if not self.groups:
            return None
        count = self.groups.count(self.groups[0])
        return count if count < len(self.groups) else max(count, self.highest_rank + 1)


@dataclass
class Log:
    """Everything in one log."""

    tables: list[Table] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def measurement(tokens: list[str], last: str, time_unit_us: int = 1) -> Measurement | None:
    """From the four printed fields; None where they are no numbers at all.

    ``last`` names the fourth column. ``time_unit_us`` is 1000 for versions that print milliseconds.
    """
    if tokens[0].upper() == tokens[1].upper() == tokens[2].upper() == "N/A":
        return Measurement()
    values = [number(t) for t in tokens[:3]]
    time, algbw, busbw = values
    if time is None or algbw is None or busbw is None:
        return None
    m = Measurement(printed={"time": tokens[0], "algbw": tokens[1], "busbw": tokens[2]})
    if finite(time) and finite(algbw) and finite(busbw) and time >= 0 and algbw >= 0 and busbw >= 0:
        m.time_us, m.algbw_gbytes_per_s, m.busbw_gbytes_per_s = time * time_unit_us, algbw, busbw
    else:
        m.broken = True
    if time_unit_us != 1:
        m.printed["time"] += "" if "e" in tokens[0].lower() else f"e{len(str(time_unit_us)) - 1}"
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
