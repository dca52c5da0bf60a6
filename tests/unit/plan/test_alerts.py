"""Receivers of alerts: what the spec takes and refuses, what the plan says without them, and what the contract carries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.plan.test_clock import codes, planned
from tests.unit.plan.test_site import refused

from railbed.contract import site as contract_site
from railbed.errors import SpecError
from railbed.platforms import services

CLUSTER = "metal-cluster.yaml"
MAIL = {
    "kind": "email", "name": "mail", "smarthost": "smtp.corp.example:587", "sender": "railbed@corp.example",
    "to": ["ops@corp.example"],
}  # fmt: skip
HOOK = {"kind": "webhook", "name": "hook", "url": "https://tickets.corp.example/alerts"}
ALERTS = {"receivers": [MAIL, HOOK], "default": ["mail"], "heartbeat": "hook"}


def apart(alerts: Any) -> Any:
    """Copies, as YAML writes one object that is there twice as an alias, which a spec may not have."""
    return json.loads(json.dumps(alerts))


def test_nobody_is_paged_and_the_plan_says_so(tmp_path: Path) -> None:
    assert "NO_ALERT_RECEIVER" in codes(planned(CLUSTER, tmp_path, site={}))
    found = codes(planned(CLUSTER, tmp_path, site={"alerts": ALERTS}))
    assert "NO_ALERT_RECEIVER" not in found and "NO_HEARTBEAT" not in found
    bare = {key: value for key, value in ALERTS.items() if key != "heartbeat"}
    assert "NO_HEARTBEAT" in codes(planned(CLUSTER, tmp_path, site={"alerts": bare}))


@pytest.mark.parametrize("example", ["lab-cluster.yaml", "metal-hosts.yaml"])
def test_nobody_is_on_call_for_a_lab_or_for_hosts_by_themselves(example: str, tmp_path: Path) -> None:
    assert "NO_ALERT_RECEIVER" not in codes(planned(example, tmp_path))


def test_the_contract_says_what_each_file_holds_and_no_secret(tmp_path: Path) -> None:
    receivers = [
        MAIL, {**MAIL, "name": "login", "login": "railbed"}, HOOK, {**HOOK, "name": "token", "authenticated": True},
        {"kind": "webhook", "name": "hidden"}, {"kind": "pagerduty", "name": "oncall"},
        {"kind": "slack", "name": "chat", "channel": "#cluster"},
    ]  # fmt: skip
    routes = [{"severity": "critical", "teams": ["network"], "receivers": ["oncall", "chat"]}]
    made = services.of(
        planned(
            CLUSTER, tmp_path, site={"alerts": apart({**ALERTS, "receivers": receivers, "routes": routes})}
        )
    )
    assert made.alerts is not None
    assert {one.name: one.file for one in made.alerts.receivers} == {
        "mail": "none", "login": "password", "hook": "none", "token": "token", "hidden": "url", "oncall": "key", "chat": "url",
    }  # fmt: skip
    assert made.alerts.routes == [
        contract_site.AlertRoute(severity="critical", teams=["network"], receivers=["oncall", "chat"])
    ]
    assert made.alerts.repeat_h == 4


@pytest.mark.parametrize(
    ("changes", "code", "where"),
    [
        ({"default": ["nobody"]}, "SPEC_RECEIVER", "alerts.default[0]"),
        ({"heartbeat": "nobody"}, "SPEC_RECEIVER", "alerts.heartbeat"),
        ({"routes": [{"receivers": ["mail", "nobody"]}]}, "SPEC_RECEIVER", "alerts.routes[0].receivers[1]"),
        ({"receivers": [MAIL, HOOK, MAIL]}, "SPEC_RECEIVER", "alerts.receivers"),
        ({"receivers": []}, "SPEC_INVALID", "alerts.receivers"),
        ({"routes": [{"teams": ["gpu"], "receivers": ["mail"]}]}, "SPEC_INVALID", "alerts.routes[0].teams[0]"),
        ({"routes": [{"severity": "info", "receivers": ["mail"]}]}, "SPEC_INVALID", "alerts.routes[0].severity"),
        ({"receivers": [{**MAIL, "login": "x", "require_tls": False}, HOOK]}, "SPEC_CLEARTEXT", "receivers[0].require_tls"),
        ({"receivers": [MAIL, {**HOOK, "url": "http://a.example", "authenticated": True}]}, "SPEC_CLEARTEXT", "receivers[1].url"),
        ({"receivers": [MAIL, {"kind": "webhook", "name": "hook", "authenticated": True}]}, "SPEC_CLEARTEXT", "receivers[1].url"),
        ({"receivers": [{**MAIL, "password": "hunter2"}, HOOK]}, "SPEC_SECRET", "receivers[0].password"),
        ({"receivers": [MAIL, {**HOOK, "url": "https://u:hunter2@a.example/"}]}, "SPEC_SECRET", "receivers[1].url"),
        ({"receivers": [{**MAIL, "to": ["{{ .X }}@corp.example"]}, HOOK]}, "SPEC_INVALID", "receivers[0].to[0]"),
    ],
)  # fmt: skip
def test_what_would_reach_nobody_or_tell_a_secret_is_refused(
    tmp_path: Path, changes: dict[str, Any], code: str, where: str
) -> None:
    wrong = refused(tmp_path, alerts=apart({**ALERTS, **changes}))
    assert wrong.code == code and where in str(wrong.path), wrong.as_text()
    assert "hunter2" not in wrong.as_text()


HIDDEN = {"kind": "webhook", "name": "hook"}


def test_a_secret_address_is_refused_where_alertmanager_would_show_it(tmp_path: Path) -> None:
    alerts = apart({**ALERTS, "receivers": [MAIL, HIDDEN]})
    with pytest.raises(SpecError) as wrong:
        planned(
            CLUSTER, tmp_path, site={"alerts": alerts}, software={"release": "2026.11", "os": "debian 12"}
        )
    assert wrong.value.code == "SPEC_CLEARTEXT" and str(wrong.value.path).endswith("receivers[1].url")
    assert "0.25" in wrong.value.message and "authenticated: true" in wrong.value.hint
    made = planned(
        CLUSTER, tmp_path, site={"alerts": alerts}, software={"release": "2026.11", "os": "ubuntu 24.04"}
    )
    services_made = services.of(made)
    assert services_made.alerts is not None and services_made.alerts.receivers[1].file == "url"
    assert refused(tmp_path, "lab-cluster.yaml", alerts=alerts).code == "SPEC_CLEARTEXT", (
        "the lab's hosts are Debian's"
    )


def test_hosts_by_themselves_have_no_controller_to_tell_anybody(tmp_path: Path) -> None:
    assert "controllers" in refused(tmp_path, "metal-hosts.yaml", alerts=ALERTS).message
