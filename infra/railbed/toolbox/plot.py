"""Draws the curves of bandwidth as one SVG document, with nothing but text: it works wherever railbed is installed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise

from railbed.toolbox.curves import Curve, Picture
from railbed.units import GIB, KIB, MIB

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 64, 20, 40, 52
STYLES = {"bound": ("#888888", "2 4"), "expected": ("#4c78d0", ""), "floor": ("#d64545", "7 4")}
"""Colour and dashes of the model's lines."""
MEASURED = ("#2e9e5b", "#c98a1b", "#8a4fbf", "#1b9fc9")
TICKS = {KIB: "1 KiB", 32 * KIB: "32 KiB", MIB: "1 MiB", 32 * MIB: "32 MiB", GIB: "1 GiB", 16 * GIB: "16 GiB"}
HEADROOM = 1.08
"""Above the highest value, so that its line is not the frame."""
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
LINES = 6
"""Most lines of the grid, zero aside."""


class _Frame:
    """Where a size and a rate lie on the paper: sizes by their logarithm, rates from zero."""

    def __init__(self, curves: Sequence[Curve]) -> None:
        points = [point for curve in curves for point in curve.points]
        sizes = [size for size, _ in points] or [KIB]
        self.low = math.log2(min(sizes))
        self.high = max(math.log2(max(sizes)), self.low + 1)
        self.most = HEADROOM * max([rate for _, rate in points if math.isfinite(rate)], default=1.0) or 1.0

    def x(self, size: float) -> float:
        return LEFT + (math.log2(size) - self.low) / (self.high - self.low) * (WIDTH - LEFT - RIGHT)

    def y(self, rate: float) -> float:
        return HEIGHT - BOTTOM - rate / self.most * (HEIGHT - TOP - BOTTOM)


def svg(picture: Picture) -> str:
    """The picture as a whole SVG document. The same curves give the same bytes."""
    model = [picture.bound, picture.expected, picture.floor]
    frame = _Frame([*model, *picture.measured])
    drawn = [(curve, *STYLES[curve.name], False) for curve in model]
    for place, curve in enumerate(picture.measured):
        dashes = "7 4" if "in place" in curve.name else ""
        drawn.append((curve, MEASURED[place % len(MEASURED)], dashes, True))
    body: list[str] = [*_paper(frame, picture.title)]
    for curve, colour, dashes, dots in drawn:
        body += _curve(frame, curve, colour, dashes, dots)
    body += _legend([(c.name, colour, dashes) for c, colour, dashes, _ in drawn if c.points])
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12" role="img" aria-labelledby="t"><title id="t">{escape(picture.title)}</title>'
    )
    return "\n".join([head, *body, "</svg>", ""])


def _paper(frame: _Frame, title: str) -> Iterator[str]:
    right, floor = WIDTH - RIGHT, HEIGHT - BOTTOM
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>'
    yield _text(WIDTH / 2, 24, title, "middle", 14)
    step = _step(frame.most)
    for line in range(int(frame.most / step) + 1):
        y = frame.y(line * step)
        yield f'<line x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#e4e4e4"/>'
        yield _text(LEFT - 8, y + 4, f"{line * step:g}", "end")
    for size, told in TICKS.items():
        if frame.low <= math.log2(size) <= frame.high:
            x = frame.x(size)
            yield f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{floor}" stroke="#e4e4e4"/>'
            yield _text(x, floor + 18, told, "middle")
    yield f'<path d="M{LEFT} {TOP}V{floor}H{right}" fill="none" stroke="#555555"/>'
    yield _text((LEFT + right) / 2, HEIGHT - 12, "message size", "middle")
    middle = (TOP + floor) / 2
    turned = f' transform="rotate(-90 16 {middle:.1f})"'
    yield _text(16, middle, "bus bandwidth, GB/s", "middle", more=turned)


def _step(most: float) -> float:
    """A round distance of the grid's lines."""
    power = 10.0 ** math.floor(math.log10(most / LINES))
    return next((power * step for step in STEPS if power * step * LINES >= most), power * STEPS[-1])


def _curve(frame: _Frame, curve: Curve, colour: str, dashes: str, dots: bool) -> Iterator[str]:
    points = [(frame.x(size), frame.y(rate)) for size, rate in curve.points if math.isfinite(rate)]
    if not points:
        return
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    yield f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.6"{_dashed(dashes)}/>'
    lonely = len(points) == 1 or all(one == other for one, other in pairwise(points))
    for x, y in points if dots or lonely else ():
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.4" fill="{colour}"/>'


def _legend(lines: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    """Names of the curves, in the corner that rising curves leave free."""
    longest = max((len(name) for name, _, _ in lines), default=0)
    width, height = 52 + 6.6 * longest, 10 + 17 * len(lines)
    x, y = LEFT + 12, TOP + 44  # below the bound's line
    yield (
        f'<rect x="{x}" y="{y}" width="{width:.0f}" height="{height}" rx="3" fill="#ffffff" '
        'fill-opacity="0.85" stroke="#dddddd"/>'
    )
    for place, (name, colour, dashes) in enumerate(lines):
        at = y + 17 + 17 * place
        yield (
            f'<line x1="{x + 8}" y1="{at - 4}" x2="{x + 36}" y2="{at - 4}" stroke="{colour}" '
            f'stroke-width="1.6"{_dashed(dashes)}/>'
        )
        yield _text(x + 44, at, name, "start")


def _dashed(dashes: str) -> str:
    return f' stroke-dasharray="{dashes}"' if dashes else ""


def _text(x: float, y: float, text: str, anchor: str, size: int = 12, more: str = "") -> str:
    told = escape(text)
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="#333333"{more}>{told}</text>'
