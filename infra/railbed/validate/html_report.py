"""The report as one self-contained HTML page, which needs no JavaScript."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from railbed import plotting
from railbed.claims import Judged, Verdict, table
from railbed.contract import Contract, Machine
from railbed.validate import gpu_tables, groups, history, matrices, plots
from railbed.validate.groups import Row, number, rates
from railbed.validate.history import Run, Spread
from railbed.validate.records import Report

TEMPLATE, STYLE = "report.html.j2", "report.css"
RATES = ("Gb/s", "GB/s")
TRENDS_MOST = 12
"""Panels of trends."""


def stands_for(contract: Contract) -> Machine | None:
    """The simulated machine of the contract, if any."""
    return next((m for m in contract.machines if m.stands_for), None)


def real_scale(row: Row, attribute: str, machine: Machine | None) -> str:
    """The same rate on the hardware that is simulated; empty where nothing is."""
    first: Judged = row.first
    found = rates(row.values(attribute))
    if machine is None or not first.simulated or first.unit not in RATES or not found:
        return ""
    return f"{groups.span([value * machine.scale for value in found])} {first.unit}"


def shade(share: float | None) -> str:
    """How strong a passing cell of a heat table is, in per cent: 90 % of what is expected or less is pale."""
    return f"{max(0.0, min(1.0, ((share or 0.0) - plots.HEAT_FLOOR) / (1 - plots.HEAT_FLOOR))) * 60 + 10:.0f}"


def shown_trends(runs: Sequence[Run], report: Report) -> dict[str, list[tuple[str, Spread]]]:
    """The trends of what this run measured; of a collective only over the most nodes."""
    mine, found = history.spreads(report.claims), history.trends(runs)
    largest: dict[str, int] = {}
    for name in mine:
        if match := plots.NAME.fullmatch(name):
            largest[match[1]] = max(largest.get(match[1], 0), int(match[2]))
    chosen = {
        name: points
        for name, points in found.items()
        if name in mine and (not (m := plots.NAME.fullmatch(name)) or largest[m[1]] == int(m[2]))
    }
    return dict(list(chosen.items())[:TRENDS_MOST])


def page(package: str, name: str, **filters: Callable[..., str]) -> Template:
    """A page's template among a package's files: it escapes what it is given, and knows every name it is asked for.

    It may import the macros of ``heat.html.j2``.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        loader=PackageLoader("railbed.validate", "."),
    )  # fmt: skip
    environment.filters |= filters
    return environment.from_string(resources.files(package).joinpath(name).read_text())


def style() -> str:
    """CSS of every page: light, dark, narrow, printed."""
    return resources.files("railbed.validate").joinpath(STYLE).read_text()


def render(report: Report, contract: Contract, runs: Sequence[Run] = ()) -> str:
    """The page. Plots are left out where matplotlib is not installed. ``runs``: the history, oldest first, with this run."""
    template = page("railbed.validate", TEMPLATE, number=number, shade=shade)
    recent = list(runs)[-history.RUNS_SHOWN :]
    return template.render(
        style=style(),
        report=report,
        cluster=contract.name,
        machine=stands_for(contract),
        real_scale=real_scale,
        page_of=table.page_of,
        counts={v.value: len(report.of(v)) for v in Verdict},
        plots_available=plotting.available(),
        runs=recent[::-1],
        **_rows(report),
        **_tables(report, contract),
        # Runs without rates, such as quick ones every hour, would push out all that have some.
        **_pictures(report, [run for run in runs if run.rates][-history.RUNS_SHOWN :]),
    )


def _rows(report: Report) -> dict[str, Any]:
    rows, left_out = groups.open_rows(report.claims)
    return {"open_rows": rows, "open_left_out": left_out, "families": groups.passed(report.claims)}


def _tables(report: Report, contract: Contract) -> dict[str, Any]:
    found = matrices.pairs(report.claims)
    grid = matrices.pair_grid(found, matrices.rail_floor(report.claims))
    return {
        "rails": matrices.rails(report.claims),
        "pairs": grid,
        "pair_count": len(found),
        "slowest_pairs": [] if grid else matrices.slowest_pairs(found),
        "gpus": matrices.gpus(report.claims, contract.nodes),
        "gpu_rates": gpu_tables.alone(report.claims),
        "gpu_pairs": gpu_tables.pairs(report.claims),
        "storage": matrices.storage(report.claims),
    }


def _pictures(report: Report, runs: Sequence[Run]) -> dict[str, Any]:
    return {
        "curve_plots": plots.curves(report.claims),
        "collective_plots": plots.collectives(report.claims),
        "rail_plots": plots.rails(report.claims),
        "heat_plot": plots.heat(report.claims),
        "trend_plots": plots.trends(shown_trends(runs, report)),
    }
