"""Pictures as SVG, drawn with matplotlib where the extra ``report`` is installed. Equal figures give equal bytes."""

from __future__ import annotations

import importlib.util
import io
from typing import Any

from railbed.errors import UsageError

INK = "#222222"
EXPECTED, FLOOR, BOUND = "#4c78d0", "#d64545", "#888888"
GOOD, DOUBTFUL = "#2e9e5b", "#c98a1b"
PAPER = "#ffffff"
STYLE = {
    "svg.fonttype": "none", "svg.hashsalt": "railbed", "text.parse_math": False, "font.size": 9,
    "axes.edgecolor": INK, "axes.labelcolor": INK, "text.color": INK, "xtick.color": INK, "ytick.color": INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.2,
    "axes.titlesize": 10, "legend.fontsize": 8, "legend.frameon": False,
}  # fmt: skip


def available() -> bool:
    """Whether pictures can be drawn here."""
    return importlib.util.find_spec("matplotlib") is not None


def figure(width_in: float, height_in: float, panels: int = 1, *, paper: bool = True) -> tuple[Any, Any]:
    """A figure, and its axes from left to right; without ``paper`` it shows what lies behind it.

    Raises UsageError ``NO_MATPLOTLIB`` where matplotlib is missing.
    """
    if not available():
        raise UsageError(
            "pictures need matplotlib", code="NO_MATPLOTLIB",
            hint="install the extra `report`: uv sync --extra report",
        )  # fmt: skip
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams.update(STYLE)
    made = Figure(figsize=(width_in, height_in), layout="constrained")
    axes = made.subplots(1, panels, squeeze=False)[0]
    for part in (made, *axes):
        part.patch.set_alpha(1.0 if paper else 0.0)
    return made, axes


def svg(made: Any, title: str) -> str:
    """The figure as one SVG document."""
    buffer = io.StringIO()
    made.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Title": title})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def inline(made: Any, title: str) -> str:
    """The same as a part of a page: its ink is the page's, so that it reads on light and on dark."""
    return svg(made, title).replace(INK, "currentColor")
