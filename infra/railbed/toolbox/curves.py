"""Bound, expected and floor over message sizes, and what logs measured: what `railbed bandwidth expect --plot` draws."""

from __future__ import annotations

from collections.abc import Sequence

from railbed.claims import FrozenModel
from railbed.judge import sizes
from railbed.judge.recognize import with_names
from railbed.laws import bandwidth, ranks
from railbed.laws.machine import BandwidthMachine, group
from railbed.parse.nccl_tests import Log
from railbed.units import KIB

SMALLEST_BYTES = KIB
STEPS_PER_DOUBLING = 2


class Curve(FrozenModel):
    """One line: sizes in bytes and GB/s of bus bandwidth."""

    name: str
    points: list[tuple[int, float]]


class Picture(FrozenModel):
    """Everything that one plot shows."""

    title: str
    bound: Curve
    expected: Curve
    floor: Curve
    """Only where a published size gives one."""
    measured: list[Curve]


def sizes_up_to(largest_bytes: int) -> list[int]:
    """Sizes from 1 KiB to ``largest_bytes``, two per doubling, both ends included."""
    found = []
    step = 0
    while (size := round(SMALLEST_BYTES * 2 ** (step / STEPS_PER_DOUBLING))) < largest_bytes:
        found.append(size)
        step += 1
    return [*found, max(largest_bytes, SMALLEST_BYTES)]


def measured_in(log: Log, name: str, collective: str, n: int) -> list[Curve]:
    """The log's tables of ``collective`` over ``n`` ranks, recomputed from size and time: one curve per half."""
    found = []
    tables = [t for t in with_names(log).tables if t.collective in (collective, None)]
    for place, table in enumerate(tables):
        label = name if len(tables) == 1 else f"{name} ({place + 1})"
        for half, suffix in (("out_of_place", ""), ("in_place", ", in place")):
            points = [
                (row.size_bytes, value)
                for row in table.rows
                if (value := sizes.recomputed_busbw(row, getattr(row, half), collective, n)) is not None
            ]
            if points:
                found.append(Curve(name=label + suffix, points=sorted(points)))
    return found


def picture(
    machine: BandwidthMachine,
    nodes: int,
    collective: str,
    largest_bytes: int,
    algorithm: str | None = None,
    logs: Sequence[tuple[str, Log]] = (),
) -> Picture:
    """The curves of one case, with logs (name, log) over them. Raises UsageError as ``bandwidth.expect`` does."""
    n = group(machine, nodes).ranks
    measured = [curve for name, log in logs for curve in measured_in(log, name, collective, n)]
    largest = max([largest_bytes, *(size for curve in measured for size, _ in curve.points)])
    found = {
        size: bandwidth.expect(machine, nodes, collective, size, algorithm) for size in sizes_up_to(largest)
    }
    lines = {
        name: Curve(
            name=name, points=[(s, v) for s, e in found.items() if (v := getattr(e, name)) is not None]
        )
        for name in ("bound", "expected", "floor")
    }
    by = f", {algorithm}" if algorithm else ""
    title = f"{collective} over {nodes} × {machine.key} ({n} ranks{by})"
    return Picture(title=title, measured=measured, **lines)


def known(collective: str) -> bool:
    """True where bus bandwidth follows from size and time."""
    return ranks.factor(collective, 2) is not None
