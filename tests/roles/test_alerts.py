"""Alert rules: each fires for what it is about and for nothing else, by promtool; and leads to a runbook that names it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from tests.roles import test_cluster_metrics, test_metrics
from tests.roles.alerting import needs, program
from tests.roles.conftest import Recorded
from tests.unit.claims.test_runbooks import subjects

from railbed.defaults import DRAIN_ALL_SHARE, TIME_OFFSET_S
from railbed.run import Result, run
from railbed.spec.alerts import Team
from railbed.validate.node import faults, xids

ROOT = Path(__file__).resolve().parents[2]
ALWAYS_THERE = sorted((ROOT / "roles/monitoring/files/rules").glob("*.yml"))
SENDING = ROOT / "roles/monitoring/files/sending.yml"
"""Where somebody is told of alerts."""
FILES = [*ALWAYS_THERE, SENDING]
CASES: dict[str, Any] = yaml.safe_load((ROOT / "tests/roles/data/alerts.yaml").read_text())
EVERY: list[dict[str, Any]] = [
    rule for file in FILES for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]
]
RULES = {rule["alert"]: rule for rule in EVERY if "alert" in rule}
RECORDED = {rule["record"]: rule for rule in EVERY if "record" in rule}
ALWAYS = "Watchdog"
STEP_MIN = {"NodeDrainedLong": 30}
"""Minutes between the values of a case, where that is more than one: a day of minutes takes long."""
DOWN_SINCE_FRIDAY = {
    "RailDown": {'railbed_rdma_port_state{device="mlx5_3",instance="a"}': "4x48 1x200"},
    "NvlinkDown": {'railbed_nvlink_link_gbytes_per_s{gpu="5",link="3"}': "26.5x48 0x200"},
    "PcieLinkNarrower": {'railbed_pcie_link_width{address="0000:18:00.0",kind="gpu"}': "16x48 8x700"},
}
"""What was whole for a day and is not since, a value each 30 minutes: three days, of a PCIe link more than a week."""
PLACE = "RUNBOOKS/"
RAW_NODE = {
    "node_boot_time_seconds": "stat", "node_timex_sync_status": "timex", "node_timex_offset_seconds": "timex",
    "node_filesystem_avail_bytes": "filesystem", "node_filesystem_size_bytes": "filesystem",
    "node_filesystem_files_free": "filesystem", "node_filesystem_files": "filesystem",
    "node_filesystem_readonly": "filesystem", "node_edac_uncorrectable_errors_total": "edac",
    "node_edac_correctable_errors_total": "edac", "node_network_carrier_down_changes_total": "netclass",
    "node_cpu_seconds_total": "cpu", "node_memory_MemAvailable_bytes": "meminfo", "node_memory_MemTotal_bytes": "meminfo",
    "node_textfile_mtime_seconds": "textfile", "node_textfile_scrape_error": "textfile",
}  # fmt: skip
"""Metric of the node exporter → its collector; all are on by default (prometheus/node_exporter 1.5 and 1.7, README and the
collectors' sources)."""
OF_PROMETHEUS = {
    "up", "ALERTS", "prometheus_rule_evaluation_failures_total", "prometheus_notifications_alertmanagers_discovered",
    "prometheus_notifications_errors_total", "prometheus_notifications_dropped_total",
    "alertmanager_notifications_failed_total",
}  # fmt: skip
"""Prometheus, "Jobs and instances", "Alerting rules" (ALERTS); its own rules/manager.go and notifier/notifier.go; Alertmanager's
notify/notify.go."""
TEAMS = set(get_args(Team))
"""Who routes of a spec may name."""


def asked(expression: str) -> set[str]:
    """Names of metrics in an expression: what stands before a selector, a range or an operator."""
    bare = re.sub(r'"[^"]*"', '""', expression)
    bare = re.sub(r"\{[^}]*\}", "", bare)
    bare = re.sub(r"\b(by|on|group_left|without) \([^)]*\)", "", bare)
    return set(re.findall(r"\b(up|ALERTS|[A-Za-z]+(?:_[A-Za-z0-9:]+)+)\b(?! ?\()", bare)) - {
        "max_over_time",
        "label_replace",
    }


def given() -> set[str]:
    """Every metric that the roles have some exporter give."""
    fields = (ROOT / "roles/dcgm/files/counters.csv").read_text()
    return {
        *RAW_NODE,
        *OF_PROMETHEUS,
        *RECORDED,
        *(f"railbed_{name}" for name in test_metrics.HARDWARE.HELP),
        *(f"railbed_slurm_{name}" for name in test_cluster_metrics.CLUSTER.HELP),
        *re.findall(r"^(DCGM_\w+),", fields, re.M),
    }


def test_there_are_alerts_and_cases_for_each() -> None:
    counted = sum(file.read_text().count("- alert:") for file in FILES)
    assert len(RULES) == counted > 40, "each name once"
    assert set(CASES) == set(RULES) - {ALWAYS}


@pytest.mark.parametrize("name", RULES)
def test_an_alert_has_its_labels_and_a_runbook_that_names_it(name: str) -> None:
    rule = RULES[name]
    assert rule["labels"]["severity"] in ("critical", "warning", "none") and rule["labels"]["team"] in TEAMS
    assert set(rule["annotations"]) == {"summary", "runbook_url"}
    page = rule["annotations"]["runbook_url"]
    assert page.startswith(PLACE)
    assert name in subjects((ROOT / "docs/runbooks" / page.removeprefix(PLACE)).read_text())


def test_no_runbook_names_an_alert_that_is_not_there() -> None:
    pages = (ROOT / "docs/runbooks").glob("*.md")
    named = {one for page in pages if page.name != "README.md" for one in subjects(page.read_text())}
    assert {one for one in named if re.fullmatch(r"[A-Z]\w+", one)} == set(RULES)


@pytest.mark.parametrize("name", [*RULES, *RECORDED])
def test_a_rule_asks_what_an_exporter_gives(name: str) -> None:
    metrics = asked({**RULES, **RECORDED}[name]["expr"])
    assert metrics or name == ALWAYS
    assert metrics <= given()


def test_what_a_stale_controller_said_is_in_no_alert() -> None:
    for name, rule in RULES.items():
        said = re.findall(r"railbed_slurm_(?!stale)\w+(?:\{[^}]*\})?(.{0,21})", rule["expr"])
        assert all(after.startswith(" unless on (instance)") for after in said), name


def test_a_metric_that_nobody_gives_is_found() -> None:
    assert asked('sum by (instance) (rate(node_made_up_total{a="b_c"}[5m])) / on (x_y) up > 0') == {
        "node_made_up_total",
        "up",
    }
    assert not {"node_made_up_total"} <= given()


def test_codes_and_limits_are_those_of_the_checks() -> None:
    def codes(name: str, sign: str) -> set[int]:
        return {int(code) for code in re.findall(rf"{sign} (\d+)", RULES[name]["expr"])}

    watched = {*xids.WATCHED, xids.RECOVERY}
    assert codes("GpuXidHardware", "==") == set(xids.HARDWARE)
    assert codes("GpuXidWatched", "==") == watched
    assert codes("GpuXidUnknown", "!=") == {0, *xids.APPLICATION, *watched, *xids.HARDWARE}
    assert RULES["ClockOffset"]["expr"].endswith(f"> {TIME_OFFSET_S:g}")
    assert RULES["DrainedOverLimit"]["expr"].endswith(f"> {DRAIN_ALL_SHARE:g}")
    reported = re.findall(r'code[!=]~"([^"]+)"', " ".join(rule["expr"] for rule in RULES.values()))
    assert all(
        any(re.fullmatch(part, code) for code in faults.FAULTS) for one in reported for part in one.split("|")
    )


@needs("promtool")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_promtool_takes_the_rules(file: Path) -> None:
    done = run([str(program("promtool")), "check", "rules", file], check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def firing(name: str, series: dict[str, str], at: int, fires: bool) -> dict[str, Any]:
    """One of promtool's tests: whether an alert of the name fires at the minute ``at``."""
    expected = [{"labels": "{}", "value": 1}] if fires else []
    query = f'count(ALERTS{{alertname="{name}",alertstate="firing"}} == 1) > bool 0'
    step = STEP_MIN.get(name, 1)
    return {
        "interval": f"{step}m", "name": f"{name} {'fires' if fires else 'is quiet'}",
        "input_series": [{"series": one, "values": values} for one, values in series.items()],
        "promql_expr_test": [{"expr": query, "eval_time": f"{at}m", "exp_samples": expected}],
    }  # fmt: skip


def told(folder: Path, tests: list[dict[str, Any]], step_min: int = 1) -> Result:
    """What promtool says of tests over all rules."""
    file, files = folder / "tests.yml", [str(one) for one in FILES]
    file.write_text(
        yaml.safe_dump({"rule_files": files, "evaluation_interval": f"{step_min}m", "tests": tests})
    )
    return run([str(program("promtool")), "test", "rules", file], check=False, timeout_s=600)


@needs("promtool")
def test_each_alert_fires_for_its_fault_and_is_quiet_without(tmp_path: Path) -> None:
    for step in (1, *STEP_MIN.values()):
        cases = {name: case for name, case in CASES.items() if STEP_MIN.get(name, 1) == step}
        tests = [
            firing(name, one, case["at"], kind == "fires")
            for name, case in cases.items()
            for kind in ("fires", "quiet")
            for one in (case[kind] if isinstance(case[kind], list) else [case[kind]])
        ]
        done = told(tmp_path, [*tests, firing(ALWAYS, {}, step, True)], step)
        assert done.returncode == 0, done.stdout + done.stderr


@needs("promtool")
@pytest.mark.parametrize("name", DOWN_SINCE_FRIDAY)
def test_what_went_down_on_friday_still_fires_on_monday(tmp_path: Path, name: str) -> None:
    series = DOWN_SINCE_FRIDAY[name]
    never = {one: f"{values.partition(' ')[2].partition('x')[0]}x800" for one, values in series.items()}
    last_min = 30 * (700 if name == "PcieLinkNarrower" else 190)
    tests = [
        {**firing(name, shown, last_min, fires), "interval": "30m"}
        for shown, fires in ((series, True), (never, False))
    ]
    done = told(tmp_path, tests, 30)
    assert done.returncode == 0, done.stdout + done.stderr


@needs("promtool")
@pytest.mark.parametrize(("healthy", "fires"), [(300, True), (600, False)])
def test_so_few_rails_of_a_large_fleet_are_no_one_cause(tmp_path: Path, healthy: int, fires: bool) -> None:
    def port(instance: str) -> str:
        return f'railbed_rdma_port_state{{device="mlx5_3",instance="{instance}",role="compute"}}'

    series = {port(f"n{one}"): "4x10" for one in range(healthy)} | {port(one): "4x3 1x10" for one in "abcd"}
    done = told(tmp_path, [firing("ManyRailsDown", series, 8, fires)])
    assert done.returncode == 0, done.stdout + done.stderr


@needs("promtool")
def test_rails_that_many_lost_long_ago_mute_no_other(tmp_path: Path) -> None:
    series = {
        f'railbed_rdma_port_state{{device="mlx5_3",instance="{one}",role="compute"}}': "4x5 1x95"
        for one in "abcd"
    }
    tests = [firing(name, series, at, fires) for name, at, fires in
             (("ManyRailsDown", 20, True), ("ManyRailsDown", 90, False), ("RailDown", 90, True))]  # fmt: skip
    done = told(tmp_path, tests)
    assert done.returncode == 0, done.stdout + done.stderr


@needs("promtool")
def test_a_node_that_goes_down_after_many_is_told_of(tmp_path: Path) -> None:
    """Of nodes that are down for long no alert is left that mutes it; the runbook's own is there for each of them."""
    long_ago = {f'up{{job="node",instance="{one}",role="compute"}}': "1x5 0x95" for one in "abcd"}
    series = {**long_ago, 'up{job="node",instance="e",role="compute"}': "1x80 0x20"}
    tests = [
        firing("ManyNodesDown", series, 20, True), firing("ManyNodesDown", series, 90, False),
        firing("NodeDown", series, 90, True),
    ]  # fmt: skip
    done = told(tmp_path, tests)
    assert done.returncode == 0, done.stdout + done.stderr


@needs("promtool")
def test_an_alert_says_which_node_or_what_else_it_is_about(tmp_path: Path) -> None:
    """What says neither would be one message with all others that do not (template alertmanager.yml.j2, group_by)."""
    tests = []
    for name, case in CASES.items():
        given = case["fires"] if isinstance(case["fires"], list) else [case["fires"]]
        for series in given:
            one = firing(name, {of_a_host(key): values for key, values in series.items()}, case["at"], True)
            query = f'count(ALERTS{{alertname="{name}",alertstate="firing",instance="",subject=""}})'
            one["promql_expr_test"].append({"expr": query, "eval_time": f"{case['at']}m"})
            if STEP_MIN.get(name, 1) == 1:
                tests.append(one)
    done = told(tmp_path, tests)
    assert done.returncode == 0, done.stdout + done.stderr


def of_a_host(series: str) -> str:
    """As Prometheus keeps it: with the instance that it was asked of."""
    return series if "instance=" in series else series.replace("{", '{instance="h100-3",', 1)


@needs("promtool")
def test_a_case_that_is_wrong_is_found(tmp_path: Path) -> None:
    case = CASES["NodeDown"]
    for wrong in (
        firing("NodeDown", case["quiet"], case["at"], True),
        firing("NodeDown", case["fires"], case["at"], False),
    ):
        assert told(tmp_path, [wrong]).returncode != 0


@needs("promtool")
def test_an_alert_of_slurms_nodes_is_about_the_node_and_says_so(tmp_path: Path) -> None:
    series = {'railbed_slurm_node_down{node="h100-3",instance="ctl0",role="controller"}': "1x20"}
    want = {
        "eval_time": "10m", "alertname": "SlurmNodeDown",
        "exp_alerts": [
            {
                "exp_labels": {
                    "severity": "critical", "team": "compute", "node": "h100-3", "instance": "h100-3",
                },
                "exp_annotations": {"summary": "Slurm has h100-3 down", "runbook_url": "RUNBOOKS/scheduler.md"},
            }
        ],
    }  # fmt: skip
    one = {
        "interval": "1m",
        "input_series": [{"series": k, "values": v} for k, v in series.items()],
        "alert_rule_test": [want],
    }
    done = told(tmp_path, [one])
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_controller_gets_every_rule_checked_and_restarts_for_it(lab: Recorded) -> None:
    for file in ALWAYS_THERE:
        path = f"/etc/prometheus/railbed-rules/{file.name}"
        assert lab.files["ctl0"][path]["validate"] == ["promtool", "check", "rules", "%s"]
        text = lab.text("ctl0", path)
        assert PLACE not in text and "docs/runbooks/" in text and "{{ $labels" in text
        assert yaml.safe_load(text)["groups"]
        assert path not in lab.files["h100-0"]
    server, timer = lab.asked["ctl0"]["monitoring: Keep the metrics of all nodes"]["units"]
    assert {f"/etc/prometheus/railbed-rules/{file.name}" for file in ALWAYS_THERE} < set(server["files"])
    assert timer["name"] == "railbed-cluster-metrics.timer"
    assert 'rule_files: ["/etc/prometheus/railbed-rules/*.yml"]' in lab.text(
        "ctl0", "/etc/prometheus/prometheus.yml"
    )
