"""The recorded program replayed into the AWS emulator: what it declares is launched, found, and refused where it must be."""

from __future__ import annotations

import copy
import datetime
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from tests.program.clouds import aws_model, cases
from tests.program.clouds.aws_emulator import ACCOUNT, block, emulated, host_key
from tests.program.clouds.aws_view import VIEW
from tests.program.clouds.recording import Run

from railbed.platforms.aws import discover, policies, preflight, reads

REGION, ZONE = "us-east-2", "us-east-2a"
QUOTA = "L-417A185B"
INTERFACES = "L-DF5E4CA3"
TODAY = datetime.date(2026, 12, 1)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "emulated")
    for place in ("cloud.consoles.CONSOLE_TIMEOUT_S", "cloud.pool_wait.CLOUD_POOL_TIMEOUT_S"):
        monkeypatch.setattr(f"railbed.platforms.{place}", 0.0)
    with emulated({QUOTA: 1_000_000.0, INTERFACES: 5000.0}):
        bound()
        yield


def bound(**changes: Any) -> None:
    """What an administrator makes once: the boundary of the cluster's roles."""
    cluster = cases.example("aws-cluster")["name"]
    document = {**policies.document("boundary", cluster, REGION, ACCOUNT), **changes}
    name = policies.boundary(ACCOUNT, cluster).rpartition("/")[2]
    boto3.client("iam").create_policy(PolicyName=name, PolicyDocument=json.dumps(document))


def recorded(monkeypatch: pytest.MonkeyPatch, machine: str, **capacity: Any) -> Run:
    """The program of two nodes of ``machine``, under mocks."""
    data = cases.with_machine(cases.example("aws-cluster"), machine)
    data["pools"][0] |= {"nodes": 2, "spares": 0, "capacity": capacity or {"kind": "on_demand"}}
    data["workloads"] = []
    with monkeypatch.context() as inside:
        return cases.run(VIEW, cases.planned(data), inside).run


class Replay:
    """Makes recorded resources in the emulator; mocks' ids become real ones."""

    def __init__(self) -> None:
        self.ids: dict[str, str] = {}
        self.clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        return self.clients.setdefault(service, boto3.client(service, region_name=REGION))

    def ask(self, typ: str, inputs: dict[str, Any]) -> dict[str, Any]:
        call = aws_model.asked(typ, inputs, lambda mock: self.ids[mock])
        assert not call.problems, call.problems
        name = "".join(f"_{c.lower()}" if c.isupper() else c for c in call.operation).lstrip("_")
        answer: dict[str, Any] = getattr(self.client(call.service), name)(**call.parameters)
        return {**call.parameters, **answer}

    def network(self, run: Run) -> None:
        for typ, made in (
            (":Vpc", "Vpc.VpcId"),
            (":Subnet", "Subnet.SubnetId"),
            (":SecurityGroup", "GroupId"),
        ):
            for one in run.of(typ):
                answer: Any = self.ask(one.typ, one.inputs)
                for key in made.split("."):
                    answer = answer[key]
                self.ids[f"{one.name}-id"] = answer
        for rule in [*run.of(":SecurityGroupIngressRule"), *run.of(":SecurityGroupEgressRule")]:
            if rule.inputs["ipProtocol"] != "-1" or "referencedSecurityGroupId" in rule.inputs:
                self.ask(rule.typ, rule.inputs)

    def template(self, run: Run, pool: str, group: str = "") -> str:
        """The pool's launch template, with its placement group; returns its id."""
        inputs = copy.deepcopy(VIEW.template(run, pool))
        if "placement" in inputs:
            self.client("ec2").create_placement_group(GroupName=group or "cluster", Strategy="cluster")
            inputs["placement"]["groupName"] = group or "cluster"
        inputs.pop("iamInstanceProfile")
        answer = self.ask("aws:ec2/launchTemplate:LaunchTemplate", inputs)
        self.ids[f"pool-{pool}-id"] = answer["LaunchTemplate"]["LaunchTemplateId"]
        return self.ids[f"pool-{pool}-id"]

    def launch(self, template: str, count: int = 1) -> list[dict[str, Any]]:
        answer = self.client("ec2").run_instances(
            LaunchTemplate={"LaunchTemplateId": template}, MinCount=count, MaxCount=count
        )
        found: list[dict[str, Any]] = answer["Instances"]
        return found


def reserve(shape: str, count: int, **more: Any) -> str:
    answer = boto3.client("ec2", region_name=REGION).create_capacity_reservation(
        InstanceType=shape, InstancePlatform="Linux/UNIX", AvailabilityZone=ZONE, InstanceCount=count, **more
    )
    name: str = answer["CapacityReservation"]["CapacityReservationId"]
    return name


def interfaces(instance: dict[str, Any]) -> list[tuple[str, int, int]]:
    found = [
        (one["InterfaceType"], one["Attachment"]["NetworkCardIndex"], one["Attachment"]["DeviceIndex"])
        for one in instance["NetworkInterfaces"]
    ]
    return sorted(found, key=lambda one: one[1:])


@pytest.mark.parametrize(
    ("machine", "first", "cards"),
    [
        ("aws/p4d.24xlarge", 0, 4),
        ("aws/p4de.24xlarge", 0, 4),
        ("aws/p5.48xlarge", 0, 32),
        ("aws/p5e.48xlarge", 0, 32),
        ("aws/p5en.48xlarge", 0, 16),
        ("aws/p6-b200.48xlarge", 0, 8),
        ("aws/p6-b300.48xlarge", 1, 16),
    ],
)
def test_template_gives_every_card_its_interface(
    account: None, workdir: Path, monkeypatch: pytest.MonkeyPatch, machine: str, first: int, cards: int
) -> None:
    replay, run = Replay(), recorded(monkeypatch, machine)
    replay.network(run)
    (instance,) = replay.launch(replay.template(run, "h100"))
    described = replay.client("ec2").describe_instances()["Reservations"][0]["Instances"][0]
    wanted = [("interface", 0, 0)]
    wanted += [("efa-only", card, 0 if card else 1) for card in range(first, first + cards)]
    assert interfaces(described) == wanted
    assert described["InstanceType"] == machine.split("/")[1] == instance["InstanceType"]
    assert described["Placement"]["GroupName"] == "cluster"
    assert "PublicIpAddress" not in described


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda nics: nics[1].update(deviceIndex=4), "InvalidNetworkInterface"),
        (lambda nics: nics[1].update(networkCardIndex=17), "InvalidNetworkInterface"),
        (lambda nics: nics[1].update(networkCardIndex=0, deviceIndex=1), "InvalidNetworkInterface"),
        (lambda nics: nics[2].update(networkCardIndex=1), "InvalidNetworkInterface"),
    ],
    ids=[
        "device that the card lacks",
        "card that is not there",
        "EFA on the card without",
        "one place twice",
    ],
)
def test_wrong_layouts_are_refused(
    account: None, workdir: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], None], code: str
) -> None:
    replay, run = Replay(), recorded(monkeypatch, "aws/p6-b300.48xlarge")
    replay.network(run)
    nics = VIEW.template(run, "h100")["networkInterfaces"]
    change(nics)
    with pytest.raises(ClientError) as refused:
        replay.launch(replay.template(run, "h100"))
    assert refused.value.response["Error"]["Code"] == code


def test_reservation_of_two_refuses_the_third(
    account: None, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = reserve("p5.48xlarge", 2)
    monkeypatch.setattr("tests.program.clouds.aws_view.FakeAws.DescribeCapacityReservations", _known)
    replay, run = Replay(), recorded(monkeypatch, "aws/p5.48xlarge", kind="reservation", id=held)
    replay.network(run)
    template = replay.template(run, "h100")
    first, _ = replay.launch(template, 2)
    with pytest.raises(ClientError, match="ReservationCapacityExceeded"):
        replay.launch(template)
    replay.client("ec2").terminate_instances(InstanceIds=[first["InstanceId"]])
    assert len(replay.launch(template)) == 1, "capacity did not come back"


def _known(_: Any, asked: dict[str, Any]) -> dict[str, Any]:
    return {"CapacityReservations": [{"CapacityReservationId": asked["CapacityReservationIds"][0]}]}


def test_block_takes_no_placement_group(
    account: None, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = reserve("p5.48xlarge", 2)
    dates = {"starts": datetime.date(2026, 12, 1), "ends": datetime.date(2027, 3, 1)}
    run = recorded(monkeypatch, "aws/p5.48xlarge", kind="block", id=held, **dates)
    replay = Replay()
    replay.network(run)
    block(replay.client("ec2"), held)
    assert not VIEW.placement(run, "h100")
    assert len(replay.launch(replay.template(run, "h100"), 2)) == 2
    VIEW.template(run, "h100")["placement"] = {"groupName": "any"}
    with pytest.raises(ClientError, match="placement group"):
        replay.launch(replay.template(run, "h100", group="any2"))


def test_duplicate_and_unknown_placement_group(account: None) -> None:
    ec2 = boto3.client("ec2", region_name=REGION)
    ec2.create_placement_group(GroupName="one", Strategy="cluster")
    with pytest.raises(ClientError, match="Duplicate"):
        ec2.create_placement_group(GroupName="one", Strategy="cluster")


def test_group_is_discovered_with_its_host_keys(
    account: None, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replay, run = Replay(), recorded(monkeypatch, "aws/p5.48xlarge")
    replay.network(run)
    replay.template(run, "h100")
    (group,) = [one for one in run.of("autoscaling/group:Group") if one.name == "pool-h100"]
    name = replay.ask(group.typ, group.inputs)["AutoScalingGroupName"]
    status = discover.status(REGION, name, 2, {}, {}, wait=True)
    assert not status.reasons
    assert len({one.id for one in status.members}) == 2
    assert all(
        one.host_keys == [host_key(one.id)] and one.address.startswith("10.64.") for one in status.members
    )
    protected = replay.client("autoscaling").describe_auto_scaling_instances()["AutoScalingInstances"]
    assert all(one["ProtectedFromScaleIn"] for one in protected)
    known = {status.members[0].id: ["ssh-ed25519 before"]}
    previewed = discover.status(REGION, name, 2, known, {}, wait=False)
    assert {tuple(one.host_keys) for one in previewed.members} == {("ssh-ed25519 before",), ()}


def test_preflight_passes_on_what_is_there(account: None) -> None:
    held = reserve("p5.48xlarge", 3, EndDate=datetime.datetime(2027, 6, 1, tzinfo=datetime.UTC))
    found = preflight.check(_small(held), TODAY)
    assert [one.name for one in found if not one.ok] == []
    assert {one.name.split()[0] for one in found} == {
        "account",
        "zone",
        "image",
        "permissions",
        "quota",
        "shape",
        "EFA",
        "reservation",
    }


def _small(held: str, **platform: Any) -> Any:
    data = cases.example("aws-cluster")
    data["platform"] |= {"account": ACCOUNT, "image": image(), **platform}
    data["pools"][0] |= {"nodes": 2, "spares": 1, "capacity": {"kind": "reservation", "id": held}}
    data["workloads"][0]["gpus"] = 16
    return cases.planned(data)


def image() -> str:
    """An x86_64 image that moto has."""
    images = boto3.client("ec2", region_name=REGION).describe_images(
        Filters=[{"Name": "architecture", "Values": ["x86_64"]}]
    )["Images"]
    name: str = images[0]["ImageId"]
    return name


@pytest.mark.parametrize(
    ("platform", "reservation", "said"),
    [
        ({"account": "000000000001"}, {}, "123456789012"),
        ({"zone": "us-east-2z"}, {}, "not in us-east-2"),
        ({"image": "ami-ffffffffffffffff0"}, {}, "not in us-east-2"),
        ({}, {"count": 2}, "it has 2 nodes, the pool needs 3"),
        ({}, {"shape": "p5en.48xlarge"}, "it holds p5en.48xlarge"),
        (
            {},
            {"ends": datetime.datetime(2027, 2, 13, tzinfo=datetime.UTC)},
            "the longest job needs it until 2027-02-14",
        ),
        ({}, {"id": "cr-ffffffffffffffff0"}, "not in this account and region"),
        ({}, {"block": True}, "it is a block"),
    ],
)
def test_preflight_says_what_is_wrong(
    account: None, platform: dict[str, Any], reservation: dict[str, Any], said: str
) -> None:
    ends = {"EndDate": reservation["ends"]} if "ends" in reservation else {}
    held = reserve(reservation.get("shape", "p5.48xlarge"), reservation.get("count", 3), **ends)
    if reservation.get("block"):
        block(boto3.client("ec2", region_name=REGION), held)
    found = preflight.check(_small(reservation.get("id", held), **platform), TODAY)
    wrong = [one for one in found if not one.ok]
    assert wrong
    assert all(one.needed for one in wrong)
    assert any(said in one.found for one in wrong), wrong


@pytest.mark.parametrize(
    ("cpus", "interfaces", "said"),
    [
        (192.0, 5000.0, "192 vCPUs, 576 needed"),
        (5000.0, 99.0, "99, 100 needed"),
    ],  # 3 nodes of 33, and the controller
)
def test_preflight_of_too_small_a_quota(cpus: float, interfaces: float, said: str) -> None:
    with pytest.MonkeyPatch.context() as patch, emulated({QUOTA: cpus, INTERFACES: interfaces}):
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "emulated")
        bound()
        found = preflight.check(_small(reserve("p5.48xlarge", 3)), TODAY)
    (wrong,) = [one for one in found if not one.ok]
    assert said in wrong.found


@pytest.mark.parametrize("name", policies.DOCUMENTS)
def test_documents_are_policies_by_the_emulators_own_check(account: None, name: str) -> None:
    document = json.dumps(policies.document(name, "pretrain-a", REGION, ACCOUNT))
    made = boto3.client("iam").create_policy(PolicyName=f"document-{name}", PolicyDocument=document)
    assert made["Policy"]["DefaultVersionId"] == "v1"


def test_preflight_finds_a_boundary_that_is_missing_or_another(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "emulated")
    with emulated({QUOTA: 1_000_000.0, INTERFACES: 5000.0}):
        (missing,) = [one for one in preflight.check(_small(reserve("p5.48xlarge", 3)), TODAY) if not one.ok]
        bound(Statement=policies.document("node", "pretrain-a", REGION, ACCOUNT)["Statement"])
        (another,) = [one for one in preflight.check(_small(reserve("p5.48xlarge", 3)), TODAY) if not one.ok]
    assert (missing.name, missing.needed) == ("permissions boundary", True)
    assert "boundary.json" in missing.hint and "no policy arn:aws:iam::" in missing.found
    assert (another.name, another.needed) == ("permissions boundary", False)


def test_reservation_in_a_placement_group_is_met_there(account: None) -> None:
    arn = f"arn:aws:ec2:{REGION}:{ACCOUNT}:placement-group/theirs"
    assert (
        reads.placement_of_reservation(REGION, reserve("p5.48xlarge", 1, PlacementGroupArn=arn)) == "theirs"
    )
    assert reads.placement_of_reservation(REGION, reserve("p5.48xlarge", 1)) == ""
