"""What became of the nodes in the last days, for who hands over on Monday: from the journal, and where they stand now. Pure."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from railbed.claims import FrozenModel
from railbed.effects.journal_index import named
from railbed.operate import breaker, past, standing
from railbed.operate.picture import Picture

EVENTS = {
    "repair begun": {past.REPAIR}, "repair passed": {"repair-resumed"}, "repair failed": {"repair-failed", "repair-drained"},
    "upgraded": {"upgrade-moved"}, "upgrade failed": {"upgrade-failed"}, "settled": {past.RETURN},
    "try to settle failed": {past.NOT_SETTLED}, "held by drift": {"drift-hold"}, "left half done": {"quarantine"},
    "sent to its vendor": {"rma"}, "drained by a person": {"drain"}, "given back by a person": {past.RESUME},
}  # fmt: skip
"""What is counted → events of the journal, each about nodes. A health check's drains are Slurm's, and in no journal."""
TROUBLE = (
    "repair begun",
    "repair failed",
    "try to settle failed",
    "held by drift",
    "left half done",
    "sent to its vendor",
)
OFTEN = 2
"""Troubles of one node from which on it is named: one in a week is the rule among many nodes."""
DAY_S = 86_400.0


class Often(FrozenModel):
    """A node with trouble again and again."""

    node: str
    lifecycle: str
    """Where it stands now."""
    events: dict[str, int]


class Summary(FrozenModel):
    """As `railbed node summary --json` prints it."""

    since: str
    until: str
    nodes: dict[str, int]
    """State of life → nodes that are in it now, controllers not counted."""
    events: dict[str, int]
    """What happened → how often, summed over nodes."""
    validations: dict[str, int]
    """Verdict → runs over all nodes and claims."""
    breaker_opened: int
    """How often the circuit breaker of a pool opened."""
    breaker_open: dict[str, str]
    """Pool whose breaker was opened, in this time or before, and not reset → since when, and why."""
    often: list[Often]
    """Those with the most trouble first."""


def of(seen: Picture, days: float) -> Summary:
    """Of the last ``days``."""
    window_s = days * DAY_S
    kinds = {kind: word for word, events in EVENTS.items() for kind in events}
    by_node: dict[str, Counter[str]] = {}
    for entry in past.recent(seen.index.kinds(kinds), seen.now, window_s):
        for name in named(entry.event):
            by_node.setdefault(name, Counter())[kinds[entry.kind]] += 1
    total = sum(by_node.values(), Counter())
    known = {
        node.name: str(standing.of(node, seen).state)
        for node in seen.contract.nodes
        if node.role != "controller"
    }
    often = [
        Often(node=name, lifecycle=known.get(name, "gone"), events=dict(sorted(counted.items())))
        for name, counted in by_node.items()
        if sum(counted[word] for word in TROUBLE) >= OFTEN
    ]
    verdicts = Counter(
        str(entry.event.get("verdict"))
        for entry in past.recent(seen.index.kinds(["validated"]), seen.now, window_s)
        if not (entry.event.get("node") or entry.event.get("quick") or entry.event.get("claim"))
    )
    return Summary(
        since=(seen.now - timedelta(seconds=window_s)).isoformat(timespec="seconds"),
        until=seen.now.isoformat(timespec="seconds"),
        nodes=dict(sorted(Counter(known.values()).items())),
        events={word: total[word] for word in EVENTS if total[word]},
        validations=dict(sorted(verdicts.items())),
        breaker_opened=sum(1 for _ in past.recent(seen.index.kinds([breaker.OPENED]), seen.now, window_s)),
        breaker_open=_open(seen),
        often=sorted(
            often,
            key=lambda one: (-sum(one.events[word] for word in TROUBLE if word in one.events), one.node),
        ),
    )


def _open(seen: Picture) -> dict[str, str]:
    pools = sorted({node.pool for node in seen.contract.nodes})
    return {pool: why for pool in pools if (why := breaker.standing(seen.index, pool))}
