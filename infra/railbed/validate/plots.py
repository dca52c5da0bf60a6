"""Plots of a report: one panel for each collective, and one for each direction of the rails."""

from __future__ import annotations

import re
from collections.abc import Sequence

from railbed import plotting
from railbed.claims import Judged, Verdict
from railbed.plotting import EXPECTED, FLOOR, INK

NAME = re.compile(r"collective\.(\w+)@(\d+)")
COLOURS = {Verdict.PASS: plotting.GOOD, Verdict.FAIL: plotting.FLOOR, Verdict.UNPROVEN: plotting.DOUBTFUL}
HEADROOM = 1.12
PANEL_IN = (2.9, 2.7)


def collectives(claims: Sequence[Judged]) -> str:
    """One panel per collective: measured over node counts, with what was expected and the floor.

    Empty where no collective was measured or matplotlib is missing.
    """
    points: dict[str, list[tuple[int, Judged]]] = {}
    for record in claims:
        match = NAME.fullmatch(record.claim)
        if match and isinstance(record.measured, float | int):
            points.setdefault(match[1], []).append((int(match[2]), record))
    if not points or not plotting.available():
        return ""
    figure, axes = plotting.figure(PANEL_IN[0] * len(points), PANEL_IN[1], len(points), paper=False)
    for axis, (name, found) in zip(axes, points.items(), strict=True):
        found.sort(key=lambda item: item[0])
        counts = [k for k, _ in found]
        for attribute, colour, style in (("expected", EXPECTED, "-"), ("floor", FLOOR, "--")):
            line = [
                (k, getattr(r, attribute)) for k, r in found if isinstance(getattr(r, attribute), float | int)
            ]
            if line:
                axis.plot(
                    *zip(*line, strict=True), color=colour, linestyle=style, linewidth=1.4, label=attribute
                )
        axis.plot(counts, [r.measured for _, r in found], color=INK, linewidth=0.8, alpha=0.5)
        for k, record in found:
            axis.plot([k], [record.measured], "o", color=COLOURS[record.verdict], markersize=6)
        axis.set_title(name)
        axis.set_xticks(counts)
        axis.set_xlabel("nodes")
        heights = [
            v for _, r in found for v in (r.measured, r.expected, r.floor) if isinstance(v, float | int)
        ]
        axis.set_ylim(0, HEADROOM * max(heights))
    axes[0].set_ylabel("bus bandwidth, GB/s")
    axes[0].legend(loc="lower right")
    return plotting.inline(figure, "collectives: measured, expected, floor")


def rails(claims: Sequence[Judged]) -> str:
    """Every rail of every node, both directions, as a strip of points per rail; the gate as a line."""
    seen = [r for r in claims if r.claim.startswith("fabric.rail.") and isinstance(r.measured, float | int)]
    if not seen or not plotting.available():
        return ""
    figure, axes = plotting.figure(2 * PANEL_IN[0], PANEL_IN[1], 2, paper=False)
    indices = sorted({int(r.claim.split(".")[2]) for r in seen})
    for axis, way in zip(axes, ("out", "in"), strict=True):
        for record in seen:
            rate = (record.detail.get("gbps") or {}).get(way)
            if isinstance(rate, float | int):
                index = int(record.claim.split(".")[2])
                axis.plot([index], [rate], "o", color=COLOURS[record.verdict], markersize=4, alpha=0.8)
        for value, colour, style in ((seen[0].expected, EXPECTED, "-"), (seen[0].floor, FLOOR, "--")):
            if isinstance(value, float | int):
                axis.axhline(value, color=colour, linestyle=style, linewidth=1.2)
        axis.set_title(f"{way}going")
        axis.set_xticks(indices)
        axis.set_xlabel("rail")
    axes[0].set_ylabel("payload, Gb/s")
    return plotting.inline(figure, "rails: measured, expected, floor")
