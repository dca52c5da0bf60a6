"""What the identities on AWS can do and cannot: all that `up` and `destroy` ask for, and the known ways to more rights.

The judge is a stand-in (``policy_language``); actions, resources and condition keys are AWS's own reference.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from tests.program.clouds import aws_access, cases
from tests.program.clouds.aws_access import ACCOUNT, CLUSTER, OWN, REGION, call
from tests.program.clouds.aws_view import VIEW, FakeAws
from tests.program.clouds.policy_language import Ask, allows, listed, matches

from railbed.platforms.aws import policies

pytestmark = pytest.mark.simulated
FOREIGN = {"railbed-cluster": "theirs"}
UNTAGGED: dict[str, str] = {}
BOUNDARY = policies.boundary(ACCOUNT, CLUSTER)
BOUNDED = {"iam__PermissionsBoundary": BOUNDARY}
ROLE = {"role": f"railbed/{CLUSTER}/repair-1a2b3c4"}
MANAGED_POLICY_CHARACTERS = 6_144


@pytest.fixture(autouse=True)
def _checkout(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "nobody")


def may_apply(asks: list[Ask]) -> bool:
    return allows(aws_access.apply_documents(), asks)


LAKE = {
    "name": "lake", "mount": "/lake", "offer": "aws/fsx-lustre-persistent-2", "capacity_tib": 37.5,
    "data_repository": "s3://corpus/tokens", "keep_on_destroy": False,
}  # fmt: skip


def spec(**changes: Any) -> dict[str, Any]:
    data = {**cases.small("aws"), "name": CLUSTER}
    data["filesystems"].append(LAKE)
    data["access"] = {**data.get("access", {}), "ssh_from": ["10.0.0.0/8"]}
    data["platform"] = {**data["platform"], **changes}
    return data


@pytest.mark.parametrize("network", ["own", "existing"])
def test_everything_that_up_and_destroy_ask_for_is_allowed(
    network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = spec() if network == "own" else cases.in_network(spec(), "aws")
    run = cases.run(VIEW, cases.planned(data), monkeypatch).run
    asked = list(aws_access.program(run))
    assert [what for what, asks in asked if not may_apply(asks)] == []
    assert len({asks[0].action for _, asks in asked}) > 40 - 20 * (network == "existing")


@pytest.mark.parametrize("name", ["plan", "apply"])
def test_look_ups_are_allowed(name: str) -> None:
    documents = [policies.document("plan", CLUSTER, REGION, ACCOUNT)]
    services = {
        "DescribeAutoScalingGroups": "autoscaling",
        "DescribeScalingActivities": "autoscaling",
        "DescribeFileSystems": "fsx",
    }
    for operation in [name for name in dir(FakeAws) if name[0].isupper()]:
        action = f"{services.get(operation, 'ec2')}:{operation}"
        on = {"instance": OWN} if operation == "GetConsoleOutput" else None
        assert allows(documents, call(action, on)), action


def test_logins_of_up_are_allowed() -> None:
    assert may_apply(call("ssm:StartSession", {"instance": OWN}))
    # Documents of AWS's own stand in no account.
    assert may_apply([Ask("ssm:StartSession", f"arn:aws:ssm:{REGION}::document/AWS-StartSSHSession")])


ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
ESCALATIONS = {
    "a role without a boundary": call("iam:CreateRole", names=ROLE),
    "a role with another boundary": call("iam:CreateRole", names=ROLE, iam__PermissionsBoundary=ADMIN),
    "a role outside the cluster's path": call("iam:CreateRole", names={"role": "admin"}, **BOUNDED),
    "a role of another cluster": call("iam:PutRolePolicy", names={"role": "railbed/theirs/node-1"}, **BOUNDED),
    "a policy into a role that has no boundary": call("iam:PutRolePolicy", names=ROLE),
    "trust in a role that has no boundary": call("iam:UpdateAssumeRolePolicy", names=ROLE),
    "AdministratorAccess on a role": call("iam:AttachRolePolicy", names=ROLE, iam__PolicyARN=ADMIN, **BOUNDED),
    "taking a role's boundary away": call("iam:DeleteRolePermissionsBoundary", names=ROLE, **BOUNDED),
    "another boundary on a role": call("iam:PutRolePermissionsBoundary", names=ROLE, iam__PermissionsBoundary=ADMIN),
    "our boundary on somebody's role": call("iam:PutRolePermissionsBoundary", names={"role": "ops"}, **BOUNDED),
    "a role to another service": call("iam:PassRole", names=ROLE, iam__PassedToService="lambda.amazonaws.com"),
    "somebody's role to an instance": call(
        "iam:PassRole", names={"role": "admin"}, iam__PassedToService="ec2.amazonaws.com"
    ),
    "somebody's instance profile": call("iam:AddRoleToInstanceProfile", names={"instance-profile": "admin"}),
    "taking a role on": call("sts:AssumeRole", names={"role": "admin"}),
    "a policy of one's own": call("iam:PutUserPolicy", names={"user": "ci"}),
    "a policy on oneself": call("iam:AttachUserPolicy", names={"user": "ci"}, iam__PolicyARN=ADMIN),
    "keys of another user": call("iam:CreateAccessKey", names={"user": "root-like"}),
    "a new policy": call("iam:CreatePolicy", names={"policy": "railbed-more"}),
    "a console session on another's instance": call("ssm:StartSession", {"instance": FOREIGN}),
    "a session by another document": call(
        "ssm:StartSession", {"document": {}}, names={"document": "SSM-SessionManagerRunShell"}
    ),
    "a command on another's instance": call("ssm:SendCommand", {"instance": FOREIGN}),
    "another's instance is ended": call("ec2:TerminateInstances", {"instance": FOREIGN}),
    "an untagged instance is ended": call("ec2:TerminateInstances", {"instance": UNTAGGED}),
    "an untagged instance is tagged": call("ec2:CreateTags", {"instance": UNTAGGED}, OWN),
    "another's instance is tagged": call("ec2:CreateTags", {"instance": FOREIGN}, OWN),
    "another's instance is tagged as if it was made": call(
        "ec2:CreateTags", {"instance": FOREIGN}, OWN, ec2__CreateAction="CreateSnapshot"
    ),
    "an instance is made as another's": call("ec2:CreateTags", {"instance": {}}, FOREIGN, ec2__CreateAction="RunInstances"),
    "one's own is given to another": call("ec2:CreateTags", {"instance": OWN}, FOREIGN),
    "another's console": call("ec2:GetConsoleOutput", {"instance": FOREIGN}),
    "another's user data": call("ec2:DescribeInstanceAttribute", {"instance": FOREIGN}),
    "another's template for a launch": call(
        "ec2:RunInstances",
        {"image": {}, "subnet": {}, "security-group": OWN, "launch-template": FOREIGN}, OWN,
    ),
    "an instance in another's security group": call(
        "ec2:RunInstances", {"image": {}, "subnet": {}, "security-group": FOREIGN}, OWN
    ),
    "an instance without tags": call("ec2:RunInstances", {"image": {}, "subnet": {}, "security-group": OWN}),
    "another's security group is opened": call("ec2:AuthorizeSecurityGroupIngress", {"security-group": FOREIGN}),
    "another's rule is changed": call(
        "ec2:ModifySecurityGroupRules", {"security-group": FOREIGN, "security-group-rule": OWN}
    ),
    "another's rule is taken": call("ec2:CreateTags", {"security-group-rule": FOREIGN}, OWN),
    "another's routes are changed": call("ec2:CreateRoute", {"route-table": FOREIGN}),
    "a subnet in another's network": call("ec2:CreateSubnet", {"vpc": FOREIGN}, OWN),
    "another's network is opened": call("ec2:AttachInternetGateway", {"vpc": FOREIGN, "internet-gateway": OWN}),
    "another's filesystem is deleted": call("fsx:DeleteFileSystem", {"file-system": FOREIGN}),
    "another's filesystem is tagged": call("fsx:TagResource", {"file-system": FOREIGN}, OWN),
    "a repository on another's filesystem": call("fsx:CreateDataRepositoryAssociation", {"file-system": FOREIGN}, OWN),
    "another's group is tagged": call("autoscaling:CreateOrUpdateTags", {"autoScalingGroup": FOREIGN}, OWN),
    "an untagged group is tagged": call("autoscaling:CreateOrUpdateTags", {"autoScalingGroup": UNTAGGED}, OWN),
    "another's group is emptied": call("autoscaling:UpdateAutoScalingGroup", {"autoScalingGroup": FOREIGN}),
    "another's group launches as one's own": call("autoscaling:CreateAutoScalingGroup", {}, FOREIGN),
}  # fmt: skip


@pytest.mark.parametrize("what", ESCALATIONS)
def test_escalations_are_refused(what: str) -> None:
    assert not may_apply(ESCALATIONS[what])


BOUNDARY_CHANGES = [
    f"iam:{verb}"
    for verb in ("CreatePolicyVersion", "SetDefaultPolicyVersion", "DeletePolicyVersion", "DeletePolicy")
]


@pytest.mark.parametrize(
    "action", [*BOUNDARY_CHANGES, "iam:DeleteRolePermissionsBoundary", "iam:PutRolePermissionsBoundary"]
)
def test_the_boundary_holds_whatever_else_a_person_was_given(action: str) -> None:
    """A Deny: somebody who has IAM rights from elsewhere does not lift it by mistake."""
    everything = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    names = {**ROLE, "policy": BOUNDARY.rpartition("/")[2]}
    assert allows([everything], call(action, names=names))
    assert not allows([everything, *aws_access.apply_documents()], call(action, names=names))


def test_a_role_below_the_boundary_has_no_more_than_the_shipped_ones() -> None:
    """Whatever policy is put into one: both must allow."""
    everything = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    boundary = [policies.document("boundary", CLUSTER, REGION, ACCOUNT)]
    refused = [
        call("iam:CreateUser", names={"user": "x"}), call("iam:CreateRole", names=ROLE), call("sts:AssumeRole", names=ROLE),
        call("ec2:RunInstances", {"image": {}, "subnet": {}, "security-group": OWN}, OWN),
        call("ec2:TerminateInstances", {"instance": FOREIGN}), call("ec2:CreateTags", {"instance": FOREIGN}, OWN),
        call("fsx:DeleteFileSystem", {"file-system": OWN}), call("s3:GetObject"), call("ssm:SendCommand", {"instance": FOREIGN}),
        call("ssm:StartSession", {"instance": FOREIGN}),
    ]  # fmt: skip
    for asks in refused:
        assert allows([everything], asks) and not allows(boundary, asks), asks


@pytest.mark.parametrize("name", ["node", "repair", "validate"])
def test_the_boundary_takes_nothing_from_the_shipped_roles(name: str) -> None:
    boundary = policies.document("boundary", CLUSTER, REGION, ACCOUNT)
    for statement in policies.document(name, CLUSTER, REGION, ACCOUNT)["Statement"]:
        rest = {key: value for key, value in statement.items() if key not in ("Sid", "Action")}
        same = [one for one in boundary["Statement"] if rest.items() <= one.items()]
        covered = {action for one in same for action in listed(one["Action"])}
        assert set(listed(statement["Action"])) <= covered, statement["Sid"]


@pytest.mark.parametrize("name", policies.DOCUMENTS)
def test_a_document_fits_into_one_managed_policy(name: str) -> None:
    text = json.dumps(policies.document(name, "x" * 63, "ap-southeast-2", ACCOUNT), separators=(",", ":"))
    assert len(text) <= MANAGED_POLICY_CHARACTERS


@pytest.mark.parametrize("name", policies.DOCUMENTS)
def test_conditions_are_on_keys_that_aws_evaluates(name: str) -> None:
    """A condition on a key that is never there would refuse `up`, or guard nothing."""
    for statement in policies.document(name, CLUSTER, REGION, ACCOUNT)["Statement"]:
        keys = {key for tests in statement.get("Condition", {}).values() for key in tests}
        for action, key in itertools.product(listed(statement["Action"]), keys):
            evaluated = [ask for ask in _everywhere(action, key) if _is_about(statement, ask.resource)]
            assert any(key in ask.keys for ask in evaluated), f"{statement['Sid']}: {action} knows no {key}"


def _everywhere(action: str, key: str) -> list[Ask]:
    """The action on every type of resource that it takes, with tags on all of them and the key given."""
    kinds = [kind for kind in aws_access.reference(action)["resource_types"] if kind]
    return call(action, dict.fromkeys(kinds, OWN), OWN, **{key.replace(":", "__"): "x"})


def _is_about(statement: dict[str, Any], resource: str) -> bool:
    """Whether a statement names resources of that type, whatever their names."""
    return any(
        matches(pattern.partition("/")[0] + "*", resource) for pattern in listed(statement["Resource"])
    )
