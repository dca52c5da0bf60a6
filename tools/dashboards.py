"""Writes docs/dashboards/*.json, for Grafana 11 and later, from tools/dashboards.yaml.

usage: .venv/bin/python tools/dashboards.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from grafana_foundation_sdk.builders import common as shared
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import stat, table, timeseries
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(__file__).with_suffix(".yaml")
FOLDER = ROOT / "docs/dashboards"
SOURCE = models.DataSourceRef(type_val="prometheus", uid="${source}")
WIDTHS = {"stat": 6, "timeseries": 12, "table": 12}
"""Of 24 columns."""
HEIGHTS = {"stat": 4, "timeseries": 8, "table": 8}
CHOICE = 'label_values(up{job="node"}, instance)'


def panel(one: dict[str, Any]) -> Any:
    """A panel's builder, from its entry."""
    kind = one.get("kind", "timeseries")
    builders: dict[str, Any] = {"stat": stat.Panel, "table": table.Panel, "timeseries": timeseries.Panel}
    builder = builders[kind]()
    query = Dataquery().ref_id("A").expr(one["expr"]).legend_format(one.get("legend", ""))
    query = query.range() if kind == "timeseries" else query.instant()
    if kind == "table":
        query = query.format(PromQueryFormat.TABLE)
    builder = (
        builder.title(one["title"])
        .description(one.get("about", ""))
        .datasource(SOURCE)
        .unit(one.get("unit", "short"))
        .span(one.get("width", WIDTHS[kind]))
        .height(HEIGHTS[kind])
        .with_target(query)
    )
    if "max" in one:
        builder = builder.min(0).max(one["max"])
    if "bad_from" in one:
        steps = [
            models.Threshold(color="green"),
            models.Threshold(value=float(one["bad_from"]), color="red"),
        ]
        builder = builder.thresholds(
            build.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)
        )
    if kind == "timeseries":
        builder = builder.legend(shared.VizLegendOptions().show_legend(True).calcs(["lastNotNull", "max"]))
    return builder


def dashboard(uid: str, one: dict[str, Any]) -> str:
    """A dashboard as JSON."""
    expressions = [entry["expr"] for row in one["rows"].values() for entry in row]
    made = (
        build.Dashboard(f"railbed: {one['title']}")
        .uid(uid)
        .description(one["about"])
        .tags(["railbed"])
        .time("now-6h", "now")
        .refresh("1m")
        .with_variable(build.DatasourceVariable("source").label("Prometheus").type("prometheus"))
    )
    if any("$instance" in text for text in expressions):
        choice = (
            build.QueryVariable("instance")
            .label("Nodes")
            .query(CHOICE)
            .datasource(SOURCE)
            .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(True)
            .include_all(True)
        )
        made = made.with_variable(choice)
    for title, entries in one["rows"].items():
        made = made.with_row(build.Row(title))
        for entry in entries:
            made = made.with_panel(panel(entry))
    return json.dumps(made.build(), cls=JSONEncoder, indent=1, sort_keys=True) + "\n"


def files() -> dict[Path, str]:
    """File → its text."""
    return {
        FOLDER / f"{uid}.json": dashboard(uid, one) for uid, one in yaml.safe_load(DATA.read_text()).items()
    }


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in files().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
