"""Draws a fabric: every switch of a small one, pods and core sets of a large one.

Where a drawing cannot show each, the label says how many there are.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from railbed import plotting
from railbed.fabric.cables import core_end, spine_end
from railbed.fabric.names import Names
from railbed.fabric.rule import Fabric
from railbed.fabric.slurm import hostlist, units_of
from railbed.text import plain

EACH_SWITCH = 64
"""Most leaves that are drawn one by one."""
SHOWN = 8
"""Most pods and core sets that are drawn; the last box stands for the rest."""
SIZE_IN = (11.2, 5.0)
RAILS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#17becf")
SPINE, LEAF, UNIT = 3.0, 1.2, 0.0
"""Heights of the rows."""
CHARACTER = 0.0056
"""Width of a small character, in widths of the picture."""


class Row(NamedTuple):
    """Equal boxes side by side: the middle of each, from 0 to 1, and their width."""

    middles: list[float]
    width: float
    y: float


def svg(fabric: Fabric, names: Names) -> str:
    """The drawing of one plane; all planes are alike. Raises UsageError where matplotlib is missing."""
    request = fabric.request
    counts = ", ".join(f"{count} {tier}" for tier, count in fabric.switches.items() if count)
    wires = ", ".join(f"{count} {tier.replace('_', '–')}" for tier, count in fabric.cables.items() if count)
    planes = f"; {request.planes} planes alike, one is drawn" if request.planes > 1 else ""
    title = f"{request.nodes} nodes of {request.rails} rails, {request.radix}-port switches, tiers: {fabric.tiers}"
    figure, [axis] = plotting.figure(*SIZE_IN)
    axis.set(xlim=(0, 1), ylim=(-0.6, 3.6))
    axis.axis("off")
    figure.suptitle(title, fontsize=12)
    axis.set_title(f"switches: {counts}; cables: {wires}{planes}", fontsize=9)
    if fabric.core or fabric.leaf > EACH_SWITCH:
        _large(axis, fabric)
    else:
        _small(axis, fabric, names)
    return plotting.svg(figure, title)


def _small(axis: Any, fabric: Fabric, names: Names) -> None:
    rails = fabric.request.rails
    colours = [RAILS[leaf % rails % len(RAILS)] for leaf in range(fabric.leaf)]
    spines, leaves = _row(fabric.spine, SPINE), _row(fabric.leaf, LEAF)
    pairs = Counter(
        (leaf, spine_end(fabric, leaf, up)[0]) for leaf in range(fabric.leaf) for up in range(fabric.up)
    )
    for (leaf, spine), count in sorted(pairs.items()):
        ends = [leaves.middles[leaf], spines.middles[spine]], [LEAF, SPINE]
        axis.plot(*ends, color=colours[leaf], linewidth=min(3.0, 0.5 + 0.1 * count), alpha=0.55, zorder=1)
    _boxes(axis, spines, 0.22, ["#e8e8e8"] * fabric.spine, [str(i) for i in range(fabric.spine)])
    _boxes(axis, leaves, 0.22, colours, [str(i) for i in range(fabric.leaf)], ink=plotting.PAPER)
    if fabric.spine:
        axis.text(0, SPINE + 0.2, f"spine: {fabric.up // fabric.spine} cables to every leaf")
    axis.text(0, LEAF + 0.2, "leaf")
    axis.vlines(leaves.middles, UNIT, LEAF, colors=colours, linewidth=1.2, zorder=1)
    units, width = dict(units_of(fabric, names)), 1 / fabric.units
    boxes = Row([width * (unit + 0.5) for unit in range(fabric.units)], width * 0.96, UNIT)
    labels = []
    for unit in range(fabric.units):
        members = units.get(unit, [])
        labels.append(f"SU {unit}: {len(members)} of {fabric.down} nodes\n{plain(hostlist(members))}")
    short = [label.partition(":")[0] for label in labels]
    _boxes(axis, boxes, 0.5, ["#f5f5f5"] * fabric.units, labels if _fit(labels, boxes) else short)


def _large(axis: Any, fabric: Fabric) -> None:
    half, up, sets = fabric.half, fabric.up, fabric.core_sets
    pods, cores = _some(fabric.pods), _some(sets)
    below, above = _row(len(pods), LEAF, 0.12), _row(len(cores), SPINE, 0.12)
    met = {core_end(fabric, spine, 0)[0] // half for spine in range(up)}
    for x in below.middles:
        for top in (top for core, top in zip(cores, above.middles, strict=True) if core in met):
            axis.plot([x, top], [LEAF, SPINE], color=RAILS[0], linewidth=1.0, alpha=0.55, zorder=1)
    labels = [f"core set {core}\n{half} core switches" for core in cores]
    if sets > SHOWN:
        labels[-1] = f"{sets - SHOWN + 1} more sets\nof {half} core switches"
    _boxes(axis, above, 0.5, ["#e8e8e8"] * len(cores), labels)
    labels = [f"pod {pod}\n{min(half, max(0, fabric.leaf - pod * half))} leaf × {up} spine" for pod in pods]
    if fabric.pods > SHOWN:
        labels[-1] = f"{fabric.pods - SHOWN + 1} more pods\n≤ {half} leaf × {up} spine"
    _boxes(axis, below, 0.5, ["#dbe9f6"] * len(pods), labels)
    axis.vlines(below.middles, UNIT, LEAF, colors="#999999", linewidth=1.5, zorder=1)
    label = f"{fabric.request.nodes} nodes in {fabric.units} scalable units of {fabric.down}"
    rule = "rail i of every node of a unit on leaf i of the unit"
    _boxes(axis, Row([0.5], 0.99, UNIT), 0.5, ["#f5f5f5"], [f"{label}\n{rule}"])
    axis.text(
        0.5, -0.5, f"each spine: {half} ports down, {half} up, one to every core of one set", ha="center"
    )


def _some(count: int) -> list[int]:
    """The indexes that are drawn: all, or the first ones and the last."""
    return list(range(count)) if count <= SHOWN else [*range(SHOWN - 1), count - 1]


def _row(count: int, y: float, widest: float = 0.03) -> Row:
    step = 1 / max(count, 1)
    return Row([step * (index + 0.5) for index in range(count)], min(widest, step * 0.92), y)


def _fit(labels: list[str], row: Row) -> bool:
    return all(len(line) * CHARACTER < row.width for label in labels for line in label.splitlines())


def _boxes(
    axis: Any, row: Row, height: float, colours: list[str], labels: list[str], ink: str = plotting.INK
) -> None:
    """The boxes of a row, with their labels where these fit."""
    axis.bar(
        row.middles, height, row.width, row.y - height / 2, color=colours, edgecolor="#666666", linewidth=0.8, zorder=2
    )  # fmt: skip
    for x, label in zip(row.middles, labels, strict=True) if _fit(labels, row) else ():
        axis.text(x, row.y, label, ha="center", va="center", color=ink, fontsize=8)
