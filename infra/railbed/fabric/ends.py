"""Where the cables of nodes end, as it was seen, against where the plan has them. Pure.

One cable may be seen to end in two ports for a while: what a node heard stays until it is too old (the frame says when), where a
cable was moved too fast for the node to see that its link was gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from railbed.claims import Verdict
from railbed.fabric.observed import Link, Port
from railbed.text import few

MAX_LISTED = 8


@dataclass(frozen=True)
class Planned:
    """One cable: the node's card, as whoever looks calls it, and the port of the leaf that it belongs in."""

    rail: int
    card: Port
    leaf: Port


@dataclass(frozen=True)
class Seen:
    """What was seen of all cables."""

    verdict: Verdict
    reason: str
    right: int
    guilty: tuple[tuple[str, str], ...] = ()
    """Node and rail of each cable that ends elsewhere."""
    unseen: tuple[Planned, ...] = ()
    """Cables with no answer, or two: worth a second reading."""


def compare(cables: Sequence[Planned], links: Iterable[Link]) -> Seen:
    """Fail: a card whose cable ends in another port than its own. Unproven: one of which nothing is seen, or its own port and
    another; or all of them where no switch has the name of a planned one, as then names differ and not cables."""
    met: dict[Port, set[Port]] = {}
    for link in links:
        met.setdefault(link.one, set()).add(link.other)
        met.setdefault(link.other, set()).add(link.one)
    leaves = {cable.leaf.device for cable in cables}
    heard = {port.device for cable in cables for port in met.get(cable.card, ())}
    if heard and not heard & leaves:
        shown = f"the switches call themselves {few(sorted(heard), 3)}, the plan has {few(sorted(leaves), 3)}"
        return Seen(Verdict.UNPROVEN, f"names differ: {shown}", 0)
    owner = {cable.leaf: cable for cable in cables}
    wrong: list[str] = []
    doubts: list[str] = []
    guilty: list[tuple[str, str]] = []
    unseen: list[Planned] = []
    for cable in cables:
        ends = met.get(cable.card, set())
        if ends == {cable.leaf}:
            continue
        if not ends or cable.leaf in ends or any(_other_numbers(end, cable.leaf) for end in ends):
            unseen.append(cable)
            doubts.append(_doubt(cable, ends))
            continue
        guilty.append((cable.card.device, f"rail {cable.rail}"))
        there = " and ".join(_owned(end, owner) for end in sorted(ends))
        wrong.append(f"{cable.card.device} rail {cable.rail} ends in {there}, not in {cable.leaf}")
    right = len(cables) - len(guilty) - len(unseen)
    shown = few(wrong + doubts, MAX_LISTED, "; ")
    verdict = Verdict.FAIL if wrong else Verdict.UNPROVEN if doubts or not cables else Verdict.PASS
    reason = shown or (
        f"all {right} cables end where the plan has them" if cables else "the plan has no cables"
    )
    return Seen(verdict, reason, right, tuple(guilty), tuple(unseen))


def _other_numbers(end: Port, leaf: Port) -> bool:
    """Whether the switch is the right one, and calls its ports otherwise than the plan, which numbers them."""
    return end.device == leaf.device and leaf.port.isdigit() and not end.port.isdigit()


def _doubt(cable: Planned, ends: set[Port]) -> str:
    who = f"{cable.card.device} rail {cable.rail}"
    if not ends:
        return f"{who}: nothing is heard from its switch"
    if len(ends) > 1:
        return f"{who} is told {' and '.join(map(str, sorted(ends)))}: one of them may be over"
    return f"{who} ends in {next(iter(ends))}, which the plan calls {cable.leaf}"


def _owned(end: Port, owner: dict[Port, Planned]) -> str:
    other = owner.get(end)
    return f"{end} (of {other.card.device} rail {other.rail})" if other else str(end)
