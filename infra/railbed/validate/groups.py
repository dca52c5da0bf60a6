"""Equal verdicts as one row of a report, which unfolds into what each node showed. Pure.

A page of thousands of nodes stays small: rows and lines are bounded, and what is left out is counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from railbed.claims import Judged, Verdict
from railbed.fabric.slurm import hostlist

ROWS_MOST = 300
"""Rows of claims that did not pass; report.json has all."""
LINES_MOST = 60
"""Lines that one row unfolds into."""
WHOLE_FROM = 10_000
LARGEST_DRAWN = 1e15
RAIL = re.compile(r"\.\d+\.")
ORDER = {Verdict.FAIL: 0, Verdict.UNPROVEN: 1, Verdict.PASS: 2}


def number(value: float | str | None) -> str:
    """Four significant digits, and all before the point; text as it is."""
    if isinstance(value, bool) or value is None:
        return ""
    if not isinstance(value, float | int):
        return value
    return f"{value:.0f}" if WHOLE_FROM <= abs(value) < float("inf") else f"{value:.4g}"


def series(claim: str) -> str:
    """The claim with * for its rail: ``fabric.rail.*.bandwidth``."""
    return RAIL.sub(".*.", claim)


def rates(values: Iterable[float | str | None]) -> list[float]:
    """The numbers among them that can be drawn: of what no hardware reaches an axis cannot be made."""
    return [
        v
        for v in values
        if isinstance(v, float | int) and not isinstance(v, bool) and abs(v) <= LARGEST_DRAWN
    ]


def span(values: Sequence[float | str | None]) -> str:
    """What all have; for numbers that differ the least and the most; nothing for other texts that differ."""
    distinct = list(dict.fromkeys(number(v) for v in values if v is not None))
    if len(distinct) < 2:
        return "".join(distinct)
    found = rates(values)
    if len(found) < len(values):
        return ""
    least, most = number(min(found)), number(max(found))
    return least if least == most else f"{least} … {most}"


@dataclass(frozen=True)
class Line:
    """Nodes that showed the same of one claim."""

    claim: str
    """Empty where the row says it."""
    nodes: str
    measured: str
    reason: str
    evidence: str
    """File, where the line speaks of one verdict; else empty."""


@dataclass(frozen=True)
class Row:
    """Verdicts that are alike: of one claim, or of one claim on all rails."""

    claim: str
    records: tuple[Judged, ...]

    @property
    def first(self) -> Judged:
        return self.records[0]

    @cached_property
    def places(self) -> str:
        """Where: one node, how many, or the cluster."""
        nodes = {one.node for one in self.records}
        if len(nodes) == 1:
            return self.first.node or "cluster"
        return f"{len(nodes)} nodes"

    @cached_property
    def reason(self) -> str:
        """The reason that all have; else nothing, and the lines say it."""
        reasons = {one.reason for one in self.records}
        return reasons.pop() if len(reasons) == 1 else ""

    def values(self, attribute: str) -> list[float | str | None]:
        return [getattr(one, attribute) for one in self.records]

    def text(self, attribute: str) -> str:
        return span(self.values(attribute))

    @cached_property
    def lines(self) -> list[Line]:
        """What it unfolds into: all where they are few, else the lowest and the highest."""
        found = self._alike
        return found if len(found) <= LINES_MOST else [*found[: LINES_MOST // 2], *found[-LINES_MOST // 2 :]]

    @property
    def left_out(self) -> int:
        """How many lines it would have beside those."""
        return len(self._alike) - len(self.lines)

    @cached_property
    def _alike(self) -> list[Line]:
        alike: dict[tuple[str, str, str], list[Judged]] = {}
        ordered = list(self.records)
        if len(rates(self.values("measured"))) == len(ordered):
            ordered.sort(key=lambda one: float(one.measured or 0))
        for one in ordered:
            alike.setdefault((one.claim, number(one.measured), one.reason), []).append(one)
        return [
            Line(
                claim="" if claim == self.claim else claim,
                nodes=hostlist(one.node for one in same) if same[0].node else "cluster",
                measured=" ".join(filter(None, (measured, same[0].unit if measured else ""))),
                reason="" if reason == self.reason else reason,
                evidence=same[0].evidence if len({one.evidence for one in same}) == 1 else "",
            )
            for (claim, measured, reason), same in alike.items()
        ]


@dataclass(frozen=True)
class Family:
    """Rows of claims that passed and begin with the same word: ``node``, ``fabric``, …"""

    name: str
    rows: tuple[Row, ...]

    @property
    def verdicts(self) -> int:
        return sum(len(row.records) for row in self.rows)


def open_rows(claims: Iterable[Judged]) -> tuple[list[Row], int]:
    """What did not pass, failures first, and how many verdicts are in rows beyond ROWS_MOST.

    What was not measured for one reason is one row, whatever was asked: a node that is silent answers no claim.
    """
    rows = _rows(
        (c for c in claims if c.verdict is not Verdict.PASS),
        lambda c: ("" if _unmeasured(c) else series(c.claim), c.reason),
    )
    rows.sort(key=lambda row: ORDER[row.first.verdict])
    return rows[:ROWS_MOST], sum(len(row.records) for row in rows[ROWS_MOST:])


def passed(claims: Iterable[Judged]) -> list[Family]:
    """What passed, by family and claim."""
    families: dict[str, list[Row]] = {}
    for row in _rows((c for c in claims if c.verdict is Verdict.PASS), lambda c: (series(c.claim), "")):
        families.setdefault(row.claim.split(".")[0], []).append(row)
    return [Family(name, tuple(rows)) for name, rows in families.items()]


def _unmeasured(record: Judged) -> bool:
    return record.verdict is Verdict.UNPROVEN and record.measured is None


def _rows(claims: Iterable[Judged], alike: Callable[[Judged], tuple[str, str]]) -> list[Row]:
    """Rows in the order of their first verdict; ``alike``: what must be equal beside verdict, unit and simulation."""
    found: dict[tuple[Verdict, bool, str, str, str], list[Judged]] = {}
    for one in claims:
        unit = "" if _unmeasured(one) else one.unit
        found.setdefault((one.verdict, one.simulated, unit, *alike(one)), []).append(one)
    return [Row(_common(records), tuple(records)) for records in found.values()]


def _common(records: Sequence[Judged]) -> str:
    """The claim of all, or what their claims have in common: ``fabric.rail.*.bandwidth``, ``node.*``, ``*``."""
    claims = {one.claim for one in records}
    if len(claims) == 1:
        return claims.pop()
    if len(kinds := {series(claim) for claim in claims}) == 1:
        return kinds.pop()
    families = {claim.split(".")[0] for claim in claims}
    return f"{families.pop()}.*" if len(families) == 1 else "*"
