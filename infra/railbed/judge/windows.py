"""What flows that ran side by side prove of one rail, whatever else the node was busy with. Pure.

Load that takes processor time takes it from all rails of a node alike: which of R rails is the slowest in a window is then
chance, and one and the same rail is it in all of W windows with probability 1/R^W for a rail that is named beforehand (rails
are exchangeable; the order in which their programs start is drawn anew for each window). With 8 rails and PAIRED_WINDOWS = 6
that is 4e-6, before the loss of SIBLING_TOLERANCE that each window must show as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

from railbed.defaults import PAIRED_WINDOWS, SIBLING_TOLERANCE

PAIRED_SIBLINGS = 3
"""A rail is slow by itself, on a busy node too, when it is the slowest in so many windows, each with so many others: see
judge/windows.py."""

Flow = tuple[int, str, str, int, float]
"""Window, sender, receiver, rail, Gb/s."""


@dataclass
class Window:
    """One node's flows in one direction with one partner: rail → Gb/s."""

    partner: str
    gbps: dict[int, float] = field(default_factory=dict)


def by_node(flows: Iterable[Flow]) -> dict[tuple[str, str], list[Window]]:
    """(node, direction ``out`` or ``in``) → its windows, in the order of ``flows``."""
    found: dict[tuple[str, str], dict[tuple[int, str], Window]] = {}
    for number, sender, receiver, rail, gbps in flows:
        for node, direction, partner in ((sender, "out", receiver), (receiver, "in", sender)):
            of_node = found.setdefault((node, direction), {})
            of_node.setdefault((number, partner), Window(partner)).gbps[rail] = gbps
    return {key: list(of_node.values()) for key, of_node in found.items()}


def apart(seen: Sequence[Window], rail: int, partners: int) -> str:
    """What proves that ``rail`` is slow by itself; empty where nothing does.

    It must lie below every sibling, and SIBLING_TOLERANCE or more below their median, in every window that it shares with
    PAIRED_SIBLINGS others; in PAIRED_WINDOWS of them at least, with so many ``partners``.
    """
    losses, met = [], set()
    for one in seen:
        siblings = [gbps for other, gbps in one.gbps.items() if other != rail]
        mine = one.gbps.get(rail)
        if mine is None or len(siblings) < PAIRED_SIBLINGS:
            continue
        usual = median(siblings)
        if mine >= min(siblings) or mine > usual * (1 - SIBLING_TOLERANCE):
            return ""
        losses.append(1 - mine / usual)
        met.add(one.partner)
    if len(losses) < PAIRED_WINDOWS or len(met) < partners:
        return ""
    return (
        f"{min(losses):.0%} or more below its sibling rails in each of {len(losses)} windows, "
        f"with {len(met)} partners, on nodes that were busy with other work"
    )
