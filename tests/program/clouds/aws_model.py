"""Recorded inputs as calls of AWS's own API: names, types, enumerations and ranges are those of botocore's service models.

What the engine's provider names otherwise, or does in a call of its own, is in the tables below; everything else must be a
member of the operation's input, or it is a problem.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.validate import ParamValidator


@dataclass(frozen=True)
class Call:
    """How one type of resource is made."""

    service: str
    operation: str
    inside: tuple[str, ...] = ()
    """Member of the input that the resource's properties belong into, where they are not of the input itself."""
    renamed: dict[str, str] = field(default_factory=dict)
    """Property → member, at any depth."""
    later: tuple[str, ...] = ()
    """Properties that are set by other calls (ModifyVpcAttribute, SuspendProcesses), or that only the engine reads."""


EC2_TAGS = ("tags",)
"""The provider turns them into TagSpecifications."""
CALLS = {
    ":Vpc": Call("ec2", "CreateVpc", later=(*EC2_TAGS, "enableDnsSupport", "enableDnsHostnames")),
    ":Subnet": Call("ec2", "CreateSubnet", later=(*EC2_TAGS, "mapPublicIpOnLaunch")),
    ":InternetGateway": Call("ec2", "CreateInternetGateway", later=(*EC2_TAGS, "vpcId")),
    ":Eip": Call("ec2", "AllocateAddress", later=EC2_TAGS),
    ":NatGateway": Call("ec2", "CreateNatGateway", later=EC2_TAGS),
    ":RouteTable": Call("ec2", "CreateRouteTable", later=(*EC2_TAGS, "routes")),
    ":RouteTableAssociation": Call("ec2", "AssociateRouteTable"),
    ":VpcEndpoint": Call("ec2", "CreateVpcEndpoint", later=EC2_TAGS),
    ":SecurityGroup": Call("ec2", "CreateSecurityGroup", later=(*EC2_TAGS, "revokeRulesOnDelete")),
    ":PlacementGroup": Call("ec2", "CreatePlacementGroup", later=EC2_TAGS),
    ":LaunchTemplate": Call(
        "ec2", "CreateLaunchTemplate", ("LaunchTemplateData",), {"securityGroups": "Groups"},
        later=(*EC2_TAGS, "updateDefaultVersion"),
    ),
    "autoscaling/group:Group": Call(
        "autoscaling", "CreateAutoScalingGroup",
        renamed={"protectFromScaleIn": "NewInstancesProtectedFromScaleIn", "id": "LaunchTemplateId"},
        later=(
            "vpcZoneIdentifiers", "suspendedProcesses", "waitForCapacityTimeout", "ignoreFailedScalingActivities",
            "forceDelete",
        ),
    ),
    ":LustreFileSystem": Call(
        "fsx", "CreateFileSystem", ("LustreConfiguration",),
        {"size": "SizeGiB", "fileSystemTypeVersion": "FileSystemTypeVersion"}, later=("tags", "subnetIds"),
    ),
    ":DataRepositoryAssociation": Call(
        "fsx", "CreateDataRepositoryAssociation",
        renamed={"batchImportMetaDataOnCreate": "BatchImportMetaDataOnCreate"}, later=("tags", "deleteDataInFilesystem"),
    ),
    ":Role": Call("iam", "CreateRole", renamed={"assumeRolePolicy": "AssumeRolePolicyDocument"}, later=("tags",)),
    ":RolePolicy": Call("iam", "PutRolePolicy", renamed={"policy": "PolicyDocument", "role": "RoleName"}),
    ":InstanceProfile": Call("iam", "CreateInstanceProfile", later=("tags", "role")),
}  # fmt: skip
RULES = {
    "SecurityGroupIngressRule": "AuthorizeSecurityGroupIngress",
    "SecurityGroupEgressRule": "AuthorizeSecurityGroupEgress",
}
OF_THE_INPUT = {
    "CreateFileSystem": ("storageCapacity", "storageType", "securityGroupIds", "fileSystemTypeVersion")
}
"""Properties that stay outside ``inside``."""
NAMED_BY_ENGINE = {
    "CreateSecurityGroup": "GroupName", "CreatePlacementGroup": "GroupName", "CreateLaunchTemplate": "LaunchTemplateName",
    "CreateAutoScalingGroup": "AutoScalingGroupName", "CreateRole": "RoleName", "PutRolePolicy": "PolicyName",
    "CreateInstanceProfile": "InstanceProfileName",
}  # fmt: skip
"""Members for which the engine makes up a name, each time another."""
_numbers = itertools.count(1)


@dataclass
class Asked:
    """One call, and what is wrong with it."""

    service: str
    operation: str
    parameters: dict[str, Any]
    problems: list[str]


@functools.cache
def _model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def made_up(mock: str) -> str:
    """An id as long as AWS's own for a mock's."""
    return "id-" + hashlib.sha256(mock.encode()).hexdigest()[:17]


def asked(typ: str, inputs: dict[str, Any], ids: Callable[[str], str] = made_up) -> Asked:
    """The call that makes a resource; a type that the tables lack is a problem. ``ids``: what stands for a mock's id."""
    inputs = _with_ids(inputs, ids)
    rule = typ.rpartition(":")[2]
    if rule in RULES:
        return _checked("ec2", RULES[rule], _rule(inputs), [])
    call = next((call for suffix, call in CALLS.items() if typ.endswith(suffix)), None)
    if call is None:
        return Asked("", "", {}, [f"{typ}: no call is known"])
    shape = _model(call.service).operation_model(call.operation).input_shape
    problems: list[str] = []
    given = {name: value for name, value in inputs.items() if name not in call.later}
    outside = {name: given.pop(name) for name in OF_THE_INPUT.get(call.operation, ()) if name in given}
    parameters: dict[str, Any] = {}
    if call.operation in NAMED_BY_ENGINE:
        parameters[NAMED_BY_ENGINE[call.operation]] = f"made-{next(_numbers):07x}"
    if call.inside:
        (member,) = call.inside
        parameters[member] = _structure(shape.members[member], given, call, problems, member)
    else:
        outside = {**outside, **given}
    parameters |= _structure(shape, outside, call, problems, call.operation)
    if call.operation == "CreateFileSystem":
        parameters |= {"FileSystemType": "LUSTRE", "SubnetIds": [inputs["subnetIds"]]}
    if call.operation == "CreateAutoScalingGroup":
        parameters["VPCZoneIdentifier"] = ",".join(inputs["vpcZoneIdentifiers"])
    return _checked(call.service, call.operation, parameters, problems)


def _with_ids(value: Any, ids: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {name: _with_ids(one, ids) for name, one in value.items()}
    if isinstance(value, list):
        return [_with_ids(one, ids) for one in value]
    return ids(value) if isinstance(value, str) and value.endswith("-id") else value


def _checked(service: str, operation: str, parameters: dict[str, Any], problems: list[str]) -> Asked:
    shape = _model(service).operation_model(operation).input_shape
    report = ParamValidator().validate(parameters, shape)
    wrong = [report.generate_report()] if report.has_errors() else []
    return Asked(service, operation, parameters, problems + wrong + _values(shape, parameters, operation))


def _rule(inputs: dict[str, Any]) -> dict[str, Any]:
    """The provider's one rule a resource as the API's list of permissions."""
    said = {"Description": inputs["description"]}
    permission: dict[str, Any] = {"IpProtocol": inputs["ipProtocol"]}
    for end in ("fromPort", "toPort"):
        if end in inputs:
            permission[end[0].upper() + end[1:]] = int(inputs[end])
    if "referencedSecurityGroupId" in inputs:
        permission["UserIdGroupPairs"] = [{"GroupId": inputs["referencedSecurityGroupId"], **said}]
    if "cidrIpv4" in inputs:
        permission["IpRanges"] = [{"CidrIp": inputs["cidrIpv4"], **said}]
    if "cidrIpv6" in inputs:
        permission["Ipv6Ranges"] = [{"CidrIpv6": inputs["cidrIpv6"], **said}]
    return {"GroupId": inputs["securityGroupId"], "IpPermissions": [permission]}


def _structure(
    shape: StructureShape, given: dict[str, Any], call: Call, problems: list[str], at: str
) -> dict[str, Any]:
    members = {name.lower(): name for name in shape.members}
    made = {}
    for name, value in given.items():
        member = call.renamed.get(name)
        member = (
            member
            if member in shape.members
            else members.get(name.lower()) or members.get(name.lower().removesuffix("s"))
        )
        if member is None:
            problems.append(f"{at}: the API has no {name}")
            continue
        made[member] = _value(shape.members[member], value, call, problems, f"{at}.{member}")
    return made


def _value(shape: Shape, value: Any, call: Call, problems: list[str], at: str) -> Any:
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return _structure(shape, value, call, problems, at)
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_value(shape.member, one, call, problems, at) for one in value]
    if isinstance(shape, ListShape) and isinstance(value, dict):
        return [{"Key": key, "Value": one} for key, one in value.items()]
    if isinstance(shape, MapShape):
        return value
    if shape.type_name in ("integer", "long") and isinstance(value, float) and value.is_integer():
        return int(value)
    if shape.type_name == "boolean" and value in ("true", "false"):
        return value == "true"
    return value


def _values(shape: Shape, value: Any, at: str) -> list[str]:
    """Enumerations and largest values, which botocore itself does not look at."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        known = [
            (shape.members[name], one, f"{at}.{name}") for name, one in value.items() if name in shape.members
        ]
        return [wrong for member in known for wrong in _values(*member)]
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [wrong for one in value for wrong in _values(shape.member, one, at)]
    found = []
    words = shape.metadata.get("enum")
    if words and value not in words:
        found.append(f"{at}: {value!r} is none of {', '.join(words)}")
    most = shape.metadata.get("max")
    if most is not None and (len(value) if isinstance(value, str) else value) > most:
        found.append(f"{at}: {value!r} is over {most}")
    return found
