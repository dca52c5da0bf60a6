"""Receivers of alerts for tests, and role monitoring run for them with its real modules on a copy of /etc."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.roles.alerting import program
from tests.roles.apart import Site

from railbed.contract import site

UNIT = "prometheus-alertmanager.service"
SECRETS = {
    "oncall": "pd-key-0123", "chat": "https://hooks.test/services/T0/B0/xyz", "mail": "relay-password", "tickets": "token-77",
    "beats": "token-78", "hidden": "https://hook.test/v1/secret-address",
}  # fmt: skip
ALERTS = site.Alerts(
    receivers=[
        site.Receiver(name="oncall", kind="pagerduty", file="key"),
        site.Receiver(name="chat", kind="slack", file="url", channel="#cluster"),
        site.Receiver(
            name="mail", kind="email", file="password", smarthost="smtp.test:587", sender="railbed@hpc.test",
            to=["ops@hpc.test", "lead@hpc.test"], login="railbed",
        ),
        site.Receiver(name="tickets", kind="webhook", file="token", url="https://tickets.test/alerts"),
        site.Receiver(name="beats", kind="webhook", file="token", url="https://beats.test/cluster"),
        site.Receiver(
            name="storage", kind="email", file="none", smarthost="relay.test:25", sender="a@hpc.test",
            to=["storage@hpc.test"], require_tls=False,
        ),
    ],
    default=["chat"],
    routes=[
        site.AlertRoute(severity="", teams=["storage"], receivers=["storage", "oncall"]),
        site.AlertRoute(severity="critical", teams=[], receivers=["oncall", "mail"]),
        site.AlertRoute(severity="warning", teams=["network", "scheduler"], receivers=["tickets"]),
    ],
    heartbeat="beats",
    repeat_h=6,
)  # fmt: skip


def variables(folder: Path, alerts: site.Alerts | None) -> dict[str, Any]:
    """Of the role; the receivers' files are in ``folder``."""
    given = alerts.model_dump() if alerts else {}
    of_alerts = {f"monitoring_{name}": value for name, value in given.items()}
    nodes = [{"name": "h100-0", "address": "127.0.0.1", "role": "compute", "pool": "h100"}]
    return {
        "monitoring_nodes": nodes, "monitoring_cluster": "small", "monitoring_secret_files": str(folder / "alerts"), **of_alerts
    }  # fmt: skip


def prepared(folder: Path) -> Site:
    """A host with the programs that check files, and the account of the packages."""
    made = Site(folder, "monitoring")
    made.units({UNIT: ["loaded", "active", "enabled"], "prometheus.service": ["loaded", "active", "enabled"]})
    for name in ("amtool", "promtool"):
        (folder / "bin" / name).symlink_to(program(name) or "")
    for name, text in SECRETS.items():
        (folder / f"alerts.{name}").write_text(text + "\n")
    return made


ACCOUNT = "echo prometheus:x:4242:4242::/:/bin/false >> etc/passwd; echo prometheus:x:4242: >> etc/group"
