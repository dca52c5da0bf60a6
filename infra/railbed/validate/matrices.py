"""Tables of a report over nodes, rails, pairs, GPUs and storage clients. Pure, and bounded for clusters of thousands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from railbed.claims import Judged, Verdict, table
from railbed.claims.definition import Having
from railbed.contract import Node
from railbed.validate.groups import ORDER, rates

ROWS_MOST = 64
"""Rows of a table of nodes; of more, those that have something to show come first."""
PAIR_NODES_MOST = 24
"""Most nodes that a matrix of pairs is drawn for."""
SLOWEST = 20
"""Pairs that are listed of more nodes."""
GPU = "gpu "


@dataclass(frozen=True)
class Cell:
    """One place of a table; ``share`` of what was expected there, where it is a rate."""

    verdict: str
    """Empty where nothing was asked."""
    share: float | None = None
    title: str = ""
    text: str = ""
    """What stands there in place of the share."""


@dataclass(frozen=True)
class Grid:
    """Named rows of cells."""

    columns: list[str]
    rows: list[tuple[str, list[Cell]]]
    left_out: int = 0
    """Rows that all pass and are not shown."""


def share_of(record: Judged, rate: object) -> float | None:
    """The rate as a share of what the record expects; None where either is no number."""
    if isinstance(rate, float | int) and isinstance(record.expected, float | int) and record.expected:
        return rate / record.expected
    return None


def rails(claims: Iterable[Judged]) -> Grid:
    """Node × rail: the slower direction's share of what was expected."""
    found: dict[str, dict[int, Cell]] = {}
    for record in claims:
        if record.claim.startswith("fabric.rail."):
            found.setdefault(record.node, {})[int(record.claim.split(".")[2])] = _rail(record)
    indices = sorted({index for cells in found.values() for index in cells})
    rows = [(node, [cells.get(index, Cell("")) for index in indices]) for node, cells in found.items()]
    return bounded([f"rail {index}" for index in indices], rows)


def _rail(record: Judged) -> Cell:
    by_direction = record.detail.get("gbps") or {}
    rates = ", ".join(
        f"{direction} {rate:.4g} Gb/s"
        for direction, rate in by_direction.items()
        if isinstance(rate, float | int)
    )
    share = share_of(record, record.measured)
    return Cell(record.verdict.value, share, f"{record.claim}: {rates or record.reason}")


def pairs(claims: Iterable[Judged]) -> dict[tuple[str, str], tuple[float, int]]:
    """Sender and receiver → share of what was expected on the slowest rail between them, and that rail."""
    found: dict[tuple[str, str], tuple[float, int]] = {}
    for record in claims:
        if not record.claim.startswith("fabric.rail."):
            continue
        index = int(record.claim.split(".")[2])
        for direction, partners in (record.detail.get("partners") or {}).items():
            for partner, rate in partners.items():
                share = share_of(record, rate)
                ends = (record.node, partner) if direction == "out" else (partner, record.node)
                if share is not None and (ends not in found or share < found[ends][0]):
                    found[ends] = share, index
    return found


def pair_grid(found: dict[tuple[str, str], tuple[float, int]], floor: float | None) -> Grid | None:
    """Sender × receiver; None for more nodes than a page can show so. ``floor``: the least share that passes."""
    nodes = sorted({node for ends in found for node in ends})
    if not nodes or len(nodes) > PAIR_NODES_MOST:
        return None

    def cell(sender: str, receiver: str) -> Cell:
        if (sender, receiver) not in found:
            return Cell("")
        share, rail = found[sender, receiver]
        low = floor is not None and share < floor
        return Cell("fail" if low else "pass", share, f"{sender} to {receiver}, slowest on rail {rail}")

    return Grid(nodes, [(sender, [cell(sender, receiver) for receiver in nodes]) for sender in nodes])


def slowest_pairs(
    found: dict[tuple[str, str], tuple[float, int]],
) -> list[tuple[str, str, int, float]]:
    """Sender, receiver, rail and share of the slowest pairs, slowest first."""
    ordered = sorted(found.items(), key=lambda item: item[1])
    return [(*ends, rail, share) for ends, (share, rail) in ordered[:SLOWEST]]


def rail_floor(claims: Iterable[Judged]) -> float | None:
    """The least share of what is expected with which a rail passes; None where no rail has a floor."""
    for record in claims:
        if record.claim.startswith("fabric.rail.") and record.floor is not None:
            return share_of(record, record.floor)
    return None


def gpus(claims: Iterable[Judged], nodes: Sequence[Node]) -> Grid:
    """Node × GPU: the worst verdict on it. A claim that names no GPU speaks of all of its node."""
    counts = {node.name: node.gpus for node in nodes if node.gpus}
    asked: dict[str, list[Judged]] = {}
    for record in claims:
        one = table.find(record.claim)
        if record.node in counts and one is not None and one.having in (Having.GPUS, Having.NVSWITCHES):
            asked.setdefault(record.node, []).append(record)
    most = max((counts[node] for node in asked), default=0)
    rows = [
        (node, [_gpu(records, index) if index < counts[node] else Cell("") for index in range(most)])
        for node, records in asked.items()
    ]
    return bounded([f"{GPU}{index}" for index in range(most)], rows)


def _gpu(records: Sequence[Judged], index: int) -> Cell:
    mine = [one for one in records if one.verdict is not Verdict.PASS and _speaks_of(one, index)]
    if not mine:
        return Cell(Verdict.PASS.value, title=f"{len(records)} claims pass")
    worst = min((one.verdict for one in mine), key=ORDER.__getitem__)
    return Cell(worst.value, title="; ".join(f"{one.claim}: {one.reason}" for one in mine))


def _speaks_of(record: Judged, index: int) -> bool:
    named = [part for part in record.detail.get("parts") or () if str(part).startswith(GPU)]
    return not named or f"{GPU}{index}" in named


def bounded(columns: list[str], rows: list[tuple[str, list[Cell]]]) -> Grid:
    """All rows, or of too many those that have something to show."""
    if len(rows) <= ROWS_MOST:
        return Grid(columns, rows)
    shown = [row for row in rows if any(cell.verdict not in ("", "pass") for cell in row[1])][:ROWS_MOST]
    return Grid(columns, shown, len(rows) - len(shown))


@dataclass(frozen=True)
class Transfer:
    """One operation on shared storage, over the clients that did it."""

    record: Judged
    clients: int
    slowest: str
    rates: list[float]
    """Least, median and most of one client; the whole rate where only that is known."""


def storage(claims: Iterable[Judged]) -> list[Transfer]:
    """Rates of shared storage, of each operation that has one."""
    found = []
    for record in claims:
        if not record.claim.startswith("storage.") or not rates([record.measured]):
            continue
        clients = {
            name: rate
            for name, rate in (record.detail.get("clients") or {}).items()
            if isinstance(rate, float | int)
        }
        each = list(clients.values()) or rates([record.measured])
        count = len(clients) or len(record.detail.get("nodes") or ())
        found.append(
            Transfer(
                record,
                count,
                min(clients, key=clients.__getitem__, default=""),
                [min(each), median(each), max(each)],
            )
        )
    return found
