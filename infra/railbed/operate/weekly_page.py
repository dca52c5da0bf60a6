"""The weekly report as one self-contained HTML page, in the style of a validation's report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from railbed import plotting
from railbed.operate.weekly import Weekly
from railbed.validate import history, html_report, plots
from railbed.validate.groups import number
from railbed.validate.node import faults

TEMPLATE = "weekly.html.j2"
RUNBOOKS = "../../../../docs/runbooks"
"""From the folder of weekly reports in a stack's archive, in a checkout."""
PANEL_IN = (6.4, 2.4)
BARS_MOST = 12


def render(found: Weekly) -> str:
    """The page. Pictures are left out where matplotlib is not installed."""
    template = html_report.page("railbed.operate", TEMPLATE, number=number)
    trends = history.trends([run for run in found.validations if run.rates])
    return template.render(
        style=html_report.style(), found=found, runbook=_runbook, plots_available=plotting.available(),
        day_plot=_days(found.repairs_by_day), cause_plot=_causes({one.code: one.repairs for one in found.causes}),
        trend_plots=plots.trends(dict(list(trends.items())[: html_report.TRENDS_MOST])),
    )  # fmt: skip


def _runbook(code: str) -> str:
    """The page that says what to do for a fault; empty for what no page is about."""
    if code.startswith(("xid-", "recovery-")):
        return f"{RUNBOOKS}/xid.md"
    return f"{RUNBOOKS}/{faults.runbook(code)}.md" if code in faults.FAULTS else ""


def _days(counted: Mapping[str, int]) -> str:
    """Bars: repairs that began on each day."""
    if not plotting.available() or not any(counted.values()):
        return ""
    figure, axis = _panel("repairs begun, each day (UTC)")
    places = range(len(counted))
    axis.bar(places, list(counted.values()), color=plotting.EXPECTED, width=0.7)
    step = max(1, len(counted) // 7)
    days = list(counted)
    axis.set_xticks(list(places)[::step], labels=[day[5:] for day in days[::step]])
    axis.yaxis.get_major_locator().set_params(integer=True)
    return plotting.inline(figure, "Repairs begun on each day")


def _causes(counted: Mapping[str, int]) -> str:
    """Bars: repairs by what they found, most first."""
    if not plotting.available() or not counted:
        return ""
    figure, axis = _panel("repairs by cause")
    shown = dict(list(counted.items())[:BARS_MOST])
    axis.barh(list(shown)[::-1], list(shown.values())[::-1], color=plotting.DOUBTFUL, height=0.7)
    axis.xaxis.get_major_locator().set_params(integer=True)
    return plotting.inline(figure, "Repairs by cause")


def _panel(title: str) -> tuple[Any, Any]:
    figure, (axis,) = plotting.figure(*PANEL_IN, paper=False)
    axis.set_title(title)
    return figure, axis
