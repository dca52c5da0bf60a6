"""AWS: a pool that shrinks gives up exactly the nodes that left the plan. The emulator's own Auto Scaling answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from tests.program.clouds import cases
from tests.program.clouds.aws_emulator import emulated
from tests.program.clouds.pools import leave, planned, stays
from tests.program.clouds.scale_in_fakes import SAID

from railbed import plan as plans
from railbed import platforms
from railbed.errors import RailbedError
from railbed.platforms.aws import discover, reads, renew
from railbed.platforms.cloud import scale_in
from railbed.platforms.cloud.tags import tags

STACK = cases.STACK
REGION = "us-east-2"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _s: None)
    monkeypatch.setattr(scale_in, "RELEASE_TIMEOUT_S", 30.0)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "emulated")
    with emulated():
        reads._session.cache_clear()
        yield boto3.client("autoscaling", region_name=REGION)
    reads._session.cache_clear()


def group(aws: Any, plan: plans.ClusterPlan, size: int, stack: str = STACK) -> list[str]:
    """An Auto Scaling group of ``size``; its instances' ids."""
    ec2 = boto3.client("ec2", region_name=REGION)
    template = ec2.create_launch_template(
        LaunchTemplateName=f"t-{stack}",
        LaunchTemplateData={"ImageId": "ami-12c6146b", "InstanceType": "t3.micro"},
    )["LaunchTemplate"]["LaunchTemplateId"]
    labels = tags(plan, stack, pool=plan.pools[0].name)
    aws.create_auto_scaling_group(
        AutoScalingGroupName=f"g-{stack}", MinSize=0, MaxSize=size, DesiredCapacity=size,
        AvailabilityZones=[f"{REGION}a"], LaunchTemplate={"LaunchTemplateId": template, "Version": "$Latest"},
        NewInstancesProtectedFromScaleIn=True,
        Tags=[{"Key": key, "Value": value, "PropagateAtLaunch": False} for key, value in labels.items()],
    )  # fmt: skip
    return [one["InstanceId"] for one in seen(aws, stack)["Instances"]]


def seen(aws: Any, stack: str = STACK) -> dict[str, Any]:
    (found,) = aws.describe_auto_scaling_groups(AutoScalingGroupNames=[f"g-{stack}"])["AutoScalingGroups"]
    return dict(found)


def test_aws_ends_exactly_those_and_lowers_the_group(aws: Any) -> None:
    plan = planned("aws")
    ids = group(aws, plan, 4)
    gone = leave(plan, ids[1], ids[2])
    (said,) = platforms.scale_in(plan, STACK, gone)
    after = seen(aws)
    assert "ended" in said
    assert {one["InstanceId"] for one in after["Instances"]} == {ids[0], ids[3]}
    assert after["DesiredCapacity"] == 2
    assert all(one["ProtectedFromScaleIn"] for one in after["Instances"]), (
        "those that stay are protected still"
    )
    assert "gone already" in platforms.scale_in(plan, STACK, gone)[0]
    assert seen(aws)["DesiredCapacity"] == 2


def test_aws_gives_another_instance_for_one_that_is_replaced(aws: Any) -> None:
    plan = planned("aws", 3)
    ids = group(aws, plan, 3)
    platforms.exchange(plan, STACK, stays(plan, ids[1]))
    assert ({one["InstanceId"] for one in seen(aws)["Instances"]}, seen(aws)["DesiredCapacity"]) == (
        {ids[0], ids[2]},
        2,
    )
    # What the engine does next: the program declares three.
    aws.update_auto_scaling_group(AutoScalingGroupName=f"g-{STACK}", DesiredCapacity=plan.pools[0].size)
    now = {one["InstanceId"] for one in seen(aws)["Instances"]}
    assert len(now) == 3 and now & set(ids) == {ids[0], ids[2]}


def test_aws_ends_no_instance_of_another_group_or_stack(aws: Any) -> None:
    plan = planned("aws")
    ids, others = group(aws, plan, 3), group(aws, plan, 1, "other")
    with pytest.raises(RailbedError, match="no members of pool") as refused:
        platforms.scale_in(plan, STACK, leave(plan, ids[2], *others))
    assert refused.value.found == others[0]
    assert len(seen(aws)["Instances"]) == 3
    assert len(seen(aws, "other")["Instances"]) == 1


def lose(aws: Any, monkeypatch: pytest.MonkeyPatch, states: dict[str, str]) -> None:
    """EC2 has these instances in such states while the group counts them: moto's group forgets what it ended itself."""
    real = discover.instances

    def told(pages: Any) -> list[dict[str, Any]]:
        return [
            {**one, "State": {"Name": states.get(one["InstanceId"], one["State"]["Name"])}}
            for one in real(pages)
        ]

    monkeypatch.setattr(discover, "instances", told)


@pytest.mark.parametrize(
    ("state", "replaced"),
    [("terminated", True), ("shutting-down", True), ("stopped", False), ("running", False)],
)
def test_aws_fills_the_places_of_the_gone_alone(
    aws: Any, monkeypatch: pytest.MonkeyPatch, state: str, replaced: bool
) -> None:
    plan = planned("aws", 3)
    ids = group(aws, plan, 3)
    lose(aws, monkeypatch, {ids[1]: state})
    said = renew.renew(plan, STACK, {ids[1]: "h100-1"})
    now = seen(aws)
    left = {one["InstanceId"] for one in now["Instances"]}
    assert now["DesiredCapacity"] == len(left) == 3
    assert (ids[1] not in left) == replaced
    assert {ids[0], ids[2]} <= left
    assert [("h100-1" in line, state in line) for line in said] == [(True, True)] * (state != "running")


def test_aws_ends_no_node_whose_hardware_fails_under_it(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned("aws", 2)
    ids, others = group(aws, plan, 2), group(aws, plan, 1, "other")
    monkeypatch.setattr(renew, "_impaired", lambda ec2, ours: sorted(ours & {ids[0], *others}))
    (said,) = renew.renew(plan, STACK, {ids[0]: "h100-0"})
    assert "h100-0" in said and "it was not ended" in said
    assert {one["InstanceId"] for one in seen(aws)["Instances"]} == set(ids)


def test_an_instance_that_ec2_does_not_know_yet_is_not_lost(aws: Any) -> None:
    ec2 = boto3.client("ec2", region_name=REGION)
    word = {"LifecycleState": "InService"}
    new = {**word, "InstanceId": "i-00000000000000001", "HealthStatus": "Healthy"}
    old = {**word, "InstanceId": "i-00000000000000002", "HealthStatus": "Unhealthy"}
    assert [one.state for one in discover.lost(ec2, [new, old])] == ["unknown"]
    assert discover.lost(ec2, [{**old, "LifecycleState": "Terminating"}]) == []


def test_a_member_that_is_gone_is_told_at_once(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no waiting: the first look at reasons ends it."""
    plan = planned("aws", 2)
    ids = group(aws, plan, 2)
    lose(aws, monkeypatch, {ids[0]: "terminated"})
    monkeypatch.setattr(discover, "_members", lambda *_: [])
    status = discover.status(REGION, f"g-{STACK}", 2, {}, {}, wait=True)
    assert "is terminated: run `railbed up` again" in status.reasons[0]


def test_aws_lowers_a_group_that_never_got_its_nodes(aws: Any) -> None:
    plan = planned("aws", 3)
    ids = group(aws, plan, 3)
    aws.update_auto_scaling_group(AutoScalingGroupName=f"g-{STACK}", MaxSize=9)
    aws.suspend_processes(AutoScalingGroupName=f"g-{STACK}", ScalingProcesses=["Launch"])
    smaller = planned("aws", 2)
    platforms.scale_in(smaller, STACK, leave(smaller, ids[0]))
    assert seen(aws)["DesiredCapacity"] == 2


@pytest.mark.parametrize(
    ("code", "ends"),
    [("ScalingActivityInProgress", True), ("ResourceContention", True), ("AccessDenied", False)],
)
def test_aws_contention_is_repeated_and_a_refusal_said(
    aws: Any, monkeypatch: pytest.MonkeyPatch, code: str, ends: bool
) -> None:
    plan = planned("aws")
    ids = group(aws, plan, 3)
    original, left = reads.client, [code]

    def client(service: str, region: str) -> Any:
        made = original(service, region)
        if service == "autoscaling":
            end: Callable[..., Any] = made.terminate_instance_in_auto_scaling_group

            def refusing(**arguments: Any) -> Any:
                if left:
                    raise ClientError(
                        {
                            "Error": {"Code": left.pop(), "Message": SAID},
                            "ResponseMetadata": {"HTTPStatusCode": 403},
                        },
                        "Terminate",
                    )
                return end(**arguments)

            made.terminate_instance_in_auto_scaling_group = refusing
        return made

    monkeypatch.setattr(reads, "client", client)
    if ends:
        platforms.scale_in(plan, STACK, leave(plan, ids[1]))
        assert {one["InstanceId"] for one in seen(aws)["Instances"]} == {ids[0], ids[2]}
    else:
        with pytest.raises(RailbedError, match=SAID):
            platforms.scale_in(plan, STACK, leave(plan, ids[1]))
        assert len(seen(aws)["Instances"]) == 3
