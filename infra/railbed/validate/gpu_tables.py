"""Tables of what GPUs measured: each GPU's rates, and those between the GPUs of a node. Pure, and bounded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from railbed.claims import Judged, Verdict
from railbed.validate.groups import ORDER, rates
from railbed.validate.matrices import GPU, Cell, Grid, bounded

FAMILY, PEERS = "gpu.", "gpu.p2p"
NODES_MOST = 8
"""Nodes whose pairs of GPUs are shown."""


@dataclass(frozen=True)
class Table:
    """One rate of all GPUs, or of all pairs of a node's; cells are shaded by their share of the median."""

    title: str
    unit: str
    median: float
    grid: Grid


def alone(claims: Iterable[Judged]) -> list[Table]:
    """Node × GPU, a table for each rate that was measured."""
    found: dict[str, list[tuple[Judged, dict[str, float]]]] = {}
    for record in claims:
        if record.claim.startswith(FAMILY):
            for what, each in (record.detail.get("rates") or {}).items():
                found.setdefault(what, []).append((record, each))
    made = []
    for what, known in found.items():
        every = rates(rate for _, each in known for rate in each.values())
        if not every:
            continue
        middle, most = median(every), max(int(index) for _, each in known for index in each)
        columns = [f"{GPU}{index}" for index in range(most + 1)]
        rows = [
            (
                one.node,
                [_cell(one, name, each.get(name[len(GPU) :]), middle, _named(one, name)) for name in columns],
            )
            for one, each in known
        ]
        made.append(Table(what, known[0][0].unit, middle, bounded(columns, rows)))
    return made


def pairs(claims: Iterable[Judged]) -> list[Table]:
    """Sender × receiver of the GPUs of a node: of nodes that did not pass first, then of some that did."""
    records = [one for one in claims if one.claim == PEERS and one.detail.get("peers")]
    every = rates(rate for one in records for row in one.detail["peers"].values() for rate in row)
    middle = median(every) if every else 0.0
    return [_pairs(one, middle) for one in sorted(records, key=lambda one: ORDER[one.verdict])[:NODES_MOST]]


def _pairs(record: Judged, middle: float) -> Table:
    peers: dict[str, list[float | None]] = record.detail["peers"]
    bad = {tuple(pair) for pair in record.detail.get("pairs") or ()}
    rows = [
        (
            f"{GPU}{sender}",
            [
                _cell(record, f"{GPU}{sender} to {GPU}{at}", rate, middle, (int(sender), at) in bad)
                for at, rate in enumerate(row)
            ],
        )
        for sender, row in sorted(peers.items(), key=lambda item: int(item[0]))
    ]
    columns = [f"{GPU}{index}" for index in range(max(len(row) for row in peers.values()))]
    return Table(record.node, record.unit, middle, Grid(columns, rows))


def _named(record: Judged, gpu: str) -> bool:
    """Whether the verdict fails for this GPU."""
    return record.verdict is Verdict.FAIL and gpu in (record.detail.get("parts") or ())


def _cell(record: Judged, place: str, rate: float | None, middle: float, bad: bool) -> Cell:
    if rate is None or not rates([rate]):
        return Cell("")
    share = rate / middle if middle else None
    return Cell(
        "fail" if bad else "pass", share, f"{record.node} {place}: {rate:.4g} {record.unit}", f"{rate:.4g}"
    )
