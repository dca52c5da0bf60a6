"""A plan as a picture: an SVG with every switch of a small fabric, or with pods and core sets of a large one.

Equal plans give equal bytes. Where a drawing cannot show each, the label says how many there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from railbed.fabric.cables import core_end, spine_end
from railbed.fabric.names import Names
from railbed.fabric.rule import Fabric
from railbed.fabric.slurm import hostlist, units_of

EACH_SWITCH = 64
"""Most leaves that are drawn one by one."""
SHOWN = 8
"""Most pods and core sets that are drawn; the last box stands for the rest."""
WIDTH, MARGIN, BOX = 1120, 40, 34
RAILS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#17becf")
ROW_SPINE, ROW_LEAF, ROW_UNIT, HEIGHT = 110, 300, 400, 500


@dataclass(frozen=True)
class Box:
    """One drawn thing: its middle on the row, and its width."""

    x: float
    width: float


def svg(fabric: Fabric, names: Names) -> Iterator[str]:
    """Lines of the drawing of one plane; all planes are alike."""
    wish = fabric.wish
    title = f"{wish.nodes} nodes of {wish.rails} rails, {wish.radix}-port switches, tiers: {fabric.tiers}"
    counts = [f"{count} {tier}" for tier, count in fabric.switches.items() if count]
    wires = [f"{count} {tier.replace('_', '–')}" for tier, count in fabric.cables.items() if count]
    planes = f"; {wish.planes} planes alike, one is drawn" if wish.planes > 1 else ""
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12" role="img" aria-labelledby="t d">\n'
    )
    yield f'<title id="t">{escape(title)}</title>\n'
    yield f'<desc id="d">{escape(", ".join(counts))} switches; cables: {escape(", ".join(wires))}{planes}</desc>\n'
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>\n'
    yield _text(WIDTH / 2, 28, title, size=16)
    yield _text(
        WIDTH / 2, 48, f"switches: {', '.join(counts)}; cables: {', '.join(wires)}{planes}", colour="#555"
    )
    if fabric.core or fabric.leaf > EACH_SWITCH:
        yield from _large(fabric)
    else:
        yield from _small(fabric, names)
    yield "</svg>\n"


def _small(fabric: Fabric, names: Names) -> Iterator[str]:
    spines, leaves = _row(fabric.spine), _row(fabric.leaf)
    pairs = Counter(
        (leaf, spine_end(fabric, leaf, up)[0]) for leaf in range(fabric.leaf) for up in range(fabric.up)
    )
    for (leaf, spine), count in sorted(pairs.items()):
        colour = RAILS[leaf % fabric.wish.rails % len(RAILS)]
        width = min(4.0, 0.6 + 0.15 * count)
        yield _line(
            leaves[leaf].x, ROW_LEAF - 13, spines[spine].x, ROW_SPINE + 13, colour, width, f"{count} cables"
        )
    for index, box in enumerate(spines):
        yield _box(box, ROW_SPINE, "#e8e8e8", f"spine{index}", _short(index, box))
    for index, box in enumerate(leaves):
        rail = index % fabric.wish.rails
        yield _box(
            box, ROW_LEAF, RAILS[rail % len(RAILS)], f"leaf{index}, rail {rail}", _short(index, box), "#fff"
        )
    if spines:
        told = f"spine: {fabric.up // fabric.spine} cables to every leaf"
        yield _text(MARGIN, ROW_SPINE - 20, told, anchor="start", colour="#555")
    yield _text(MARGIN, ROW_LEAF - 20, "leaf", anchor="start", colour="#555")
    rails = fabric.wish.rails
    units = dict(units_of(fabric, names))
    for unit in range(fabric.units):
        first, last = leaves[unit * rails], leaves[unit * rails + rails - 1]
        left, right = first.x - first.width / 2, last.x + last.width / 2
        members = units.get(unit, [])
        yield from _unit(left, right, f"SU {unit}: {len(members)} of {fabric.down} nodes", hostlist(members))
        for rail in range(rails):
            x = leaves[unit * rails + rail].x
            yield _line(
                x,
                ROW_LEAF + 13,
                x,
                ROW_UNIT - 18,
                RAILS[rail % len(RAILS)],
                1.5,
                f"rail {rail} of every node",
            )


def _unit(left: float, right: float, label: str, hosts: str) -> Iterator[str]:
    width = right - left
    yield (
        f'<rect x="{left:.1f}" y="{ROW_UNIT - 18}" width="{width:.1f}" height="52" rx="4" fill="#f5f5f5" '
        f'stroke="#999"><title>{escape(label)} {escape(hosts)}</title></rect>\n'
    )
    if width > 6.4 * len(label):
        yield _text((left + right) / 2, ROW_UNIT + 2, label)
        fits = hosts if len(hosts) * 6.5 < width else hosts[: max(0, int(width / 6.5) - 1)] + "…"
        yield _text((left + right) / 2, ROW_UNIT + 20, fits, colour="#555")
    else:
        yield _text((left + right) / 2, ROW_UNIT + 2, label.split(":")[0], size=10)


def _large(fabric: Fabric) -> Iterator[str]:
    half, up, sets = fabric.half, fabric.up, fabric.core_sets
    pods, cores = _some(fabric.pods), _some(sets)
    pod_boxes, core_boxes = _row(len(pods), 124), _row(len(cores), 124)
    for pod, below in zip(pods, pod_boxes, strict=True):
        for core, above in zip(cores, core_boxes, strict=True):
            count = sum(core_end(fabric, spine, 0)[0] // half == core for spine in range(up)) * half
            tip = f"{count} cables from pod {pod} to core set {core}"
            yield _line(below.x, ROW_LEAF - 24, above.x, ROW_SPINE + 24, "#1f77b4", 1.2, tip)
    for index, (core, box) in enumerate(zip(cores, core_boxes, strict=True)):
        rest = sets - SHOWN + 1 if index == SHOWN - 1 and sets > SHOWN else 1
        label = f"core set {core}" if rest == 1 else f"{rest} more sets"
        yield _tall(box, ROW_SPINE, "#e8e8e8", label, f"{half} core switches{' each' if rest > 1 else ''}")
    for index, (pod, box) in enumerate(zip(pods, pod_boxes, strict=True)):
        leaves = min(half, max(0, fabric.leaf - pod * half))
        rest = fabric.pods - SHOWN + 1 if index == SHOWN - 1 and fabric.pods > SHOWN else 1
        label = f"pod {pod}" if rest == 1 else f"{rest} more pods"
        inside = f"{leaves} leaf × {up} spine" if rest == 1 else f"≤ {half} leaf × {up} spine"
        yield _tall(box, ROW_LEAF, "#dbe9f6", label, inside)
        yield _line(box.x, ROW_LEAF + 24, box.x, ROW_UNIT - 18, "#999", 1.5, "nodes")
    left, right = pod_boxes[0].x - 62, pod_boxes[-1].x + 62
    wish = fabric.wish
    units = f"{wish.nodes} nodes in {fabric.units} scalable units of {fabric.down}"
    yield from _unit(left, right, units, "rail i of every node of a unit on leaf i of the unit")
    per_pair = f"each spine: {half} ports down, {half} up, one to every core of one set"
    yield _text(WIDTH / 2, HEIGHT - 20, per_pair, colour="#555")


def _some(count: int) -> list[int]:
    """The indexes that are drawn: all, or the first ones and the last."""
    return list(range(count)) if count <= SHOWN else [*range(SHOWN - 1), count - 1]


def _row(count: int, widest: float = BOX) -> list[Box]:
    if not count:
        return []
    step = (WIDTH - 2 * MARGIN) / count
    return [Box(MARGIN + step * (index + 0.5), min(widest, step * 0.8)) for index in range(count)]


def _short(index: int, box: Box) -> str:
    return str(index) if box.width >= 8 * len(str(index)) else ""


def _text(
    x: float, y: float, text: str, *, size: int = 12, colour: str = "#222", anchor: str = "middle"
) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}">{escape(text)}</text>\n'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float, tip: str) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-opacity="0.55" '
        f'stroke-width="{width:.2f}"><title>{escape(tip)}</title></line>\n'
    )


def _box(box: Box, y: float, colour: str, tip: str, label: str, ink: str = "#222") -> str:
    rect = (
        f'<rect x="{box.x - box.width / 2:.1f}" y="{y - 13:.1f}" width="{box.width:.1f}" height="26" rx="3" '
        f'fill="{colour}" stroke="#666"><title>{escape(tip)}</title></rect>\n'
    )
    return rect + (_text(box.x, y + 4, label, size=11, colour=ink) if label else "")


def _tall(box: Box, y: float, colour: str, label: str, inside: str) -> str:
    rect = (
        f'<rect x="{box.x - box.width / 2:.1f}" y="{y - 24:.1f}" width="{box.width:.1f}" height="48" rx="4" '
        f'fill="{colour}" stroke="#666"><title>{escape(label)}: {escape(inside)}</title></rect>\n'
    )
    return rect + _text(box.x, y - 4, label) + _text(box.x, y + 13, inside, size=10, colour="#555")
