"""What the identities on Alibaba Cloud can do and cannot: all that `up` and `destroy` ask for, and the known ways to more
rights. The judge is a stand-in (``policy_language``); calls are those of Alibaba Cloud's own clients, where PyPI has them.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import alibabacloud_ecs20140526.client as ecs_client
import alibabacloud_eflo_controller20221215.client as eflo_client
import alibabacloud_ess20220222.client as ess_client
import pytest
from tests.program.clouds import cases
from tests.program.clouds.alicloud_api import ACCOUNT
from tests.program.clouds.alicloud_view import VIEW
from tests.program.clouds.policy_language import Ask, allows, listed

from railbed.platforms.cloud import documents

pytestmark = pytest.mark.simulated
FOLDER = cases.ROOT / "infra/railbed/platforms/alicloud/identities"
REGION, CLUSTER = "cn-beijing", "mine"
IDENTITIES = ("plan", "apply", "repair", "validate", "lingjun_keys")
TAG = "acs:ResourceTag/railbed-cluster"


def document(name: str) -> dict[str, Any]:
    return documents.document(FOLDER, name, CLUSTER, REGION, ACCOUNT)


def ask(action: str, resource: str = "*", owner: str = "") -> Ask:
    arn = f"acs:{action.partition(':')[0]}:{REGION}:{ACCOUNT}:{resource}" if resource != "*" else "*"
    return Ask(action, arn, {TAG: owner} if owner else {})


def may_apply(one: Ask) -> bool:
    return allows([document("apply")], [one])


def made(service: str, *calls: str) -> list[str]:
    return [f"{service}:{call}" for call in calls]


NEEDS = {
    "ecs/eipAddress:EipAddress": made("vpc", "AllocateEipAddress", "DescribeEipAddresses", "ReleaseEipAddress", "TagResources"),
    "ecs/eipAssociation:EipAssociation": made("vpc", "AssociateEipAddress", "UnassociateEipAddress"),
    "ecs/instance:Instance": made(
        "ecs", "RunInstances", "DescribeInstances", "DescribeDisks", "DescribeUserData", "GetInstanceConsoleOutput",
    ),
    "ecs/securityGroup:SecurityGroup": made(
        "ecs", "CreateSecurityGroup", "DescribeSecurityGroups", "ModifySecurityGroupPolicy", "ModifySecurityGroupAttribute",
        "DeleteSecurityGroup",
    ),
    "ecs/securityGroupRule:SecurityGroupRule": made(
        "ecs", "AuthorizeSecurityGroup", "AuthorizeSecurityGroupEgress", "DescribeSecurityGroupAttribute",
        "RevokeSecurityGroup", "RevokeSecurityGroupEgress",
    ),
    "eflo/cluster:Cluster": made("eflo", "CreateCluster", "DescribeCluster", "ExtendCluster", "ShrinkCluster", "DeleteCluster"),
    "eflo/nodeGroup:NodeGroup": made("eflo", "CreateNodeGroup", "DescribeNodeGroup", "UpdateNodeGroup", "DeleteNodeGroup"),
    "eflo/subnet:Subnet": made("eflo", "CreateSubnet", "GetSubnet", "DeleteSubnet"),
    "eflo/vpd:Vpd": made("eflo", "CreateVpd", "GetVpd", "DeleteVpd", "TagResources"),
    "ess/scalingConfiguration:ScalingConfiguration": made(
        "ess", "CreateScalingConfiguration", "DescribeScalingConfigurations", "ModifyScalingConfiguration",
        "DeleteScalingConfiguration",
    ),
    "ess/scalingGroup:ScalingGroup": made(
        "ess", "CreateScalingGroup", "DescribeScalingGroups", "EnableScalingGroup", "DisableScalingGroup",
        "ModifyScalingGroup", "RemoveInstances", "TagResources", "DeleteScalingGroup",
    ),
    "nas/fileSystem:FileSystem": made("nas", "CreateFileSystem", "DescribeFileSystems", "ModifyFileSystem", "UpgradeFileSystem"),
    "nas/mountTarget:MountTarget": made("nas", "CreateMountTarget", "DescribeMountTargets", "ModifyMountTarget"),
    "vpc/forwardEntry:ForwardEntry": made("vpc", "CreateForwardEntry", "DescribeForwardTableEntries", "DeleteForwardEntry"),
    "vpc/natGateway:NatGateway": made(
        "vpc", "CreateNatGateway", "DescribeNatGateways", "ModifyNatGatewayAttribute", "DeleteNatGateway"
    ),
    "vpc/network:Network": made("vpc", "CreateVpc", "DescribeVpcAttribute", "ModifyVpcAttribute", "DeleteVpc"),
    "vpc/snatEntry:SnatEntry": made("vpc", "CreateSnatEntry", "DescribeSnatTableEntries", "DeleteSnatEntry"),
    "vpc/switch:Switch": made("vpc", "CreateVSwitch", "DescribeVSwitchAttributes", "ModifyVSwitchAttribute", "DeleteVSwitch"),
}  # fmt: skip
"""Type of the program → what its provider calls (terraform-provider-alicloud; filesystems are not deleted by it here)."""
OWN_INSTANCE = ("DeleteInstance", "ModifyInstanceAttribute", "StartInstance", "StopInstance", "TagResources")


@pytest.mark.parametrize("service", ["cluster", "hosts"])
def test_everything_that_up_and_destroy_ask_for_is_allowed(
    service: str, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = cases.run(VIEW, cases.planned(cases.example(f"alicloud-{service}")), monkeypatch).run
    types = {one.typ.removeprefix("alicloud:") for one in run.declared if one.typ.startswith("alicloud:")}
    asked = [ask(action) for typ in types for action in NEEDS[typ]]
    asked += [ask(f"ecs:{call}", "instance/i-1", CLUSTER) for call in OWN_INSTANCE]
    asked.append(ask("ecs:TagResources", "securitygroup/sg-1"))
    assert [one.action for one in asked if not may_apply(one)] == []


ESCALATIONS = {
    "a role for oneself": ask("ram:CreateRole", "role/admin"),
    "AdministratorAccess on a role": ask("ram:AttachPolicyToRole", "role/railbed-mine-repair"),
    "AdministratorAccess on oneself": ask("ram:AttachPolicyToUser", "user/ci"),
    "a policy of one's own": ask("ram:CreatePolicy", "policy/railbed-more"),
    "one's own policy is widened": ask("ram:CreatePolicyVersion", "policy/railbed-mine-apply"),
    "an older policy comes back": ask("ram:SetDefaultPolicyVersion", "policy/railbed-mine-apply"),
    "whom a role trusts": ask("ram:UpdateRole", "role/railbed-mine-repair"),
    "a role for an instance": ask("ram:PassRole", "role/admin"),
    "a role on an instance": ask("ecs:AttachInstanceRamRole", "instance/i-1", CLUSTER),
    "another role is taken on": ask("sts:AssumeRole", "role/admin"),
    "keys of another user": ask("ram:CreateAccessKey", "user/root-like"),
    "a command on another's instance": ask("ecs:RunCommand", "instance/i-1", "theirs"),
    "a command on one's own instance": ask("ecs:RunCommand", "instance/i-1", CLUSTER),
    "a command on a Lingjun node": ask("eflo:RunCommand", "node/e01-1"),
    "another's instance is ended": ask("ecs:DeleteInstance", "instance/i-1", "theirs"),
    "an untagged instance is ended": ask("ecs:DeleteInstance", "instance/i-1"),
    "another's password and boot script": ask("ecs:ModifyInstanceAttribute", "instance/i-1", "theirs"),
    "another's instance is tagged": ask("ecs:TagResources", "instance/i-1", "theirs"),
    "an untagged instance is tagged": ask("ecs:TagResources", "instance/i-1"),
    "another's disk is replaced": ask("ecs:ReplaceSystemDisk", "instance/i-1", "theirs"),
    "a disk is copied": ask("ecs:CreateSnapshot", "disk/d-1"),
    "a key pair on an instance": ask("ecs:AttachKeyPair", "instance/i-1", "theirs"),
    "a filesystem is deleted": ask("nas:DeleteFileSystem", "filesystem/cpfs-1"),
    "secrets are read": ask("kms:GetSecretValue", "secret/x"),
    "objects are read": ask("oss:GetObject", "bucket/x"),
}


@pytest.mark.parametrize("what", ESCALATIONS)
def test_escalations_are_refused(what: str) -> None:
    assert not may_apply(ESCALATIONS[what])


@pytest.mark.parametrize("name", IDENTITIES)
def test_no_identity_gives_out_rights(name: str) -> None:
    actions = [action for one in document(name)["Statement"] for action in listed(one["Action"])]
    assert [action for action in actions if action.startswith("ram:") or action == "sts:AssumeRole"] == []
    assert ("eflo:RunCommand" in actions) == (name == "lingjun_keys")


def test_the_program_makes_no_identity(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = cases.run(VIEW, cases.planned(cases.example("alicloud-hosts")), monkeypatch).run
    assert [one.typ for one in run.declared if one.typ.startswith("alicloud:ram/")] == []
    given = [name for one in run.declared for name in one.inputs if re.search(r"role_?name", name, re.I)]
    assert given == []


@pytest.mark.parametrize("name", IDENTITIES)
def test_identities_name_every_action(name: str) -> None:
    apis = {"ecs": ecs_client.Client, "ess": ess_client.Client, "eflo": eflo_client.Client}
    elsewhere = {"CreateVpd", "DeleteVpd", "CreateSubnet", "DeleteSubnet", "GetVpd", "GetSubnet"}
    assert "@" not in json.dumps(document(name))
    for statement in document(name)["Statement"]:
        for action in statement["Action"]:
            service, _, call = action.partition(":")
            assert "*" not in action
            if service in apis and call not in elsewhere:
                snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in call)[1:]
                assert hasattr(apis[service], snake), action
            if name in ("plan", "validate"):
                assert call.startswith(("Describe", "Get", "List")), action


def test_repair_touches_only_what_carries_the_cluster_s_tag() -> None:
    look, *acting = document("repair")["Statement"]
    assert all(action.split(":")[1].startswith(("Describe", "Get", "List")) for action in look["Action"])
    assert {one["Condition"]["StringEquals"][TAG] for one in acting} == {CLUSTER}
    assert all(ACCOUNT in one["Resource"] for one in acting)
