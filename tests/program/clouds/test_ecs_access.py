"""What the identities on Alibaba Cloud and Volcengine can do and cannot: all that `up` and `destroy` ask for, and the known
ways to more rights. The judge is a stand-in (``policy_language``); calls are those of the clouds' own clients, where PyPI has
them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import alibabacloud_ecs20140526.client as ecs_client
import alibabacloud_eflo_controller20221215.client as eflo_client
import alibabacloud_ess20220222.client as ess_client
import pytest
import volcenginesdkautoscaling
import volcenginesdkecs
from tests.program.clouds import alicloud_api, alicloud_view, cases, volcengine_api, volcengine_view
from tests.program.clouds.policy_language import Ask, allows, listed
from tests.program.clouds.view import View

from railbed.platforms.cloud import documents

pytestmark = pytest.mark.simulated
REGION, CLUSTER = "cn-beijing", "mine"


def made(service: str, *calls: str) -> list[str]:
    return [f"{service}:{call}" for call in calls]


Asked = tuple[str, str] | tuple[str, str, str]
"""Action, resource and the cluster that the resource's tag names; ``rights`` is the service of users and policies."""
ESCALATIONS: dict[str, Asked] = {
    "a role for oneself": ("rights:CreateRole", "role/admin"),
    "a policy of one's own": ("rights:CreatePolicy", "policy/railbed-more"),
    "whom a role trusts": ("rights:UpdateRole", "role/railbed-mine-repair"),
    "a role for an instance": ("rights:PassRole", "role/admin"),
    "another role is taken on": ("sts:AssumeRole", "role/admin"),
    "keys of another user": ("rights:CreateAccessKey", "user/root-like"),
    "another's instance is ended": ("ecs:DeleteInstance", "instance/i-1", "theirs"),
    "an untagged instance is ended": ("ecs:DeleteInstance", "instance/i-1"),
    "another's password and boot script": ("ecs:ModifyInstanceAttribute", "instance/i-1", "theirs"),
    "another's instance is tagged": ("ecs:TagResources", "instance/i-1", "theirs"),
    "an untagged instance is tagged": ("ecs:TagResources", "instance/i-1"),
    "a key pair on an instance": ("ecs:AttachKeyPair", "instance/i-1", "theirs"),
}
"""Of both."""


@dataclass(frozen=True)
class Cloud:
    """Where the two differ."""

    view: View
    account: str
    prefix: str
    """Of names of resources."""
    tag: str
    rights: str
    identities: tuple[str, ...]
    apis: Mapping[str, Any]
    elsewhere: frozenset[str]
    """Calls that the client on PyPI does not have."""
    untagged: str
    """What a tag is put on when it is made."""
    needs: Mapping[str, list[str]]
    """Type of the program → what its provider calls (the provider's Terraform code; filesystems are not deleted by it)."""
    escalations: Mapping[str, Asked]

    def document(self, name: str) -> dict[str, Any]:
        folder = cases.ROOT / f"infra/railbed/platforms/{self.view.kind}/identities"
        return documents.document(folder, name, CLUSTER, REGION, self.account)

    def may_apply(self, action: str, resource: str = "*", owner: str = "") -> bool:
        action = action.replace("rights:", f"{self.rights}:")
        service = action.partition(":")[0]
        name = "*" if resource == "*" else f"{self.prefix}:{service}:{REGION}:{self.account}:{resource}"
        return allows([self.document("apply")], [Ask(action, name, {self.tag: owner} if owner else {})])


IDENTITIES = ("plan", "apply", "repair", "validate")
ALICLOUD_NEEDS = {
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
ALICLOUD = Cloud(
    alicloud_view.VIEW, alicloud_api.ACCOUNT, "acs", "acs:ResourceTag/railbed-cluster", "ram",
    (*IDENTITIES, "lingjun_keys"),
    {"ecs": ecs_client.Client, "ess": ess_client.Client, "eflo": eflo_client.Client},
    frozenset({"CreateVpd", "DeleteVpd", "CreateSubnet", "DeleteSubnet", "GetVpd", "GetSubnet"}),
    "securitygroup/sg-1",
    needs=ALICLOUD_NEEDS,
    escalations={
        "AdministratorAccess on a role": ("rights:AttachPolicyToRole", "role/railbed-mine-repair"),
        "AdministratorAccess on oneself": ("rights:AttachPolicyToUser", "user/ci"),
        "one's own policy is widened": ("rights:CreatePolicyVersion", "policy/railbed-mine-apply"),
        "an older policy comes back": ("rights:SetDefaultPolicyVersion", "policy/railbed-mine-apply"),
        "a role on an instance": ("ecs:AttachInstanceRamRole", "instance/i-1", CLUSTER),
        "a command on another's instance": ("ecs:RunCommand", "instance/i-1", "theirs"),
        "a command on one's own instance": ("ecs:RunCommand", "instance/i-1", CLUSTER),
        "a command on a Lingjun node": ("eflo:RunCommand", "node/e01-1"),
        "another's disk is replaced": ("ecs:ReplaceSystemDisk", "instance/i-1", "theirs"),
        "a disk is copied": ("ecs:CreateSnapshot", "disk/d-1"),
        "a filesystem is deleted": ("nas:DeleteFileSystem", "filesystem/cpfs-1"),
        "secrets are read": ("kms:GetSecretValue", "secret/x"),
        "objects are read": ("oss:GetObject", "bucket/x"),
    },
)  # fmt: skip
VOLCENGINE_NEEDS = {
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
VOLCENGINE = Cloud(
    volcengine_view.VIEW, volcengine_api.ACCOUNT, "trn", "volc:ResourceTag/railbed-cluster", "iam",
    IDENTITIES,
    {"ecs": volcenginesdkecs.ECSApi, "auto_scaling": volcenginesdkautoscaling.AUTOSCALINGApi},
    frozenset(),
    "hpccluster/hpc-1",
    needs=VOLCENGINE_NEEDS,
    escalations={
        "AdministratorAccess on a role": ("rights:AttachRolePolicy", "role/railbed-mine-repair"),
        "AdministratorAccess on oneself": ("rights:AttachUserPolicy", "user/ci"),
        "one's own policy is widened": ("rights:UpdatePolicy", "policy/railbed-mine-apply"),
        "a role on an instance": ("ecs:AssociateInstancesIamRole", "instance/i-1", CLUSTER),
        "a command on another's instance": ("ecs:InvokeCommand", "instance/i-1", "theirs"),
        "a command on an instance": ("ecs:RunCommand", "instance/i-1", CLUSTER),
        "another's disk is replaced": ("ecs:ReplaceSystemVolume", "instance/i-1", "theirs"),
        "a disk is copied": ("storage_ebs:CreateSnapshot", "volume/v-1"),
        "a filesystem is deleted": ("vepfs:DeleteFileSystem", "filesystem/vepfs-1"),
        "objects are read": ("tos:GetObject", "bucket/x"),
    },
)  # fmt: skip
CLOUDS = (ALICLOUD, VOLCENGINE)
OWN_INSTANCE = ("DeleteInstance", "ModifyInstanceAttribute", "StartInstance", "StopInstance", "TagResources")
LOOKS = ("Describe", "Get", "List")
each = pytest.mark.parametrize("cloud", CLOUDS, ids=lambda cloud: cloud.view.kind)
every_identity = pytest.mark.parametrize(
    ("cloud", "name"),
    [pytest.param(c, name, id=f"{c.view.kind}-{name}") for c in CLOUDS for name in c.identities],
)


def program(cloud: Cloud, service: str, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    plan = cases.planned(cases.example(f"{cloud.view.kind}-{service}"))
    return list(cases.run(cloud.view, plan, monkeypatch).run.declared)


@each
@pytest.mark.parametrize("service", ["cluster", "hosts"])
def test_everything_that_up_and_destroy_ask_for_is_allowed(
    cloud: Cloud, service: str, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = f"{cloud.view.kind}:"
    types = {
        one.typ.removeprefix(own) for one in program(cloud, service, monkeypatch) if one.typ.startswith(own)
    }
    asked: list[tuple[str, ...]] = [(action,) for typ in types for action in cloud.needs[typ]]
    asked += [(f"ecs:{call}", "instance/i-1", CLUSTER) for call in OWN_INSTANCE]
    asked.append(("ecs:TagResources", cloud.untagged))
    assert [one for one in asked if not cloud.may_apply(*one)] == []


@pytest.mark.parametrize(
    ("cloud", "asked"),
    [
        pytest.param(c, asked, id=f"{c.view.kind}: {what}")
        for c in CLOUDS
        for what, asked in {**ESCALATIONS, **c.escalations}.items()
    ],
)
def test_escalations_are_refused(cloud: Cloud, asked: Asked) -> None:
    assert not cloud.may_apply(*asked)


@every_identity
def test_no_identity_gives_out_rights(cloud: Cloud, name: str) -> None:
    actions = [action for one in cloud.document(name)["Statement"] for action in listed(one["Action"])]
    rights = f"{cloud.rights}:"
    assert [action for action in actions if action.startswith(rights) or action == "sts:AssumeRole"] == []
    assert ("eflo:RunCommand" in actions) == (name == "lingjun_keys")


@each
def test_the_program_makes_no_identity(cloud: Cloud, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declared = program(cloud, "hosts", monkeypatch)
    assert [one.typ for one in declared if one.typ.startswith(f"{cloud.view.kind}:{cloud.rights}/")] == []
    assert [name for one in declared for name in one.inputs if re.search(r"role_?name", name, re.I)] == []


@every_identity
def test_identities_name_every_action(cloud: Cloud, name: str) -> None:
    assert "@" not in json.dumps(cloud.document(name))
    for statement in cloud.document(name)["Statement"]:
        for action in statement["Action"]:
            service, _, call = action.partition(":")
            assert "*" not in action
            if service in cloud.apis and call not in cloud.elsewhere:
                snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in call)[1:]
                assert hasattr(cloud.apis[service], snake), action
            if name in ("plan", "validate"):
                assert call.startswith(LOOKS), action


@each
def test_repair_touches_only_what_carries_the_cluster_s_tag(cloud: Cloud) -> None:
    look, *acting = cloud.document("repair")["Statement"]
    assert all(action.split(":")[1].startswith(LOOKS) for action in look["Action"])
    assert {one["Condition"]["StringEquals"][cloud.tag] for one in acting} == {CLUSTER}
    resources = [resource for one in acting for resource in listed(one["Resource"])]
    assert all(cloud.account in resource for resource in resources)
