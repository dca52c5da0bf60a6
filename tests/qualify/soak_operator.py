"""What a soak's operator does next. Pure: `railbed node list` and the clock go in, at most one command comes out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

SETTLE_EVERY_S = 300.0
"""`railbed drift --units` has it once an hour."""
RETRY_S = 180.0
"""After a repair that a guard held back, or that ended unproven: others have their turn before the node is tried again."""


@dataclass(frozen=True)
class Order:
    """A command of the operator: `railbed node repair NODE`, or `railbed node settle`."""

    noun: str
    node: str


@dataclass
class Turns:
    """When which command may come again. Times are in seconds by one clock."""

    not_before: dict[str, float] = field(default_factory=dict)
    settled_s: float = float("-inf")
    repaired_s: dict[str, float] = field(default_factory=dict)

    def next(self, repairs: Sequence[str], stuck: Collection[str], now: float) -> Order | None:
        """The next command, or None where nothing is due.

        ``repairs`` are nodes with something to repair, ``stuck`` those that a repair left out of service. `settle` comes first
        where it is due: a node whose repair is held back must not keep all others waiting. Of the nodes to repair the one
        comes first whose last repair is the longest ago.
        """
        if stuck and now - self.settled_s >= SETTLE_EVERY_S:
            return Order("settle", ",".join(sorted(stuck)))
        able = [name for name in repairs if self.not_before.get(name, now) <= now]
        if not able:
            return None
        return Order("repair", min(able, key=lambda name: self.repaired_s.get(name, float("-inf"))))

    def began(self, order: Order, now: float) -> None:
        """Notes that it was started."""
        if order.noun == "settle":
            self.settled_s = now
        else:
            self.repaired_s[order.node] = now

    def ended(self, order: Order, status: int, now: float) -> None:
        """Notes its exit status: a repair that did not pass waits."""
        if order.noun == "repair" and status:
            self.not_before[order.node] = now + RETRY_S

    def well(self, nodes: Mapping[str, str]) -> None:
        """Forgets the waits of nodes (name → lifecycle) that are healthy: their next fault is another one."""
        for name, life in nodes.items():
            if life == "healthy":
                self.not_before.pop(name, None)
