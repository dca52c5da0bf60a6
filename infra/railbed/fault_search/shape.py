"""What the link sweep works on: flows, the leaves with nodes below them, and how a switch turns flows around."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from railbed.fabric.cables import node_place
from railbed.fabric.rule import Fabric

Entry = tuple[int, int]
"""Where it comes from (leaf or pod), and which uplink or spine of it."""


class Flow(NamedTuple):
    """One sender, one receiver, and the way between them; the same in each plane."""

    stage: int
    """From 0."""
    sender: int
    """Node; its NIC is that of the leaf's rail."""
    leaf: int
    uplink: int
    """Of that leaf: it determines the spine."""
    core_uplink: int
    """Of the first spine, and of the second; -1 where the flow turns at a spine."""
    to_leaf: int
    to_uplink: int
    receiver: int


@dataclass
class Sweep:
    """All stages, and the cables of one plane that no flow between two nodes can load."""

    flows: list[Flow] = field(default_factory=list)
    stages: int = 0
    unloaded_leaf_spine: int = 0
    unloaded_spine_core: int = 0


class Shape:
    """The parts of one plane that flows need."""

    def __init__(self, fabric: Fabric) -> None:
        self.fabric, self.rails, self.up = fabric, fabric.request.rails, fabric.up
        units: list[list[int]] = [[] for _ in range(fabric.units)]
        for node in range(fabric.request.nodes):
            units[node_place(fabric, node) // fabric.down].append(node)
        self.below = [units[leaf // self.rails] for leaf in range(fabric.leaf)]
        """Leaf → its nodes."""
        self.peopled = [leaf for leaf, nodes in enumerate(self.below) if nodes]
        self.pods: dict[int, list[int]] = {}
        """Pod → its leaves with nodes; one pod holds all where there is no core."""
        for leaf in self.peopled:
            self.pods.setdefault(leaf // fabric.half if fabric.core else 0, []).append(leaf)

    def spine(self, leaf: int, uplink: int) -> int:
        """The spine at an uplink's far end."""
        if self.fabric.core:
            return leaf // self.fabric.half * self.up + uplink
        return uplink % self.fabric.spine

    def uplinks(self, spine: int) -> Sequence[int]:
        """The uplinks of each leaf (of its pod) that end at a spine."""
        if self.fabric.core:
            return (spine % self.up,)
        return range(spine, self.up, self.fabric.spine)


class Stage:
    """Who uses which uplinks in one stage: every used one carries a flow up and another one down."""

    def __init__(self, shape: Shape) -> None:
        self.below = shape.below
        self.used: dict[int, list[int]] = {}

    def room(self, leaf: int) -> int:
        """NICs below the leaf that are still free."""
        return len(self.below[leaf]) - len(self.used.get(leaf, ()))

    def free(self, leaf: int, uplink: int) -> bool:
        """True where the leaf has a NIC left and the uplink is not in use."""
        return self.room(leaf) > 0 and uplink not in self.used.get(leaf, ())

    def take(self, leaf: int, uplink: int) -> None:
        """Gives one NIC of the leaf to the uplink."""
        self.used.setdefault(leaf, []).append(uplink)

    def nics(self, carried: dict[int, list[int]], variant: int) -> tuple[dict[Entry, int], dict[Entry, int]]:
        """Per used uplink the node that sends through it, and the one that receives."""
        senders: dict[Entry, int] = {}
        receivers: dict[Entry, int] = {}
        for leaf, uplinks in carried.items():
            nodes = self.below[leaf]
            count = len(nodes)
            for place, uplink in enumerate(sorted(uplinks)):
                senders[leaf, uplink] = nodes[(place + variant) % count]
                receivers[leaf, uplink] = nodes[(place + 3 * variant) % count]
        return senders, receivers


def most_of_one(entries: Sequence[Entry]) -> tuple[int, int]:
    """Which first number is the most frequent, and how often it is there."""
    counts: dict[int, int] = {}
    for group, _ in entries:
        counts[group] = counts.get(group, 0) + 1
    group = max(counts, key=lambda g: counts[g])
    return group, counts[group]


def turned(entries: Sequence[Entry], near: int, variant: int) -> list[tuple[int, int]]:
    """Which entry goes to which, as places; each once as either, never to one of the same first number.

    ``entries`` are sorted by the first number, and none has more than half of them. ``near``: how many groups
    on to go (at least 1), where that fits. Within a group the variant turns too, so that two groups meet anew.
    """
    size = len(entries)
    starts = [place for place in range(size) if not place or entries[place][0] != entries[place - 1][0]]
    widths = [b - a for a, b in zip(starts, [*starts[1:], size], strict=True)]
    order = list(range(size))
    for group, (start, width) in enumerate(zip(starts, widths, strict=True)):
        if width > 1:
            by = group // near * variant % width
            order[start : start + width] = [start + (place + by) % width for place in range(width)]
    most = max(widths)
    shift = most + most * (near - 1) % (size - 2 * most + 1)
    return [(order[place], order[(place + shift) % size]) for place in range(size)]
