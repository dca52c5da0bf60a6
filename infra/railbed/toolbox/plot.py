"""Draws the curves of bandwidth: message sizes by their logarithm, rates from zero."""

from __future__ import annotations

import math

from railbed import plotting
from railbed.text import plain
from railbed.toolbox.curves import Curve, Picture
from railbed.units import GIB, KIB, MIB

SIZE_IN = (8.4, 4.9)
MODEL = {
    "bound": (plotting.BOUND, ":"),
    "expected": (plotting.EXPECTED, "-"),
    "floor": (plotting.FLOOR, "--"),
}
MEASURED = (plotting.GOOD, plotting.DOUBTFUL, "#8a4fbf", "#1b9fc9")
TICKS = {KIB: "1 KiB", 32 * KIB: "32 KiB", MIB: "1 MiB", 32 * MIB: "32 MiB", GIB: "1 GiB", 16 * GIB: "16 GiB"}
HEADROOM = 1.08
"""Above the highest value, so that its line is not the frame."""


def svg(picture: Picture) -> str:
    """The picture as a whole SVG document. Raises UsageError where matplotlib is missing."""
    figure, [axis] = plotting.figure(*SIZE_IN)
    axis.set_xscale("log", base=2)
    lines, names = [], []
    drawn = [(curve, *MODEL[curve.name], "") for curve in (picture.bound, picture.expected, picture.floor)]
    for place, curve in enumerate(picture.measured):
        style = "--" if "in place" in curve.name else "-"
        drawn.append((curve, MEASURED[place % len(MEASURED)], style, "o"))
    for curve, colour, style, dots in drawn:
        if points := _finite(curve):
            mark = dots or ("o" if len(points) == 1 else "")
            lines += axis.plot(*zip(*points, strict=True), style, color=colour, marker=mark, markersize=3.5)
            names.append(plain(curve.name))
    sizes, rates = zip(*(point for curve, *_ in drawn for point in _finite(curve)), strict=True)
    low, high = min(sizes), max(*sizes, 2 * min(sizes))
    ticks = {size: name for size, name in TICKS.items() if low <= size <= high}
    axis.set(
        xlim=(low, high), ylim=(0, HEADROOM * max(rates) or 1), title=plain(picture.title), xlabel="message size",
        ylabel="bus bandwidth, GB/s", xticks=list(ticks), xticklabels=list(ticks.values()),
    )  # fmt: skip
    axis.minorticks_off()
    axis.legend(lines, names, loc="upper left", bbox_to_anchor=(0.02, 0.9))  # below the bound's line
    return plotting.svg(figure, plain(picture.title))


def _finite(curve: Curve) -> list[tuple[int, float]]:
    return [(size, rate) for size, rate in curve.points if math.isfinite(rate)]
