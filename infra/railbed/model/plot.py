"""Draws the curves of bandwidth as SVG, with matplotlib (extra ``report``)."""

from __future__ import annotations

import importlib.util
import io
from typing import Any

from railbed.errors import HostError
from railbed.model.curves import Curve, Picture
from railbed.units import GIB, KIB, MIB

STYLES = {"bound": ("#888888", ":"), "expected": ("#4c78d0", "-"), "floor": ("#d64545", "--")}
MEASURED = ("#2e9e5b", "#c98a1b", "#8a4fbf", "#1b9fc9")
TICKS = {KIB: "1 KiB", 32 * KIB: "32 KiB", MIB: "1 MiB", 32 * MIB: "32 MiB", GIB: "1 GiB", 16 * GIB: "16 GiB"}


def require() -> None:
    """Raises HostError where matplotlib is missing."""
    if importlib.util.find_spec("matplotlib") is None:
        raise HostError(
            "a plot needs matplotlib, which is not installed",
            path="--plot",
            hint="install the extra: pip install 'railbed[report]'",
        )


def svg(picture: Picture) -> str:
    """The picture as a whole SVG document. The same curves give the same bytes. Raises HostError as above."""
    require()
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "railbed", "font.size": 9}):
        figure = Figure(figsize=(7.2, 4.2), layout="constrained")
        axis = figure.subplots()
        for curve in (picture.bound, picture.expected, picture.floor):
            colour, style = STYLES[curve.name]
            _line(axis, curve, colour, style)
        for place, curve in enumerate(picture.measured):
            colour = MEASURED[place % len(MEASURED)]
            _line(axis, curve, colour, "-" if "in place" not in curve.name else "--", marker="o")
        _dress(axis, picture)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Title": picture.title})
    return buffer.getvalue()


def _line(axis: Any, curve: Curve, colour: str, style: str, marker: str = "") -> None:
    if curve.points:
        x, y = [s for s, _ in curve.points], [v for _, v in curve.points]
        axis.plot(
            x,
            y,
            color=colour,
            linestyle=style,
            linewidth=1.4,
            marker=marker,
            markersize=3.5,
            label=curve.name,
        )


def _dress(axis: Any, picture: Picture) -> None:
    axis.set_xscale("log", base=2)
    shown = {size: text for size, text in TICKS.items() if size <= picture.bound.points[-1][0]} or TICKS
    axis.set_xticks(list(shown), list(shown.values()))
    axis.minorticks_off()
    axis.set_xlabel("message size")
    axis.set_ylabel("bus bandwidth, GB/s")
    axis.set_ylim(bottom=0)
    axis.set_title(picture.title, fontsize=10)
    axis.grid(visible=True, alpha=0.2)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=8)
