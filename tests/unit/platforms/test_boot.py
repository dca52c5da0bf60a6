"""Boot scripts: people come to nodes by role users alone, and only pass through a gate."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

from railbed.errors import SpecError
from railbed.plan import ClusterPlan
from railbed.platforms.cloud.boot import MAX_BYTES, USER, gate_data, user_data

KEY = "ssh-ed25519 AAAAoperator"


def plan(count: int) -> ClusterPlan:
    return cast(
        ClusterPlan, SimpleNamespace(admins={f"ada{i}": f"ssh-ed25519 AAAAada{i}" for i in range(count)})
    )


def users(text: str) -> dict[str, dict[str, Any]]:
    assert text.startswith("#cloud-config\n")
    return {user["name"]: user for user in yaml.safe_load(text)["users"]}


def test_a_node_starts_with_railbeds_own_login_alone() -> None:
    (own,) = users(user_data(KEY)).values()
    assert own["name"] == USER and own["ssh_authorized_keys"] == [KEY] and own["lock_passwd"]
    assert own["sudo"] == "ALL=(ALL) NOPASSWD:ALL"


def test_people_pass_through_a_gate_without_rights() -> None:
    found = users(gate_data(plan(2), KEY))
    assert list(found) == [USER, "ada0", "ada1"]
    assert [name for name, user in found.items() if "sudo" in user] == [USER]
    assert found["ada1"]["ssh_authorized_keys"] == ["ssh-ed25519 AAAAada1"] and found["ada1"]["lock_passwd"]


def test_more_people_than_a_gates_boot_script_holds_are_refused() -> None:
    with pytest.raises(SpecError, match="do not fit into the boot script of the gate") as refused:
        gate_data(plan(200), KEY)
    assert refused.value.found.startswith("200 admins")
    assert str(MAX_BYTES) in str(refused.value.allowed)
    assert len(gate_data(plan(40), KEY)) < MAX_BYTES


def test_a_gate_with_a_given_host_key_keeps_its_metadata_service_for_root() -> None:
    """Else whoever passes through could read the boot script, and the key in it."""
    given = yaml.safe_load(gate_data(plan(1), KEY, ("-----BEGIN", "ssh-ed25519 AAAAhost")))
    assert "bootcmd" not in yaml.safe_load(gate_data(plan(1), KEY))
    ((shell, _, script),) = given["bootcmd"]
    assert shell == "sh" and "169.254.169.254" in script and "skuid != 0" in script
