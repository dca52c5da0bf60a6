"""AWS as the conformance suite sees it. Answers are in the forms of the EC2, Auto Scaling and FSx API references, made by
hand; nothing was recorded from an account."""

from __future__ import annotations

import base64
import datetime
from typing import Any

from tests.program.clouds.recording import Declared, Run
from tests.program.clouds.view import NicBlock, Node, Open

LAUNCHED = datetime.datetime(2027, 2, 1, 8, 0, tzinfo=datetime.UTC)
PORTS = (0, 65535)
ROOT_DEVICE = "/dev/sda1"
DNS = "fs-0123456789abcdef0.fsx.us-east-2.amazonaws.com"
UNTAGGED = (":RolePolicy", ":RouteTableAssociation")
LUSTRE = ":LustreFileSystem"


def group_name(pool: str) -> str:
    """Physical name that the fake provider gives a pool's group."""
    return f"pool-{pool}-1a2b3c4"


class FakeAws:
    """Stands in for botocore's one place where calls go out (``BaseClient._make_api_call``): paginators, clients and
    parameter names above it are the real ones."""

    def __init__(self, pools: dict[str, list[Node]], reasons: dict[str, list[str]]) -> None:
        self.groups = {group_name(pool): nodes for pool, nodes in pools.items() if pool != "controller"}
        for place, node in enumerate(pools.get("controller", [])):
            self.groups[group_name(f"controller-{place}" if place else "controller")] = [node]
        self.reasons = {group_name(pool): said for pool, said in reasons.items()}
        self.consoles = {node.id: node.console for nodes in pools.values() for node in nodes}

    def __call__(self, client: Any, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = getattr(self, operation)(asked)
        return answer

    def DescribeAutoScalingGroups(self, asked: dict[str, Any]) -> dict[str, Any]:
        (name,) = asked["AutoScalingGroupNames"]
        members = [
            {"InstanceId": one.id, "LifecycleState": "InService", "HealthStatus": "Healthy"}
            for one in self.groups.get(name, [])
        ]
        return {"AutoScalingGroups": [{"AutoScalingGroupName": name, "Instances": members}]}

    def DescribeInstances(self, asked: dict[str, Any]) -> dict[str, Any]:
        """By the group's tag, or by ids."""
        first = asked["Filters"][0]
        by_id = first["Name"] == "instance-id"
        groups = self.groups.values() if by_id else [self.groups.get(name, []) for name in first["Values"]]
        members = [
            {
                "InstanceId": one.id, "PrivateIpAddress": one.address, "LaunchTime": LAUNCHED,
                "State": {"Name": "running"},
            }
            for some in groups
            for one in some
            if not by_id or one.id in first["Values"]
        ]  # fmt: skip
        return {"Reservations": [{"Instances": members}]}

    def DescribeInstanceTopology(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Of every four by their number two share the lowest node."""
        return {
            "Instances": [
                {"InstanceId": name, "NetworkNodes": ["nn-a", "nn-b", f"nn-{int(name[-5:]) % 4 // 2}"]}
                for name in asked["InstanceIds"]
            ]
        }

    def DescribeScalingActivities(self, asked: dict[str, Any]) -> dict[str, Any]:
        said = self.reasons.get(asked["AutoScalingGroupName"], [])
        failed = [{"StartTime": LAUNCHED, "StatusCode": "Failed", "StatusMessage": one} for one in said]
        return {"Activities": failed}

    def GetConsoleOutput(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"InstanceId": asked["InstanceId"], "Output": self.consoles[asked["InstanceId"]]}

    def DescribeCapacityReservations(self, asked: dict[str, Any]) -> dict[str, Any]:
        (name,) = asked["CapacityReservationIds"]
        return {"CapacityReservations": [{"CapacityReservationId": name, "State": "active"}]}

    def DescribeFileSystems(self, asked: dict[str, Any]) -> dict[str, Any]:
        (name,) = asked["FileSystemIds"]
        dns = f"{name}.fsx.us-east-2.amazonaws.com"
        lustre = {"MountName": "abcdef01"}
        return {"FileSystems": [{"FileSystemType": "LUSTRE", "DNSName": dns, "LustreConfiguration": lustre}]}


class AwsView:
    """See ``view.View``."""

    kind = "aws"
    examples = ("aws-cluster", "aws-hosts", "aws-flagship")
    machines = {  # noqa: RUF012  an attribute of the protocol
        "aws/p4d.24xlarge": "aws-cluster",
        "aws/p4de.24xlarge": "aws-cluster",
        "aws/p5.48xlarge": "aws-cluster",
        "aws/p5e.48xlarge": "aws-cluster",
        "aws/p5en.48xlarge": "aws-cluster",
        "aws/p6-b200.48xlarge": "aws-cluster",
        "aws/p6-b300.48xlarge": "aws-cluster",
    }
    """Without p6e-gb200: its interface layout is not published, and a fabric on it is refused (test_aws.py)."""

    def answers(self, typ: str, name: str, inputs: dict[str, Any]) -> dict[str, Any]:
        if typ.endswith(":Group"):
            return {"name": group_name(name.removeprefix("pool-"))}
        if typ.endswith(":PlacementGroup"):
            return {"name": f"{name}-1a2b3c4"}
        if typ.endswith((":Role", ":InstanceProfile")):
            return {"name": f"{name}-1a2b3c4", "arn": f"arn:aws:iam::000000000000:role/railbed/{name}"}
        if typ.endswith(LUSTRE):
            return {
                "dnsName": f"fs-0123456789abcdef0.fsx.{inputs.get('region', 'us-east-2')}.amazonaws.com",
                "mountName": "abcdef01",
            }
        return {}

    def call(self, token: str, args: dict[str, Any]) -> dict[str, Any]:
        assert token == "aws:ec2/getAmi:getAmi", token
        return {"rootDeviceName": ROOT_DEVICE, "architecture": "x86_64"}

    def members(self, monkeypatch: Any, pools: dict[str, list[Node]], reasons: dict[str, list[str]]) -> None:
        fake = FakeAws(pools, reasons)
        monkeypatch.setattr("botocore.client.BaseClient._make_api_call", lambda *call: fake(*call))

    def template(self, run: Run, pool: str) -> dict[str, Any]:
        """Inputs of the pool's launch template."""
        (found,) = [one.inputs for one in run.of(":LaunchTemplate") if one.name == f"pool-{pool}"]
        return found

    def nics(self, run: Run, pool: str) -> list[NicBlock] | None:
        kinds = {"interface": "frontend", "efa-only": "rail", "efa": "both"}
        return [
            NicBlock(
                card=int(one["networkCardIndex"]),
                device=int(one["deviceIndex"]),
                kind=kinds[one["interfaceType"]],
            )
            for one in self.template(run, pool)["networkInterfaces"]
        ]

    def rdma(self, run: Run, pool: str) -> list[Declared]:
        blocks = self.template(run, pool)["networkInterfaces"]
        used = {
            group for one in blocks if one["interfaceType"] != "interface" for group in one["securityGroups"]
        }
        return [one for one in run.of(":SecurityGroup") if f"{one.name}-id" in used]

    def placement(self, run: Run, pool: str) -> list[Declared]:
        wanted = self.template(run, pool).get("placement", {}).get("groupName")
        return [one for one in run.of(":PlacementGroup") if f"{one.name}-1a2b3c4" == wanted]

    def capacity(self, run: Run, pool: str) -> str:
        template = self.template(run, pool)
        target = template.get("capacityReservationSpecification", {}).get("capacityReservationTarget", {})
        market = template.get("instanceMarketOptions", {}).get("marketType")
        return target.get("capacityReservationId") or market or "on_demand"

    def size(self, run: Run, pool: str) -> int:
        (group,) = [one.inputs for one in run.of("autoscaling/group:Group") if one.name == f"pool-{pool}"]
        assert group["maxSize"] == group["desiredCapacity"]
        return int(group["desiredCapacity"])

    def opened(self, run: Run) -> list[Open]:
        groups = {f"{one.name}-id" for one in run.of(":SecurityGroup")}
        found = []
        for one in run.of(":SecurityGroupIngressRule"):
            rule = one.inputs
            source = rule.get("cidrIpv4") or rule.get("cidrIpv6") or rule["referencedSecurityGroupId"]
            if source in groups:
                source = "self" if source == rule["securityGroupId"] else source
            low, high = PORTS if rule["ipProtocol"] == "-1" else (int(rule["fromPort"]), int(rule["toPort"]))
            found.append(Open(source, low, high))
        return found

    def groups(self, run: Run, pool: str) -> set[str]:
        blocks = self.template(run, pool)["networkInterfaces"]
        return {group.removesuffix("-id") for one in blocks for group in one["securityGroups"]}

    def public_addresses(self, run: Run) -> list[str]:
        public = [one.name for one in run.of(":Subnet") if one.inputs.get("mapPublicIpOnLaunch")]
        for template in run.of(":LaunchTemplate"):
            given = [
                one
                for one in template.inputs["networkInterfaces"]
                if one.get("associatePublicIpAddress") not in (None, "false")
            ]
            public += [template.name] * bool(given)
        attached = [
            one.name
            for one in run.of(":Eip")
            if one.inputs.get("instance") or one.inputs.get("networkInterface")
        ]
        return public + attached

    def disks(self, run: Run) -> dict[str, bool]:
        disks = {
            f"{one.name}{mapping['deviceName']}": mapping["ebs"].get("encrypted") == "true"
            for one in run.of(":LaunchTemplate")
            for mapping in one.inputs["blockDeviceMappings"]
        }
        # Lustre of a persistent type is always encrypted at rest (FSx for Lustre User Guide, "Encrypting data at rest").
        lasting = {one.name: one.inputs["deploymentType"].startswith("PERSISTENT") for one in run.of(LUSTRE)}
        return {**disks, **lasting}

    def tags(self, one: Declared) -> dict[str, str] | None:
        if one.typ.endswith(UNTAGGED) or not one.typ.startswith("aws:"):
            return None
        tags = one.inputs.get("tags", {})
        return {tag["key"]: tag["value"] for tag in tags} if isinstance(tags, list) else tags

    def filesystems(self, run: Run) -> list[Declared]:
        return run.of(LUSTRE)

    def user_data(self, run: Run) -> list[str]:
        return [base64.b64decode(one.inputs["userData"]).decode() for one in run.of(":LaunchTemplate")]


VIEW = AwsView()
