"""Grafana's dashboards: they ask what exporters give, in PromQL that Prometheus reads, and the files are what the tool writes."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.roles.alerting import needs, program
from tests.roles.test_alerts import asked, given

from railbed.run import run

ROOT = Path(__file__).resolve().parents[2]
PANELS: list[tuple[str, dict[str, Any]]] = [
    (f"{uid} {entry['title']}", entry)
    for uid, one in yaml.safe_load((ROOT / "tools/dashboards.yaml").read_text()).items()
    for row in one["rows"].values()
    for entry in row
]


def tool() -> Any:
    spec = importlib.util.spec_from_file_location("dashboards", ROOT / "tools/dashboards.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def plain(expression: str) -> str:
    """As Grafana sends it: with a choice of nodes and an interval in place of its variables."""
    return expression.replace("$instance", "h100-.*").replace("$__rate_interval", "5m")


def test_the_files_are_what_the_tool_writes() -> None:
    wanted = tool().files()
    assert set((ROOT / "docs/dashboards").glob("*.json")) == set(wanted)
    for path, text in wanted.items():
        assert path.read_text() == text, "run .venv/bin/python tools/dashboards.py"


@pytest.mark.parametrize("entry", [entry for _, entry in PANELS], ids=[name for name, _ in PANELS])
def test_a_panel_asks_what_an_exporter_gives(entry: dict[str, Any]) -> None:
    metrics = asked(plain(entry["expr"]))
    assert metrics and metrics <= given()


@needs("promtool")
def test_prometheus_reads_every_expression(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{at}", "expr": plain(entry["expr"])} for at, (_, entry) in enumerate(PANELS)]
    file = tmp_path / "panels.yml"

    def check() -> int:
        file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
        return run([str(program("promtool")), "check", "rules", file], check=False).returncode

    assert check() == 0
    rules[0]["expr"] += " +"
    assert check() != 0


def test_each_dashboard_lets_its_reader_choose_the_source_and_the_nodes() -> None:
    for path, text in tool().files().items():
        made = json.loads(text)
        names = {one["name"] for one in made["templating"]["list"]}
        assert names == ({"source", "instance"} if "$instance" in text else {"source"}), path.name
        panels = [one for one in made["panels"] if one["type"] != "row"]
        assert panels and all(one["datasource"]["uid"] == "${source}" for one in panels)
        assert all(one["gridPos"]["x"] + one["gridPos"]["w"] <= 24 for one in panels)
