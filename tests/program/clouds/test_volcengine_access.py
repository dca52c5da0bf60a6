"""What the identities on Volcengine can do and cannot: all that `up` and `destroy` ask for, and the known ways to more rights.
The judge is a stand-in (``policy_language``); calls are those of Volcengine's own clients, where PyPI has them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import volcenginesdkautoscaling
import volcenginesdkecs
from tests.program.clouds import cases
from tests.program.clouds.policy_language import Ask, allows, listed
from tests.program.clouds.volcengine_api import ACCOUNT
from tests.program.clouds.volcengine_view import VIEW

from railbed.platforms.cloud import documents

pytestmark = pytest.mark.simulated
FOLDER = cases.ROOT / "infra/railbed/platforms/volcengine/identities"
REGION, CLUSTER = "cn-beijing", "mine"
IDENTITIES = ("plan", "apply", "repair", "validate")
TAG = "volc:ResourceTag/railbed-cluster"


def document(name: str) -> dict[str, Any]:
    return documents.document(FOLDER, name, CLUSTER, REGION, ACCOUNT)


def ask(action: str, resource: str = "*", owner: str = "") -> Ask:
    trn = f"trn:{action.partition(':')[0]}:{REGION}:{ACCOUNT}:{resource}" if resource != "*" else "*"
    return Ask(action, trn, {TAG: owner} if owner else {})


def may_apply(one: Ask) -> bool:
    return allows([document("apply")], [one])


def made(service: str, *calls: str) -> list[str]:
    return [f"{service}:{call}" for call in calls]


NEEDS = {
    "autoscaling/scalingConfiguration:ScalingConfiguration": made(
        "auto_scaling", "CreateScalingConfiguration", "DescribeScalingConfigurations", "ModifyScalingConfiguration",
        "DeleteScalingConfiguration",
    ),
    "autoscaling/scalingConfigurationAttachment:ScalingConfigurationAttachment": made(
        "auto_scaling", "EnableScalingConfiguration"
    ),
    "autoscaling/scalingGroup:ScalingGroup": made(
        "auto_scaling", "CreateScalingGroup", "DescribeScalingGroups", "ModifyScalingGroup", "RemoveInstances",
        "DeleteScalingGroup", "TagResources",
    ),
    "autoscaling/scalingGroupEnabler:ScalingGroupEnabler": made("auto_scaling", "EnableScalingGroup", "DisableScalingGroup"),
    "ecs/hpcCluster:HpcCluster": made("ecs", "CreateHpcCluster", "DescribeHpcClusters", "DeleteHpcCluster"),
    "ecs/instance:Instance": made("ecs", "RunInstances", "DescribeInstances", "DescribeUserData", "GetConsoleOutput"),
    "eip/address:Address": made("vpc", "AllocateEipAddress", "DescribeEipAddressAttributes", "ReleaseEipAddress"),
    "eip/associate:Associate": made("vpc", "AssociateEipAddress", "DisassociateEipAddress"),
    "nat/dnatEntry:DnatEntry": made("natgateway", "CreateDnatEntry", "DescribeDnatEntryAttributes", "DeleteDnatEntry"),
    "nat/gateway:Gateway": made(
        "natgateway", "CreateNatGateway", "DescribeNatGatewayAttributes", "ModifyNatGatewayAttributes", "DeleteNatGateway"
    ),
    "nat/snatEntry:SnatEntry": made("natgateway", "CreateSnatEntry", "DescribeSnatEntryAttributes", "DeleteSnatEntry"),
    "vepfs/fileSystem:FileSystem": made(
        "vepfs", "CreateFileSystem", "DescribeFileSystems", "UpdateFileSystem", "ExpandFileSystem"
    ),
    "vepfs/mountService:MountService": made("vepfs", "CreateMountService", "DescribeMountServices"),
    "vepfs/mountServiceAttachment:MountServiceAttachment": made("vepfs", "AttachMountServiceToSelfFileSystem"),
    "vpc/securityGroup:SecurityGroup": made(
        "vpc", "CreateSecurityGroup", "DescribeSecurityGroupAttributes", "ModifySecurityGroupAttributes", "DeleteSecurityGroup"
    ),
    "vpc/securityGroupRule:SecurityGroupRule": made(
        "vpc", "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress", "RevokeSecurityGroupIngress",
        "RevokeSecurityGroupEgress",
    ),
    "vpc/subnet:Subnet": made("vpc", "CreateSubnet", "DescribeSubnetAttributes", "ModifySubnetAttributes", "DeleteSubnet"),
    "vpc/vpc:Vpc": made("vpc", "CreateVpc", "DescribeVpcAttributes", "ModifyVpcAttributes", "DeleteVpc", "TagResources"),
}  # fmt: skip
"""Type of the program → what its provider calls (terraform-provider-volcengine; filesystems are not deleted by it here)."""
OWN_INSTANCE = ("DeleteInstance", "ModifyInstanceAttribute", "StartInstance", "StopInstance", "TagResources")


@pytest.mark.parametrize("service", ["cluster", "hosts"])
def test_everything_that_up_and_destroy_ask_for_is_allowed(
    service: str, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = cases.run(VIEW, cases.planned(cases.example(f"volcengine-{service}")), monkeypatch).run
    types = {one.typ.removeprefix("volcengine:") for one in run.declared if one.typ.startswith("volcengine:")}
    asked = [ask(action) for typ in types for action in NEEDS[typ]]
    asked += [ask(f"ecs:{call}", "instance/i-1", CLUSTER) for call in OWN_INSTANCE]
    asked.append(ask("ecs:TagResources", "hpccluster/hpc-1"))
    assert [one.action for one in asked if not may_apply(one)] == []


ESCALATIONS = {
    "a role for oneself": ask("iam:CreateRole", "role/admin"),
    "AdministratorAccess on a role": ask("iam:AttachRolePolicy", "role/railbed-mine-repair"),
    "AdministratorAccess on oneself": ask("iam:AttachUserPolicy", "user/ci"),
    "a policy of one's own": ask("iam:CreatePolicy", "policy/railbed-more"),
    "one's own policy is widened": ask("iam:UpdatePolicy", "policy/railbed-mine-apply"),
    "whom a role trusts": ask("iam:UpdateRole", "role/railbed-mine-repair"),
    "a role for an instance": ask("iam:PassRole", "role/admin"),
    "a role on an instance": ask("ecs:AssociateInstancesIamRole", "instance/i-1", CLUSTER),
    "another role is taken on": ask("sts:AssumeRole", "role/admin"),
    "keys of another user": ask("iam:CreateAccessKey", "user/root-like"),
    "a command on another's instance": ask("ecs:InvokeCommand", "instance/i-1", "theirs"),
    "a command on an instance": ask("ecs:RunCommand", "instance/i-1", CLUSTER),
    "another's instance is ended": ask("ecs:DeleteInstance", "instance/i-1", "theirs"),
    "an untagged instance is ended": ask("ecs:DeleteInstance", "instance/i-1"),
    "another's password and boot script": ask("ecs:ModifyInstanceAttribute", "instance/i-1", "theirs"),
    "another's instance is tagged": ask("ecs:TagResources", "instance/i-1", "theirs"),
    "an untagged instance is tagged": ask("ecs:TagResources", "instance/i-1"),
    "another's disk is replaced": ask("ecs:ReplaceSystemVolume", "instance/i-1", "theirs"),
    "a key pair on an instance": ask("ecs:AttachKeyPair", "instance/i-1", "theirs"),
    "a disk is copied": ask("storage_ebs:CreateSnapshot", "volume/v-1"),
    "a filesystem is deleted": ask("vepfs:DeleteFileSystem", "filesystem/vepfs-1"),
    "objects are read": ask("tos:GetObject", "bucket/x"),
}


@pytest.mark.parametrize("what", ESCALATIONS)
def test_escalations_are_refused(what: str) -> None:
    assert not may_apply(ESCALATIONS[what])


@pytest.mark.parametrize("name", IDENTITIES)
def test_no_identity_gives_out_rights(name: str) -> None:
    actions = [action for one in document(name)["Statement"] for action in listed(one["Action"])]
    assert [action for action in actions if action.startswith("iam:") or action == "sts:AssumeRole"] == []


def test_the_program_makes_no_identity(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = cases.run(VIEW, cases.planned(cases.example("volcengine-hosts")), monkeypatch).run
    assert [one.typ for one in run.declared if one.typ.startswith("volcengine:iam/")] == []


@pytest.mark.parametrize("name", IDENTITIES)
def test_identities_name_every_action(name: str) -> None:
    apis = {"ecs": volcenginesdkecs.ECSApi, "auto_scaling": volcenginesdkautoscaling.AUTOSCALINGApi}
    assert "@" not in json.dumps(document(name))
    for statement in document(name)["Statement"]:
        for action in statement["Action"]:
            service, _, call = action.partition(":")
            assert "*" not in action
            if service in apis:
                snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in call)[1:]
                assert hasattr(apis[service], snake), action
            if name in ("plan", "validate"):
                assert call.startswith(("Describe", "Get", "List")), action


def test_repair_touches_only_what_carries_the_cluster_s_tag() -> None:
    look, *acting = document("repair")["Statement"]
    assert all(action.split(":")[1].startswith(("Describe", "Get")) for action in look["Action"])
    assert {one["Condition"]["StringEquals"][TAG] for one in acting} == {CLUSTER}
    assert all(ACCOUNT in resource for one in acting for resource in one["Resource"])
