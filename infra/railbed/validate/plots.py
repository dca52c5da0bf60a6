"""Pictures of a report, one panel each, so that a narrow page puts them below one another.

Empty where nothing was measured or matplotlib is missing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from railbed import plotting
from railbed.claims import Judged, Verdict
from railbed.plotting import BOUND, EXPECTED, FLOOR, INK
from railbed.validate.groups import rates
from railbed.validate.history import Spread
from railbed.validate.matrices import share_of

NAME = re.compile(r"collective\.(\w+)@(\d+)")
COLOURS = {Verdict.PASS: plotting.GOOD, Verdict.FAIL: plotting.FLOOR, Verdict.UNPROVEN: plotting.DOUBTFUL}
SERIES = ("#4c78d0", "#2e9e5b", "#c98a1b", "#8a5fbf", "#3aa6b9", "#b0567e")
HEADROOM = 1.12
PANEL_IN = (3.1, 2.6)
POINTS_MOST = 1000
"""Of more rails only the range is drawn, and each that did not pass."""
HEAT_ROWS_LEAST = 65
"""Fewer nodes have a table with numbers."""
HEAT_LINES_MOST = 256
"""Lines of the heat map; of more nodes each line is the slowest of several, so that no slow rail falls between pixels."""
HEAT_FLOOR = 0.9
"""Share of what is expected at the dark end of the heat map."""


def _collectives(claims: Iterable[Judged]) -> dict[str, list[tuple[int, Judged]]]:
    """Collective → node count and verdict, by node count."""
    found: dict[str, list[tuple[int, Judged]]] = {}
    for record in claims:
        match = NAME.fullmatch(record.claim)
        if match and rates([record.measured]):
            found.setdefault(match[1], []).append((int(match[2]), record))
    return {name: sorted(points, key=lambda item: item[0]) for name, points in found.items()}


def collectives(claims: Sequence[Judged]) -> list[str]:
    """One panel per collective: measured over node counts, with what was expected and the floor."""
    drawn = []
    for name, found in _collectives(claims).items() if plotting.available() else ():
        figure, (axis,) = plotting.figure(*PANEL_IN, paper=False)
        counts = [k for k, _ in found]
        for attribute, colour, style in (("expected", EXPECTED, "-"), ("floor", FLOOR, "--")):
            line = [(k, getattr(r, attribute)) for k, r in found if rates([getattr(r, attribute)])]
            if line:
                xs, ys = zip(*line, strict=True)
                axis.plot(xs, ys, color=colour, linestyle=style, linewidth=1.4, label=attribute)
        axis.plot(counts, [r.measured for _, r in found], color=INK, linewidth=0.8, alpha=0.5)
        for k, record in found:
            axis.plot([k], [record.measured], "o", color=COLOURS[record.verdict], markersize=6)
        axis.set_title(name)
        axis.set_xticks(counts)
        axis.set_xlabel("nodes")
        axis.set_ylabel("bus bandwidth, GB/s")
        axis.set_ylim(
            0, HEADROOM * max(v for _, r in found for v in rates([r.measured, r.expected, r.floor]))
        )
        if axis.get_legend_handles_labels()[0]:
            axis.legend(loc="lower right")
        drawn.append(plotting.inline(figure, f"{name}: measured, expected and floor over nodes"))
    return drawn


def curves(claims: Sequence[Judged]) -> list[str]:
    """One panel per collective: bus bandwidth over message size, a line for each node count, with what is expected as a thin line
    and the floors dashed; a size below its floor is a red cross. Only of collectives that were measured at several sizes."""
    drawn = []
    for name, found in _collectives(claims).items() if plotting.available() else ():
        lines = [(k, record, _points(record)) for k, record in found]
        if all(len(points) < 2 for _, _, points in lines):
            continue
        figure, (axis,) = plotting.figure(*PANEL_IN, paper=False)
        for at, (k, record, points) in enumerate(lines):
            colour = SERIES[at % len(SERIES)]
            sizes = [size for size, _ in points]
            axis.plot(
                sizes, [rate for _, rate in points], color=colour, linewidth=1.2, marker="o", markersize=3,
                label=f"{k} nodes",
            )  # fmt: skip
            _limits(axis, record, points, colour)
        axis.set_xscale("log", base=2)
        every = [size for _, _, points in lines for size, _ in points]
        axis.set_xticks(sorted({min(every), max(every)}), labels=_sizes(sorted({min(every), max(every)})))
        axis.set_yscale("log")
        low, high = axis.get_ylim()
        decades = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
        axis.set_yticks([10.0**power for power in decades], labels=[f"{10.0**power:g}" for power in decades])
        axis.minorticks_off()
        axis.set_title(name)
        axis.set_xlabel("message size")
        axis.set_ylabel("bus bandwidth, GB/s")
        axis.legend(loc="lower right")
        drawn.append(plotting.inline(figure, f"{name}: bus bandwidth over message size"))
    return drawn


def _limits(axis: Any, record: Judged, points: Sequence[tuple[int, float]], colour: str) -> None:
    """References of a curve's sizes."""
    reaches = [(int(size), expected, floor) for size, expected, floor in record.detail.get("curve") or ()]
    for column, style, width in ((1, "-", 0.6), (2, "--", 0.8)):
        line = [(one[0], one[column]) for one in reaches if rates([one[column]])]
        if len(line) == 1:
            line = [(line[0][0] // 2, line[0][1]), (line[0][0] * 2, line[0][1])]
        if line:
            xs, ys = zip(*line, strict=True)
            axis.plot(xs, ys, color=colour, linestyle=style, linewidth=width, alpha=0.7)
    low = [(int(size), rate) for size, rate, _ in record.detail.get("low") or ()]
    if not low and record.verdict is Verdict.FAIL and points:
        low = [points[-1]]
    if low:
        xs, ys = zip(*low, strict=True)
        axis.plot(xs, ys, "x", color=FLOOR, markersize=7, markeredgewidth=1.6)


def _points(record: Judged) -> list[tuple[int, float]]:
    """Size in bytes and out-of-place bus bandwidth in GB/s, by size."""
    found = []
    for row in record.detail.get("rows") or ():
        rate = (row.get("out_of_place") or {}).get("busbw_gbytes_per_s")
        found += [(int(row["size_bytes"]), one) for one in rates([rate])]
    return sorted(found)


def _sizes(values: Iterable[int]) -> list[str]:
    labels = []
    for value in values:
        power = min((value.bit_length() - 1) // 10, 4)
        labels.append(f"{value / 1024**power:.4g} {('B', 'KiB', 'MiB', 'GiB', 'TiB')[power]}")
    return labels


def rails(claims: Sequence[Judged]) -> list[str]:
    """Every rail of every node, a panel for each direction; of very many the range, and those that did not pass."""
    seen = [r for r in claims if r.claim.startswith("fabric.rail.") and rates([r.measured])]
    drawn = []
    for direction in ("out", "in") if seen and plotting.available() else ():
        figure, (axis,) = plotting.figure(*PANEL_IN, paper=False)
        found: dict[Verdict, list[tuple[int, float]]] = {}
        for record in seen:
            for rate in rates([(record.detail.get("gbps") or {}).get(direction)]):
                found.setdefault(record.verdict, []).append((int(record.claim.split(".")[2]), rate))
        if sum(map(len, found.values())) > POINTS_MOST:
            _ranges(axis, found.pop(Verdict.PASS, []))
        for verdict, points in found.items():
            xs, ys = zip(*points[:POINTS_MOST], strict=True)
            axis.plot(xs, ys, "o", color=COLOURS[verdict], markersize=4, alpha=0.8)
        for value, colour, style in ((seen[0].expected, EXPECTED, "-"), (seen[0].floor, FLOOR, "--")):
            for height in rates([value]):
                axis.axhline(height, color=colour, linestyle=style, linewidth=1.2)
        axis.set_title(f"{direction}going")
        axis.set_xticks(sorted({int(r.claim.split(".")[2]) for r in seen}))
        axis.set_xlabel("rail")
        axis.set_ylabel("payload, Gb/s")
        drawn.append(plotting.inline(figure, f"rails, {direction}going: measured, expected, floor"))
    return drawn


def _ranges(axis: Any, points: Sequence[tuple[int, float]]) -> None:
    """Least to most of each rail, with its median."""
    by_rail: dict[int, list[float]] = {}
    for rail, rate in points:
        by_rail.setdefault(rail, []).append(rate)
    for rail, found in by_rail.items():
        axis.vlines(rail, min(found), max(found), color=plotting.GOOD, linewidth=3, alpha=0.6)
        axis.plot([rail], [median(found)], "_", color=INK, markersize=9)


def heat(claims: Sequence[Judged]) -> str:
    """Node × rail as one picture, for more nodes than a table shows; grey where nothing was measured."""
    shares: dict[str, dict[int, float]] = {}
    indices: set[int] = set()
    for record in claims:
        if record.claim.startswith("fabric.rail."):
            index, share = int(record.claim.split(".")[2]), share_of(record, record.measured)
            indices.add(index)
            shares.setdefault(record.node, {})[index] = math.nan if share is None else share
    if len(shares) < HEAT_ROWS_LEAST or not plotting.available():
        return ""
    columns, rows = sorted(indices), list(shares.values())
    band = math.ceil(len(rows) / HEAT_LINES_MOST)
    grid = [
        [_least(row.get(index) for row in rows[at : at + band]) for index in columns]
        for at in range(0, len(rows), band)
    ]
    figure, (axis,) = plotting.figure(2 * PANEL_IN[0], 2 * PANEL_IN[1], paper=False)
    axis.set_facecolor(BOUND)
    axis.patch.set_alpha(1.0)
    axis.grid(visible=False)
    picture = axis.imshow(
        grid, aspect="auto", interpolation="nearest", cmap="viridis", vmin=HEAT_FLOOR, vmax=1.0,
        extent=(-0.5, len(columns) - 0.5, band * len(grid), 0),
    )  # fmt: skip
    axis.set_xticks(range(len(columns)), labels=[str(index) for index in columns])
    axis.set_xlabel("rail")
    each = f", a line is the slowest of {band}" if band > 1 else ""
    axis.set_ylabel(f"node, in the order of the contract{each}")
    figure.colorbar(picture, ax=axis, label="share of what is expected", extend="min")
    return plotting.inline(figure, "heat map of nodes and rails")


def _least(shares: Iterable[float | None]) -> float:
    """The least that was measured; not a number where nothing was."""
    found = [share for share in shares if share is not None and not math.isnan(share)]
    return min(found, default=math.nan)


def trends(found: Mapping[str, Sequence[tuple[str, Spread]]]) -> list[str]:
    """One panel per claim: the median over the runs, least to most as a band, the floor dashed."""
    drawn = []
    for name, points in found.items() if plotting.available() else ():
        figure, (axis,) = plotting.figure(*PANEL_IN, paper=False)
        xs, spreads = range(len(points)), [spread for _, spread in points]
        axis.fill_between(
            xs, [s.least for s in spreads], [s.most for s in spreads], color=EXPECTED, alpha=0.2, linewidth=0
        )
        axis.plot(xs, [s.median for s in spreads], color=EXPECTED, marker="o", markersize=3, linewidth=1.2)
        axis.plot(xs, [s.floor for s in spreads], color=FLOOR, linestyle="--", linewidth=1)
        ends = [0, len(points) - 1]
        axis.set_xticks(ends, labels=[points[at][0][5:16].replace("T", " ") for at in ends])
        axis.set_ylim(0, HEADROOM * max(max(s.most, s.floor) for s in spreads))
        axis.set_title(name)
        axis.set_ylabel(spreads[0].unit)
        drawn.append(plotting.inline(figure, f"{name} over the last runs"))
    return drawn
