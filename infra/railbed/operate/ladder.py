"""Which rung of the ladder a node's faults ask for next, within the budgets. Pure; both are data (catalogue, `faults/`).

A rung that was begun counts, whether or not its end was seen: a repair that is killed again and again boots a node no more often
than one that is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from railbed.catalog import ORDER, EndName, Remedies, RungName
from railbed.contract import Contract, Node
from railbed.defaults import REPAIRS_HOUR_S, REPAIRS_WINDOW_S
from railbed.effects.journal_index import Entry, Index, named
from railbed.laws.drain_limit import most
from railbed.operate import past

BEGUN = "repair-rung"
"""Event of the journal, written before a rung has any effect."""
DONE = "repair-rung-done"
BOOTS = ("reboot", "power-cycle")
"""Rungs that leave a node away, or off, where a run is killed in them."""


@dataclass(frozen=True)
class Climb:
    """Rungs to take one after the other; none: ``why`` says why no rung helps."""

    rungs: tuple[RungName, ...]
    why: str


@dataclass(frozen=True)
class Spent:
    """Rungs that were begun: of the node within a week, and of its pool within an hour."""

    node: Mapping[str, int]
    pool: Mapping[str, int]


def spent(contract: Contract, index: Index, name: str, now: datetime) -> Spent:
    """As the journal has them."""
    pool = contract.node(name).pool
    members = {node.name for node in contract.nodes if node.pool == pool}
    own = (entry for entry in index.of(name) if entry.kind == BEGUN)
    others = past.recent(index.kinds([BEGUN]), now, REPAIRS_HOUR_S)
    return Spent(
        Counter(str(one.event.get("rung")) for one in past.recent(own, now, REPAIRS_WINDOW_S)),
        Counter(str(one.event.get("rung")) for one in others if members & set(named(one.event))),
    )


def unfinished(entries: Iterable[Entry]) -> Entry | None:
    """The boot or power cycle of which the journal has no end, of a node's ``entries``, newest first."""
    for one in entries:
        if one.kind in (BEGUN, DONE) and one.event.get("rung") in BOOTS:
            return one if one.kind == BEGUN else None
    return None


def lacking(contract: Contract, node: Node) -> set[RungName]:
    """Rungs that this node does not have."""
    found: set[RungName] = set()
    if not node.gpus or contract.machine(node.machine).nodes_per_nvlink_domain > 1:
        # What NVLink joins is reset together, and the other nodes of the domain have jobs.
        found.add("reset")
    if not node.bmc:
        found.add("power-cycle")
    return found


def climb(
    known: Remedies, causes: Sequence[str], taken: Mapping[str, int], without: Collection[RungName] = (),
    start: RungName | None = None,
) -> Climb:  # fmt: skip
    """What the causes ask for together. ``taken``: rung → how often it was begun within the week; ``without``: as of ``lacking``;
    ``start``: a person's word for the first rung, whatever the causes are."""
    words = ", ".join(causes) or "nothing that is reported"
    remedies = [known.of(code) for code in causes or ["none"]]
    for code, remedy in zip(causes, remedies, strict=False):
        if not remedy.rungs and start is None:
            return Climb((), f"{code}: {remedy.reason}; a part has to be replaced")
    asked = {rung for one in remedies for rung in one.rungs} | ({start} if start else set())
    least = ORDER.index(start) if start else max(ORDER.index(one.rungs[0]) for one in remedies)
    if "power-cycle" in asked & set(without):
        asked.add("reboot")
        least = min(least, ORDER.index("reboot"))
    fitting = [r for r in ORDER if r in asked and ORDER.index(r) >= least and r not in without]
    if not fitting and "reset" in asked & set(without):
        fitting = ["reboot"]
    left = tuple(rung for rung in fitting if taken.get(rung, 0) < known.rungs[rung].per_node_week)
    if left:
        return Climb(left, f"for {words}")
    used = ", ".join(f"{rung} {taken.get(rung, 0)} times" for rung in fitting) or "none is there"
    return Climb((), f"for {words} every rung was taken as often as it may within a week ({used})")


def ending(known: Remedies, spent: Spent, members: int) -> str:
    """Why no spare may take the place of a node that no rung mends; empty where one may."""
    if "spare" not in known.ends:
        return "the ladder does not end so"
    if spent.node.get("spare", 0) >= known.ends["spare"].per_node_week:
        return f"it was begun {spent.node['spare']} times within a week"
    return crowded(known, "spare", spent.pool, members)


def crowded(known: Remedies, rung: RungName | EndName, begun: Mapping[str, int], members: int) -> str:
    """Why this rung has to wait: too many of the pool's nodes took it within the hour. Empty where it may be taken."""
    budget = known.ends[rung] if rung == "spare" else known.rungs[rung]
    allowed = most(budget.per_pool_hour_share, members, budget.per_pool_hour_least)
    count = begun.get(rung, 0)
    return (
        f"{rung} began {count} times in the pool within the hour, and {allowed} may"
        if count >= allowed
        else ""
    )
