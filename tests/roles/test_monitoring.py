"""Role monitoring: whom the server asks, from the contract."""

from __future__ import annotations

import json
from typing import Any

import yaml
from tests.roles.conftest import Recorded

KEEP = "monitoring: Keep the metrics of all nodes"


def targets(recorded: Recorded, what: str) -> dict[str, dict[str, Any]]:
    found = json.loads(recorded.text("ctl0", f"/etc/prometheus/railbed-{what}.json"))
    return {entry["labels"]["instance"]: entry for entry in found}


def test_every_node_is_asked_by_its_name(lab: Recorded) -> None:
    nodes = targets(lab, "nodes")
    assert set(nodes) == {"ctl0", "h100-0", "h100-1", "h100-2"}
    assert nodes["h100-2"]["targets"] == ["10.90.0.13:9100"]
    assert nodes["h100-2"]["labels"] == {"instance": "h100-2", "role": "spare", "pool": "h100"}


def test_gpus_are_asked_where_they_have_an_exporter(lab: Recorded, machines: Recorded) -> None:
    assert targets(lab, "gpus") == {}
    gpus = targets(machines, "gpus")
    assert set(gpus) == {"h100-0", "h100-1", "h100-2"} and gpus["h100-0"]["targets"] == ["10.90.0.11:9400"]


def test_the_server_is_the_controllers_and_only_it_reaches_it(lab: Recorded) -> None:
    settings = yaml.safe_load(lab.text("ctl0", "/etc/prometheus/prometheus.yml"))
    assert settings["global"]["external_labels"] == {"cluster": "small"}
    jobs = {job["job_name"]: job for job in settings["scrape_configs"]}
    assert jobs["node"]["file_sd_configs"] == [{"files": ["/etc/prometheus/railbed-nodes.json"]}]
    assert set(jobs) == {"prometheus", "node", "dcgm"}
    assert "--web.listen-address=127.0.0.1:9090 " in lab.text("ctl0", "/etc/default/prometheus")
    assert not [path for path in lab.files["h100-0"] if "/prometheus/" in path]


def test_a_new_node_does_not_restart_the_server(lab: Recorded) -> None:
    unit = lab.asked["ctl0"][KEEP]["units"][0]
    assert unit["name"] == "prometheus.service"
    assert unit["files"][:2] == ["/etc/default/prometheus", "/etc/prometheus/prometheus.yml"]
    assert not [path for path in unit["files"] if path.endswith(".json")]
    assert lab.files["ctl0"]["/etc/prometheus/prometheus.yml"]["validate"][:3] == [
        "promtool", "check", "config",
    ]  # fmt: skip
