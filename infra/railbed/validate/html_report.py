"""The report as one self-contained HTML page."""

from __future__ import annotations

from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined

from railbed import plotting
from railbed.claims import Judged, Verdict
from railbed.contract import Contract, Machine
from railbed.validate import plots
from railbed.validate.records import Report

TEMPLATE = "report.html.j2"
RATES = ("Gb/s", "GB/s")
ORDER = {Verdict.FAIL: 0, Verdict.UNPROVEN: 1, Verdict.PASS: 2}


def stands_for(contract: Contract) -> Machine | None:
    """The simulated machine of the contract, if any."""
    return next((m for m in contract.machines if m.stands_for), None)


def number(value: float | str | None) -> str:
    """Four significant digits; text as it is."""
    if isinstance(value, bool) or value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float | int) else str(value)


def real_scale(record: Judged, value: float | str | None, machine: Machine | None) -> str:
    """The same rate on the hardware that is simulated; empty where nothing is."""
    if (
        machine is None
        or not record.simulated
        or record.unit not in RATES
        or not isinstance(value, float | int)
    ):
        return ""
    return f"{value * machine.scale:.4g} {record.unit}"


def rail_rows(report: Report) -> list[dict[str, Any]]:
    """Node × rail with the share of what was expected, for the heat table."""
    rows: dict[str, dict[int, Judged]] = {}
    for record in report.claims:
        if record.claim.startswith("fabric.rail."):
            rows.setdefault(record.node, {})[int(record.claim.split(".")[2])] = record
    return [
        {"node": node, "cells": [_cell(cells[index]) for index in sorted(cells)]}
        for node, cells in rows.items()
    ]


def _cell(record: Judged) -> dict[str, Any]:
    share = None
    if (
        isinstance(record.measured, float | int)
        and isinstance(record.expected, float | int)
        and record.expected
    ):
        share = record.measured / record.expected
    ways = record.detail.get("gbps") or {}
    told = ", ".join(f"{way} {rate:.4g} Gb/s" for way, rate in ways.items() if isinstance(rate, float | int))
    return {
        "verdict": record.verdict.value,
        "share": share,
        "title": f"{record.claim}: {told or record.reason}",
    }


def render(report: Report, contract: Contract) -> str:
    """The page. Needs no other file; plots are left out where matplotlib is not installed."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = number
    machine = stands_for(contract)
    template = environment.from_string(resources.files("railbed.validate").joinpath(TEMPLATE).read_text())
    claims = sorted(report.claims, key=lambda c: ORDER[c.verdict])
    return template.render(
        report=report,
        cluster=contract.name,
        machine=machine,
        claims=[
            {
                "record": c,
                "real": real_scale(c, c.measured, machine),
                "real_floor": real_scale(c, c.floor, machine),
            }
            for c in claims
        ],
        counts={v.value: len(report.of(v)) for v in Verdict},
        rails=rail_rows(report),
        collectives_plot=plots.collectives(report.claims),
        rails_plot=plots.rails(report.claims),
        plots_available=plotting.available(),
        kind="quick check" if report.quick else "full validation" if report.whole else "partial validation",
    )
