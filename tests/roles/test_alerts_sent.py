"""From Prometheus' rules through Alertmanager to whoever is sent: the real programs, with the files of role monitoring."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest
from tests.roles.alerting import needs
from tests.roles.live_alerts import Received, asked, fire, free_port, receiving, running, within
from tests.roles.receivers import ACCOUNT, ALERTS, SECRETS, prepared, variables
from tests.roles.test_alerts import RULES

pytestmark = needs("prometheus-alertmanager")
CONFIG = "etc-of-it/railbed-alertmanager.yml"


@dataclass
class Chain:
    """The running Alertmanager."""

    folder: Path
    received: Received
    port: int

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v2"

    def muted(self) -> set[str]:
        """Names of alerts that another one mutes."""
        return {
            one["labels"]["alertname"] for one in asked(f"{self.api}/alerts") if one["status"]["inhibitedBy"]
        }


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    host = prepared(tmp_path_factory.mktemp("sent"))
    host.run(ACCOUNT, host.step("on", variables(host.folder, ALERTS)), "cp -a etc/prometheus etc-of-it")
    assert not host.failed("on"), host.out("on")
    with receiving() as (received, web, relay):
        file = host.folder / CONFIG
        text = file.read_text().replace(
            "/etc/prometheus/railbed-receivers", str(host.folder / "etc-of-it/railbed-receivers")
        )
        here = f"http://127.0.0.1:{web}"
        for there, path in (
            ("https://tickets.test/alerts", "/tickets"),
            ("https://beats.test/cluster", "/beat"),
        ):
            text = text.replace(there, here + path)
        for there in ("relay.test:25", "smtp.test:587"):
            text = text.replace(there, f"127.0.0.1:{relay}")
        text = text.replace("group_wait: 30s", "group_wait: 1s")
        # PagerDuty's address stands for all receivers of that kind.
        file.write_text(f"global: {{pagerduty_url: '{here}/pager'}}\n{text}")
        slack = host.folder / "etc-of-it/railbed-receivers/chat"
        slack.chmod(0o600)
        slack.write_text(f"{here}/slack")
        port = free_port()
        words = (
            f"--config.file={file}", f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", "--storage.path=data",
        )  # fmt: skip
        with running(
            host.folder, "prometheus-alertmanager", *words, ready=f"http://127.0.0.1:{port}/-/ready"
        ):
            yield Chain(host.folder, received, port)


def test_a_webhook_gets_the_alert_with_its_token_and_the_runbook(chain: Chain) -> None:
    fire(
        chain.api,
        {
            "alertname": "RailFlaps",
            "severity": "warning",
            "team": "network",
            "instance": "w-0",
            "device": "m0",
        },
    )
    within(lambda: "RailFlaps" in chain.received.alerts("/tickets"), "no ticket")
    _, token, body = next(one for one in chain.received.posts if one[0] == "/tickets")
    assert token == f"Bearer {SECRETS['tickets']}"
    assert body["alerts"][0]["annotations"]["runbook_url"] == "docs/runbooks/nics.md"
    assert body["groupLabels"] == {
        "cluster": "small",
        "instance": "w-0",
        "device": "m0",
        "severity": "warning",
    }


def test_pager_and_chat_get_the_summary_and_the_runbook(chain: Chain) -> None:
    fire(
        chain.api,
        {"alertname": "GpuXidHardware", "severity": "critical", "team": "compute", "instance": "p-0"},
    )
    fire(chain.api, {"alertname": "GpuHot", "severity": "warning", "team": "compute", "instance": "p-1"})
    within(
        lambda: {"/pager", "/slack"} <= {one[0] for one in chain.received.posts},
        "no page, or nothing in the chat",
    )
    page = next(body for path, _, body in chain.received.posts if path == "/pager")
    assert (
        page["routing_key"] == SECRETS["oncall"] and page["payload"]["summary"] == "GpuXidHardware of a test"
    )
    assert "docs/runbooks/nics.md" in page["payload"]["custom_details"]["alerts"]
    chat = next(body for path, _, body in chain.received.posts if path == "/slack")
    assert chat["channel"] == "#cluster" and "docs/runbooks/nics.md" in chat["attachments"][0]["text"]


def test_mail_goes_by_the_relay(chain: Chain) -> None:
    fire(
        chain.api,
        {"alertname": "StorageReported", "severity": "critical", "team": "storage", "instance": "m-0"},
    )
    within(lambda: bool(chain.received.mails), "no mail")
    assert "storage@hpc.test" in chain.received.mails[0] and "StorageReported" in chain.received.mails[0]


def test_a_relay_without_tls_gets_no_password_and_that_shows(chain: Chain) -> None:
    fire(
        chain.api,
        {"alertname": "GpuEccUncorrected", "severity": "critical", "team": "compute", "instance": "e-0"},
    )
    # Of attempts; the whole message has failed (what the alert is about) only once it is not tried again, after 5 minutes.
    failed = 'alertmanager_notification_requests_failed_total{integration="email"}'

    def counted() -> bool:
        with urlopen(f"http://127.0.0.1:{chain.port}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return any(line.startswith(failed) and float(line.split()[-1]) > 0 for line in lines)

    within(lambda: "EHLO" in " ".join(chain.received.words) and counted(), "the failure is not counted")
    assert "AUTH" not in chain.received.words
    assert not [mail for mail in chain.received.mails if "ops@hpc.test" in mail]


CLUSTER_WIDE = ("SlurmControllerDown", "DrainedOverLimit", "ManyNodesDown")
NODE_DOWN = {"alertname": "NodeDown", "severity": "critical", "team": "compute", "instance": "n-0"}
RAIL_DOWN = {
    "alertname": "RailDown",
    "severity": "critical",
    "team": "network",
    "instance": "n-1",
    "device": "mlx5_3",
}


@pytest.mark.parametrize(
    ("cause", "muted", "sent"),
    [
        (
            NODE_DOWN,
            {"alertname": "SlurmNodeDown", "severity": "critical", "team": "compute", "instance": "n-0", "node": "n-0"},
            {"alertname": "SlurmNodeInvalid", "severity": "warning", "team": "compute", "instance": "n-9", "node": "n-9"},
        ),
        (
            RAIL_DOWN,
            {"alertname": "RailSymbolErrors", "severity": "critical", "team": "network", "instance": "n-1", "device": "mlx5_3"},
            {"alertname": "RailRecoveries", "severity": "warning", "team": "network", "instance": "n-1", "device": "mlx5_4"},
        ),
        (
            {"alertname": "ManyRailsDown", "severity": "critical", "team": "network", "device": "mlx5_7"},
            {**RAIL_DOWN, "device": "mlx5_7", "instance": "n-2", "role": "compute"},
            {**RAIL_DOWN, "device": "mlx5_6", "instance": "n-2", "role": "compute"},
        ),
        (
            {"alertname": "ManyRailsDown", "severity": "critical", "team": "network", "device": "mlx5_8"},
            {**RAIL_DOWN, "device": "mlx5_8", "instance": "n-4", "role": "spare"},
            {**RAIL_DOWN, "device": "mlx5_8", "instance": "oss-0", "role": "storage"},
        ),
        (
            {"alertname": "ManyNodesDown", "severity": "critical", "team": "compute", "subject": "nodes"},
            {**NODE_DOWN, "instance": "n-5", "role": "compute"},
            {**NODE_DOWN, "instance": "ctl1", "role": "controller"},
        ),
        (
            {"alertname": "ManyNodesDown", "severity": "critical", "team": "compute", "subject": "nodes"},
            {**NODE_DOWN, "instance": "n-6", "role": "spare"},
            {**NODE_DOWN, "instance": "oss-1", "role": "storage"},
        ),
        (
            {"alertname": "HealthShared", "severity": "critical", "team": "compute", "code": "gpu-count"},
            {"alertname": "HealthReported", "severity": "warning", "team": "compute", "instance": "n-3", "code": "gpu-count"},
            {"alertname": "HealthNotDrained", "severity": "critical", "team": "compute", "instance": "n-3", "code": "held"},
        ),
    ],
    ids=lambda one: one["alertname"],
)  # fmt: skip
def test_a_cause_mutes_what_follows_from_it_and_nothing_else(
    chain: Chain, cause: dict[str, str], muted: dict[str, str], sent: dict[str, str]
) -> None:
    fire(chain.api, cause)
    fire(chain.api, muted, sent)
    found = {
        (one["labels"]["alertname"], one["labels"].get("instance"), one["labels"].get("device")): one[
            "status"
        ]
        for one in asked(f"{chain.api}/alerts")
    }

    def by(one: dict[str, str]) -> list[str]:
        inhibited: list[str] = found[one["alertname"], one.get("instance"), one.get("device")]["inhibitedBy"]
        return inhibited

    assert by(muted) and not by(sent) and not by(cause)


def test_alerts_about_no_node_are_messages_of_their_own_and_a_severity_is_another(chain: Chain) -> None:
    about = [
        {"severity": "critical", "team": "scheduler", "alertname": one, **cluster_wide(one)}
        for one in CLUSTER_WIDE
    ]
    of_node = [
        {"alertname": name, "severity": severity, "team": "storage", "instance": "g-0"}
        for name, severity in (("StorageReported", "critical"), ("HardwareUnread", "warning"))
    ]
    fire(chain.api, *about, *of_node)
    names = {*CLUSTER_WIDE, "StorageReported", "HardwareUnread"}

    def together() -> list[set[str]]:
        found = [
            {one["labels"]["alertname"] for one in group["alerts"]}
            for group in asked(f"{chain.api}/alerts/groups")
        ]
        return [one for one in found if one & names]

    within(lambda: set().union(*together()) >= names, "not all are there")
    assert all(len(one) == 1 for one in together()), together()


def cluster_wide(name: str) -> dict[str, str]:
    """The labels that the rule adds."""
    return {key: value for key, value in RULES[name]["labels"].items() if key == "subject"}


def test_prometheus_hands_over_what_its_rules_say_and_sees_its_alertmanager(chain: Chain) -> None:
    port, settings = free_port(), chain.folder / "etc-of-it/prometheus.yml"
    text = settings.read_text().replace("/etc/prometheus/", f"{chain.folder}/etc-of-it/")
    text = text.replace("127.0.0.1:9093", f"127.0.0.1:{chain.port}").replace(
        "127.0.0.1:9090", f"127.0.0.1:{port}"
    )
    settings.write_text(text.replace("scrape_interval: 30s", "scrape_interval: 1s\n  evaluation_interval: 1s").replace(
        "scrape_timeout: 10s", "scrape_timeout: 1s"))  # fmt: skip
    words = (
        f"--config.file={settings}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--storage.tsdb.path=tsdb",
        # The first one goes out before it knows to whom.
        "--rules.alert.resend-delay=1s",
    )
    api = f"http://127.0.0.1:{port}/api/v1"
    with running(chain.folder, "prometheus", *words, ready=f"http://127.0.0.1:{port}/-/ready"):
        within(lambda: "Watchdog" in chain.received.alerts("/beat"), "the heartbeat does not arrive")
        seen = "prometheus_notifications_alertmanagers_discovered"
        within(
            lambda: bool(asked(f"{api}/query?query={seen}")["data"]["result"]),
            "Prometheus does not ask itself",
        )
        assert asked(f"{api}/query?query={seen}")["data"]["result"][0]["value"][1] == "1"
        within(
            lambda: bool(asked(f"{api}/query?query=up%7Bjob=%22alertmanager%22%7D")["data"]["result"]),
            "nobody asks it",
        )
        rules = [rule for group in asked(f"{api}/rules")["data"]["groups"] for rule in group["rules"]]
        assert {"AlertmanagerUnreached", "NotificationsFailing", "RailDown"} <= {
            rule["name"] for rule in rules
        }
        assert not [rule for rule in rules if rule["health"] == "err"]
