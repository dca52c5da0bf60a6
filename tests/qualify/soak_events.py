"""What breaks in a soak, and when: drawn by rate from a table, with a seed. Pure.

Rates are so high that half an hour sees each kind; railbed's own budgets (docs/reference/safety.md) are not raised for it, so no
more is drawn than they let a pool have repaired within an hour.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from railbed.defaults import BREAKER_QUARANTINES_LEAST, REPAIRS_PER_POOL_HOUR_LEAST


class End(StrEnum):
    """How a fault must end."""

    REPAIRED = "repaired"
    QUARANTINED = "quarantined"
    """A part has to be replaced: no rung mends it."""
    PASSES = "gone by itself"
    """The node's own health check takes it out and gives it back."""
    REPORTED = "reported"
    """Of what nodes share: no node is taken out for it."""
    DIED = "node died"
    """Power of a whole host: only Slurm sees it, and queues its jobs again."""


@dataclass(frozen=True)
class Kind:
    """A row of the table."""

    fault: str
    """Of the lab's library; a name of its own where a host dies."""
    code: str
    """What railbed must call it."""
    end: End
    per_hour: float
    lasts_s: float = 0.0
    """Where it goes by itself."""
    on_rail: bool = False
    boot_mends: bool = False
    """The hardware comes back at a boot, as a GPU does that fell off the bus."""


DIES = "node-dies"
TABLE = (
    Kind("gpu-missing", "gpu-missing", End.REPAIRED, 6.0, boot_mends=True),
    Kind("gpu-less-memory", "gpu-memory", End.REPAIRED, 6.0, boot_mends=True),
    Kind("driver-mismatch", "driver-version", End.REPAIRED, 6.0),
    Kind("gpu-remap-failed", "gpu-row-failed", End.QUARANTINED, 4.0),
    Kind("rail-down", "nic-down", End.PASSES, 6.0, lasts_s=100.0, on_rail=True),
    Kind("nic-mtu", "nic-mtu", End.PASSES, 6.0, lasts_s=100.0, on_rail=True),
    Kind("fs-hangs", "filesystem-silent", End.REPORTED, 6.0, lasts_s=100.0),
    Kind(DIES, "a node failed", End.DIED, 4.0, lasts_s=330.0),
)
AT_ONCE = 2
"""Nodes with a fault at the same time, at most: the limit on all automatic drains of a pool of five."""
REPAIRS = REPAIRS_PER_POOL_HOUR_LEAST - 1
"""One of them is killed and begun anew, which counts twice."""
QUARANTINES = BREAKER_QUARANTINES_LEAST - 2
"""The spares are one, and two quarantines beside a failed repair would open the breaker."""
BOOTS = 2
"""Of a pool within an hour (catalogue, `faults/remedies.yaml`)."""
PARTS = 8
"""Rails, and GPUs, of a node."""


@dataclass(frozen=True)
class Event:
    """One fault, drawn."""

    at_s: float
    kind: Kind
    draw: float
    """Which of the nodes that may have it then: a share of their list."""
    index: int
    """Rail or GPU."""

    def node(self, able: Sequence[str]) -> str:
        """One of ``able``, which is not empty."""
        return able[int(self.draw * len(able))]


def draw(seed: int, seconds: float, table: Sequence[Kind] = TABLE) -> list[Event]:
    """Events of a soak of that length: gaps as of a Poisson process with the table's rates; no kind comes again before each has
    come that still may. A kind whose budget is used up is drawn no more.

    The first comes after a tenth of the time at the latest, and one of the first two is repaired: a short soak, too, has a repair
    to be killed.
    """
    dice, at, found, round_ = random.Random(seed), 0.0, list[Event](), list[Kind]()
    able = [kind for kind in table if kind.end is not End.DIED or seconds >= LONG_S]
    while able := [kind for kind in able if not used_up(kind, [event.kind for event in found])]:
        gap = dice.expovariate(sum(kind.per_hour for kind in able) / 3600)
        at += gap if found else min(gap, seconds / 10)
        if at >= seconds * LAST_SHARE:
            break
        round_ = [kind for kind in round_ if kind in able] or list(able)
        first = [kind for kind in round_ if kind.end is End.REPAIRED]
        choice = first if len(found) == 1 and not _repairs(found) and first else round_
        (kind,) = dice.choices(choice, [one.per_hour for one in choice])
        round_.remove(kind)
        found.append(Event(at, kind, dice.random(), dice.randrange(PARTS)))
    return found


LONG_S, LAST_SHARE = 600.0, 0.8
"""From this length on hosts die (Slurm gives up on one after minutes); and when the last fault comes: what is left is for its
end."""


def used_up(kind: Kind, taken: Collection[Kind]) -> bool:
    """Whether no more of it may come."""
    repairs = sum(one.end in (End.REPAIRED, End.QUARANTINED) for one in taken)
    if kind.end in (End.REPAIRED, End.QUARANTINED) and repairs >= REPAIRS:
        return True
    if kind.boot_mends and sum(one.boot_mends for one in taken) >= BOOTS:
        return True
    limit = {End.QUARANTINED: QUARANTINES, End.DIED: 1}.get(kind.end)
    return limit is not None and sum(one.end is kind.end for one in taken) >= limit


def _repairs(events: Collection[Event]) -> int:
    return sum(one.kind.end is End.REPAIRED for one in events)
