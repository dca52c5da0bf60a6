"""Writes docs/reference/simulation.md and its pictures.

usage: PYTHONPATH=. .venv/bin/python -m benchmarks.repairs [--seeds 30]

Equal seeds give equal bytes; minutes of processor time.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from statistics import mean, quantiles
from unittest import mock

from railbed import plotting
from railbed.defaults import REPAIRS_PER_NODE
from railbed.laws import longjob
from railbed.operate import guards

from .page import TEMPLATE
from .settings import Faulty, Setting
from .simulation import Outcome, simulate

FOLDER = Path(__file__).resolve().parents[2] / "docs/reference"
RAILBED, HOPE = "railbed", "reboot and hope"
COLOURS = {RAILBED: plotting.GOOD, HOPE: plotting.FLOOR}
SPARES = range(11)
FOUND = (0.0, 0.25, 0.5, 0.75, 1.0)
REPAIRS = (2, 3, 5)
RATES = ("low", "central", "high")


class Runs:
    """Outcomes of all seeds of a setting."""

    def __init__(self, seeds: int) -> None:
        self.seeds = seeds

    def of(self, setting: Setting, way: str = RAILBED, repairs: int = REPAIRS_PER_NODE) -> list[Outcome]:
        """``repairs``: the guard's number for one node and week."""
        with mock.patch.object(guards, "REPAIRS_PER_NODE", repairs):
            return [simulate(setting, seed, way) for seed in range(self.seeds)]


def share(outcomes: list[Outcome]) -> tuple[float, float, float]:
    """Goodput in per cent: 5th percentile, mean, 95th."""
    found = [100 * one.goodput for one in outcomes]
    cuts = quantiles(found, n=20)
    return cuts[0], mean(found), cuts[-1]


def row(rate: str, way: str, outcomes: list[Outcome]) -> str:
    """Of the table of both ways."""
    low, middle, high = share(outcomes)
    boots = [one.counts.get("rung reboot", 0) + one.counts.get("rung power-cycle", 0) for one in outcomes]
    return (
        f"| {rate} | {way} | {middle:.2f} % ({low:.1f} to {high:.1f}) | {mean(o.stops for o in outcomes):.1f} |"
        f" {mean(o.again for o in outcomes):.1f} | {mean(o.waited_h for o in outcomes):.1f} h |"
        f" {mean(o.counts.get('parts', 0) for o in outcomes):.1f} | {mean(boots):.1f} |"
    )


def spares_picture(runs: Runs, setting: Setting) -> tuple[str, dict[int, list[Outcome]]]:
    """Goodput by spares, both ways; and railbed's outcomes."""
    figure, [axis] = plotting.figure(6.4, 3.4)
    kept: dict[int, list[Outcome]] = {}
    for way in (RAILBED, HOPE):
        points = {spares: runs.of(replace(setting, spares=spares), way) for spares in SPARES}
        kept = points if way == RAILBED else kept
        low, middle, high = zip(*(share(one) for one in points.values()), strict=True)
        axis.plot(list(points), middle, "-o", color=COLOURS[way], markersize=3.5, label=way)
        axis.fill_between(list(points), low, high, color=COLOURS[way], alpha=0.15, linewidth=0)
    axis.set(
        xlabel="spare nodes",
        ylabel="goodput, %",
        xticks=list(SPARES),
        title=f"{setting.nodes} nodes, {setting.days:g} days",
    )
    axis.legend(loc="lower right")
    return plotting.svg(figure, "Goodput by spare nodes"), kept


def found_picture(runs: Runs, setting: Setting) -> str:
    """Goodput by what a validation finds, for three limits on repairs of a node."""
    figure, [axis] = plotting.figure(6.4, 3.4)
    for repairs, style in zip(REPAIRS, ("--", "-", ":"), strict=True):
        middle = [
            share(runs.of(replace(setting, faulty=Faulty(found=found)), RAILBED, repairs))[1]
            for found in FOUND
        ]
        axis.plot(
            FOUND, middle, style, color=COLOURS[RAILBED], label=f"railbed, {repairs} repairs of a node a week"
        )
    axis.axhline(share(runs.of(setting, HOPE))[1], color=COLOURS[HOPE], label=HOPE)
    axis.set(
        xlabel="share of hidden faults that a validation finds",
        ylabel="goodput, %",
        title="What validation is worth",
    )
    axis.legend(loc="lower right")
    return plotting.svg(figure, "Goodput by what a validation finds")


def main() -> None:
    """Writes the page."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seeds", type=int, default=30)
    runs, setting = Runs(options.parse_args().seeds), Setting()
    by_spares, kept = spares_picture(runs, setting)
    rows = [
        row(rate, way, runs.of(replace(setting, rate=rate), way)) for rate in RATES for way in (RAILBED, HOPE)
    ]
    alone = runs.of(replace(setting, faulty=Faulty(leaf_share=0.0), rate="high"))
    limits = [
        f"| {repairs} | {share(outcomes)[1]:.2f} % | {mean(o.again for o in outcomes):.1f} |"
        f" {mean(o.counts.get('parts', 0) for o in outcomes):.1f} |"
        for repairs in REPAIRS
        for outcomes in [runs.of(setting, RAILBED, repairs)]
    ]
    waits = [
        f"| {spares} | {share(outcomes)[1]:.2f} % | {mean(o.waited_h for o in outcomes):.1f} h |"
        f" {sum(o.waited_h > 0 for o in outcomes)} of {runs.seeds} |"
        for spares, outcomes in kept.items()
    ]
    (FOLDER / "simulation-spares.svg").write_text(by_spares)
    (FOLDER / "simulation-found.svg").write_text(found_picture(runs, setting))
    page = TEMPLATE.format(
        seeds=runs.seeds, rows="\n".join(rows), waits="\n".join(waits), limits="\n".join(limits),
        auto=longjob.spare_nodes(setting.nodes, 8), same_fault=max(o.same_fault for o in alone),
        failed_hour=max(o.failed_hour for o in alone), repairs_hour=max(o.repairs_hour for o in alone),
        by_chance=sum(o.opened for o in alone), opened=sum(o.opened for o in kept[setting.spares]),
        leaves=sum(o.counts.get("leaves down", 0) for o in kept[setting.spares]),
    )  # fmt: skip
    (FOLDER / "simulation.md").write_text(page)


if __name__ == "__main__":
    main()
