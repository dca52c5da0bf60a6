"""The policy documents of the identities on AWS: calls that exist, no more than is needed, this cluster only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from tests.program.clouds import cases
from tests.program.clouds.aws_specs import small
from tests.program.clouds.aws_view import VIEW

from railbed.platforms.aws import policies

REGION = "us-east-2"


@pytest.fixture(autouse=True)
def _checkout(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "nobody")


# --- identities ----------------------------------------------------------------------------------------------------------

NO_CALLS = (
    "iam:PassRole", "ssm:UpdateInstanceInformation", "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
)  # fmt: skip
"""Permissions that are no call of a public API: PassRole, and those of the Session Manager agent (AWS Systems Manager User
Guide, "Add Session Manager permissions to an existing IAM role")."""
SERVICES = {"servicequotas": "service-quotas"}


def actions(statement: dict[str, Any]) -> list[str]:
    found = statement["Action"]
    return found if isinstance(found, list) else [found]


@pytest.mark.parametrize("name", policies.DOCUMENTS)
def test_identities_name_calls_that_exist_and_no_others(name: str) -> None:
    policy = policies.document(name, "pretrain-a", REGION, "000000000000")
    assert "@" not in json.dumps(policy)
    session = botocore.session.get_session()
    for statement in policy["Statement"]:
        for action in actions(statement):
            service, _, operation = action.partition(":")
            assert "*" not in action
            if action in NO_CALLS:
                continue
            assert operation in session.get_service_model(SERVICES.get(service, service)).operation_names, (
                action
            )


@pytest.mark.parametrize("name", ["plan", "validate"])
def test_readers_change_nothing(name: str) -> None:
    policy = policies.document(name, "pretrain-a", REGION, "000000000000")
    allowed = ("Describe", "Get", "List", "StartSession", "TerminateSession", "ResumeSession")
    verbs = [action.partition(":")[2] for statement in policy["Statement"] for action in actions(statement)]
    assert [verb for verb in verbs if not verb.startswith(allowed)] == []


def test_repair_acts_on_this_clusters_nodes_only() -> None:
    policy = policies.document("repair", "pretrain-a", REGION, "000000000000")
    for statement in policy["Statement"]:
        changing = [
            one for one in actions(statement) if not one.partition(":")[2].startswith(("Describe", "Get"))
        ]
        if changing and "document" not in statement["Resource"] and "session" not in statement["Resource"]:
            (condition,) = statement["Condition"]["StringEquals"].items()
            assert condition[0].endswith("esourceTag/railbed-cluster")
            assert condition[1] == "pretrain-a"


def test_roles_are_made_for_repair_and_validate_below_the_boundary(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = cases.planned(small())
    run = cases.run(VIEW, plan, monkeypatch).run
    roles = {one.name: json.loads(one.inputs["assumeRolePolicy"]) for one in run.of(":Role")}
    assert set(roles) == {"node", "repair", "validate"}
    trusted = roles["repair"]["Statement"][0]["Principal"]
    assert trusted == {"AWS": "arn:aws:iam::000000000000:root"}
    boundary = f"arn:aws:iam::000000000000:policy/railbed-{plan.name}-boundary"
    assert {one.inputs["permissionsBoundary"] for one in run.of(":Role")} == {boundary}
    made = [*run.of(":Role"), *run.of(":InstanceProfile")]
    assert {one.inputs["path"] for one in made} == {f"/railbed/{plan.name}/"}
