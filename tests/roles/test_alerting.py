"""Who is told of which alert: role monitoring with its real modules, its files checked by promtool and amtool."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.roles.alerting import needs, program
from tests.roles.apart import Site
from tests.roles.conftest import Recorded
from tests.roles.receivers import ACCOUNT, ALERTS, SECRETS, UNIT, prepared, variables

from railbed.contract import site
from railbed.run import Result, run
from railbed.spec.alert_checks import URL_FILE_SINCE

CONFIG, DEFAULTS = "prometheus/railbed-alertmanager.yml", "default/prometheus-alertmanager"
RULES, RECEIVERS = "prometheus/railbed-rules/sending.yml", "prometheus/railbed-receivers"
pytestmark = needs("amtool")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Receivers come, some go, a configuration is refused, all go; a site's own Alertmanager stays."""
    made = prepared(tmp_path_factory.mktemp("alerting"))
    all_of_them = variables(made.folder, ALERTS)
    fewer = ALERTS.model_copy(update={"heartbeat": "", "routes": [], "receivers": ALERTS.receivers[1:2]})
    shared = ALERTS.model_copy(update={"heartbeat": "chat", "receivers": ALERTS.receivers[1:2], "routes": []})
    hidden = site.Receiver(name="hidden", kind="webhook", file="url")
    by_file = shared.model_copy(update={"default": ["hidden"], "heartbeat": "hidden", "receivers": [hidden]})
    wrong = ALERTS.model_copy(update={"default": ["nobody-knows"]})
    keep = "mkdir {0}; cp -a etc/prometheus etc/default units.json {0}/; "
    made.run(
        f"{ACCOUNT}; : > done",
        made.step("on", all_of_them), keep.format("on") + "cp done on/", made.step("again", all_of_them),
        made.step("fewer", variables(made.folder, fewer)), keep.format("fewer"),
        # amtool finds fault with what it is shown.
        "mv bin/amtool aside; printf '#!/bin/sh\necho bad receiver; exit 1\n' > bin/amtool; chmod +x bin/amtool",
        made.step("refused", variables(made.folder, wrong)), "mv aside bin/amtool; " + keep.format("refused"),
        made.step("shared", variables(made.folder, shared)), keep.format("shared"),
        # Takes what only 0.26 and later know.
        "mv bin/amtool aside; printf '#!/bin/sh\n' > bin/amtool; chmod +x bin/amtool",
        made.step("by-file", variables(made.folder, by_file)), "mv aside bin/amtool; " + keep.format("by-file"),
        made.step("off", variables(made.folder, None)), keep.format("off"), made.step("off-again", variables(made.folder, None)),
        "echo own > etc/prometheus/alertmanager.yml; sed -i 's/inactive/active/' units.json",
        made.step("own", variables(made.folder, None)), keep.format("own"),
    )  # fmt: skip
    return made


def of(host: Site, when: str, path: str) -> Path:
    return host.folder / when / path


def config(host: Site, when: str = "on") -> Any:
    return yaml.safe_load(of(host, when, CONFIG).read_text())


def unit(host: Site, when: str) -> list[str]:
    state: list[str] = json.loads(of(host, when, "units.json").read_text())[UNIT]
    return state


def test_the_host_has_configuration_and_secrets_that_only_the_daemon_reads(host: Site) -> None:
    assert not host.failed("on"), host.out("on")
    assert (
        of(host, "on", CONFIG).stat().st_mode & 0o777 == 0o640
        and of(host, "on", CONFIG).stat().st_gid == 4242
    )
    for name in ("oncall", "chat", "mail", "tickets", "beats"):
        file = of(host, "on", f"{RECEIVERS}/{name}")
        assert file.read_text() == SECRETS[name]
        assert (file.stat().st_mode & 0o777, file.stat().st_uid) == (0o400, 4242)
        assert SECRETS[name] not in of(host, "on", CONFIG).read_text()
    assert f"restart {UNIT}" in of(host, "on", "done").read_text()
    assert not host.failed("again") and not host.changed("again"), host.out("again")
    for step in ("on", "fewer", "refused", "shared", "by-file", "off"):
        assert not [name for name, secret in SECRETS.items() if secret in host.out(step)], step


def test_it_answers_nobody_else_and_prometheus_hands_over_and_watches_it(host: Site) -> None:
    arguments = of(host, "on", DEFAULTS).read_text()
    assert "--web.listen-address=127.0.0.1:9093 " in arguments and '--cluster.listen-address="' in arguments
    settings = yaml.safe_load(of(host, "on", "prometheus/prometheus.yml").read_text())
    assert settings["alerting"] == {"alertmanagers": [{"static_configs": [{"targets": ["127.0.0.1:9093"]}]}]}
    assert "alertmanager" in {job["job_name"] for job in settings["scrape_configs"]}
    assert yaml.safe_load(of(host, "on", RULES).read_text())["groups"]


def test_each_receiver_is_what_the_spec_says_and_carries_the_runbook(host: Site) -> None:
    receivers = {one["name"]: one for one in config(host)["receivers"]}
    assert set(receivers) == {"nobody", "chat", "storage+oncall", "oncall+mail", "tickets", "Heartbeat"}
    assert receivers["nobody"] == {"name": "nobody"}
    (mail,), (pager,) = (
        receivers["oncall+mail"]["email_configs"],
        receivers["oncall+mail"]["pagerduty_configs"],
    )
    assert (
        mail["to"] == "ops@hpc.test, lead@hpc.test"
        and mail["require_tls"]
        and mail["auth_username"] == "railbed"
    )
    assert mail["auth_password_file"].endswith("/mail") and pager["routing_key_file"].endswith("/oncall")
    assert ".Annotations.runbook_url" in pager["details"]["alerts"]
    (slack,) = receivers["chat"]["slack_configs"]
    assert slack["channel"] == "#cluster" and ".Annotations.runbook_url }}\n" in slack["text"]
    (relay,) = receivers["storage+oncall"]["email_configs"]
    assert relay["require_tls"] is False and "auth_username" not in relay
    (hook,), (beat,) = receivers["tickets"]["webhook_configs"], receivers["Heartbeat"]["webhook_configs"]
    assert (
        hook["http_config"]["authorization"]["credentials_file"].endswith("/tickets")
        and hook["send_resolved"]
    )
    assert beat["url"] == "https://beats.test/cluster" and not beat["send_resolved"]
    assert config(host)["route"]["repeat_interval"] == "6h"


def test_who_gets_the_heartbeat_and_alerts_is_told_of_the_end_of_alerts(host: Site) -> None:
    assert not host.failed("shared"), host.out("shared")
    found = {one["name"]: one["slack_configs"] for one in config(host, "shared")["receivers"][1:]}
    assert {name: one["send_resolved"] for name, (one,) in found.items()} == {
        "chat": True,
        "Heartbeat": False,
    }


def test_a_secret_address_stays_in_its_file(host: Site) -> None:
    assert not host.failed("by-file"), host.out("by-file")
    for one in config(host, "by-file")["receivers"][1:]:
        (hook,) = one["webhook_configs"]
        assert hook["url_file"] == "/etc/prometheus/railbed-receivers/hidden" and "url" not in hook
    assert of(host, "by-file", f"{RECEIVERS}/hidden").read_text() == SECRETS["hidden"]
    assert SECRETS["hidden"] not in of(host, "by-file", CONFIG).read_text()


def test_an_alertmanager_that_would_show_a_secret_address_takes_none(host: Site) -> None:
    version = run([str(program("amtool")), "--version"], check=False)
    said = re.search(r"version (\d+)\.(\d+)", version.stdout + version.stderr)
    assert said
    done = run([str(program("amtool")), "check-config", of(host, "by-file", CONFIG)], check=False)
    assert (done.returncode == 0) == ((int(said[1]), int(said[2])) >= URL_FILE_SINCE), done.stdout


def amtool(file: Path, *words: str) -> Result:
    return run([str(program("amtool")), *words, f"--config.file={file}"], check=False)


def test_amtool_takes_the_configuration(host: Site) -> None:
    for when, receivers in (("on", 6), ("fewer", 2)):
        done = run([str(program("amtool")), "check-config", of(host, when, CONFIG)], check=False)
        assert done.returncode == 0 and f"{receivers} receivers" in done.stdout, done.stdout + done.stderr


def test_what_amtool_refuses_is_not_put_in_place(host: Site) -> None:
    assert host.failed("refused")
    assert of(host, "refused", CONFIG).read_bytes() == of(host, "fewer", CONFIG).read_bytes()


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ("alertname=GpuXidHardware severity=critical team=compute instance=h100-0", "oncall+mail"),
        ("alertname=RailDown severity=critical team=network instance=h100-0 device=mlx5_3", "oncall+mail"),
        ("alertname=StorageReported severity=critical team=storage", "storage+oncall"),
        ("alertname=FilesystemFilling severity=warning team=storage", "storage+oncall"),
        ("alertname=RailFlaps severity=warning team=network", "tickets"),
        ("alertname=GpuHot severity=warning team=compute", "chat"),
        ("alertname=OfTheSite", "chat"),
        ("alertname=Watchdog severity=none team=monitoring", "Heartbeat"),
    ],
)
def test_an_alert_goes_to_its_receiver_and_to_no_other(host: Site, labels: str, receiver: str) -> None:
    file = of(host, "on", CONFIG)
    right = amtool(file, "config", "routes", "test", f"--verify.receivers={receiver}", *labels.split())
    assert right.returncode == 0 and right.stdout.split()[0] == receiver, right.stdout + right.stderr
    for other in {"chat", "oncall+mail", "storage+oncall", "tickets", "Heartbeat", "nobody"} - {receiver}:
        wrong = amtool(file, "config", "routes", "test", f"--verify.receivers={other}", *labels.split())
        assert wrong.returncode != 0, other


def test_a_receiver_that_is_no_more_leaves_no_secret_and_without_a_heartbeat_nobody_gets_it(
    host: Site,
) -> None:
    assert not host.failed("fewer"), host.out("fewer")
    assert [one.name for one in of(host, "fewer", RECEIVERS).iterdir()] == ["chat"]
    beat = amtool(
        of(host, "fewer", CONFIG), "config", "routes", "test", "alertname=Watchdog", "severity=none"
    )
    assert beat.stdout.split()[0] == "nobody", beat.stdout + beat.stderr


def test_without_receivers_nothing_of_it_is_left_and_the_daemon_ends(host: Site) -> None:
    assert not host.failed("off"), host.out("off")
    assert not [path for path in (CONFIG, RULES) if of(host, "off", path).exists()]
    assert not list(of(host, "off", RECEIVERS).glob("*"))
    assert unit(host, "off") == ["loaded", "inactive", "disabled"]
    assert "alerting" not in yaml.safe_load(of(host, "off", "prometheus/prometheus.yml").read_text())
    assert not host.failed("off-again") and not host.changed("off-again"), host.out("off-again")


def test_an_alertmanager_of_the_sites_own_is_left_as_it_is(host: Site) -> None:
    assert not host.failed("own") and not host.changed("own"), host.out("own")
    assert of(host, "own", "prometheus/alertmanager.yml").read_text() == "own\n"
    assert unit(host, "own")[1] == "active"


def test_a_cluster_without_receivers_has_none_of_it(lab: Recorded) -> None:
    assert not [path for path in lab.files["ctl0"] if "alertmanager" in path or path.endswith("sending.yml")]
