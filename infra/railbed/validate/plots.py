"""Plots of a report as inline SVG, drawn with matplotlib where the extra ``report`` is installed."""

from __future__ import annotations

import importlib.util
import io
import re
from collections.abc import Sequence
from typing import Any

from railbed.claims import Judged, Verdict

NAME = re.compile(r"collective\.(\w+)@(\d+)")
INK = "#010203"
"""Drawn in this colour and then turned into ``currentColor``, so that plots read on light and on dark."""
COLOURS = {Verdict.PASS: "#2e9e5b", Verdict.FAIL: "#d64545", Verdict.UNPROVEN: "#c98a1b"}
EXPECTED, FLOOR = "#4c78d0", "#d64545"
HEADROOM = 1.12


def available() -> bool:
    """Whether plots can be drawn here."""
    return importlib.util.find_spec("matplotlib") is not None


def _figure(panels: int) -> tuple[Any, Any]:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams.update(
        {
            "svg.fonttype": "none", "svg.hashsalt": "railbed", "font.size": 9, "axes.edgecolor": INK,
            "axes.labelcolor": INK, "text.color": INK, "xtick.color": INK, "ytick.color": INK,
            "axes.spines.top": False, "axes.spines.right": False,
        }
    )  # fmt: skip
    figure = Figure(figsize=(2.9 * panels, 2.7), layout="constrained")
    figure.patch.set_alpha(0.0)
    axes = figure.subplots(1, panels, squeeze=False)[0]
    for axis in axes:
        axis.patch.set_alpha(0.0)
    return figure, axes


def _svg(figure: Any, title: str) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Title": title})
    text = buffer.getvalue()
    return text[text.index("<svg") :].replace(INK, "currentColor")


def collectives(claims: Sequence[Judged]) -> str:
    """One panel per collective: measured over node counts, with what was expected and the floor.

    Empty where no collective was measured or matplotlib is missing.
    """
    points: dict[str, list[tuple[int, Judged]]] = {}
    for record in claims:
        match = NAME.fullmatch(record.claim)
        if match and isinstance(record.measured, float | int):
            points.setdefault(match[1], []).append((int(match[2]), record))
    if not points or not available():
        return ""
    figure, axes = _figure(len(points))
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
        axis.set_title(name, fontsize=10)
        axis.set_xticks(counts)
        axis.set_xlabel("nodes")
        heights = [
            v for _, r in found for v in (r.measured, r.expected, r.floor) if isinstance(v, float | int)
        ]
        axis.set_ylim(0, HEADROOM * max(heights))
        axis.grid(visible=True, alpha=0.2)
    axes[0].set_ylabel("bus bandwidth, GB/s")
    axes[0].legend(frameon=False, fontsize=8, loc="lower right")
    return _svg(figure, "collectives: measured, expected, floor")


def rails(claims: Sequence[Judged]) -> str:
    """Every rail of every node, both directions, as a strip of points per rail; the gate as a line."""
    seen = [r for r in claims if r.claim.startswith("fabric.rail.") and isinstance(r.measured, float | int)]
    if not seen or not available():
        return ""
    figure, axes = _figure(2)
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
        axis.set_title(f"{way}going", fontsize=10)
        axis.set_xticks(indices)
        axis.set_xlabel("rail")
        axis.grid(visible=True, alpha=0.2)
    axes[0].set_ylabel("payload, Gb/s")
    return _svg(figure, "rails: measured, expected, floor")
