"""A pool that shrinks gives up exactly the nodes that left the plan, by id; its group's size goes down with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import alibabacloud_eflo_controller20221215.models as eflo
import boto3
import pytest
from botocore.exceptions import ClientError
from tests.program.clouds import alicloud_api, cases, scale_in_fakes
from tests.program.clouds.aws_emulator import emulated
from tests.program.clouds.scale_in_fakes import BUSY, DENIED, SAID, Fake

from railbed import plan as plans
from railbed import platforms
from railbed.errors import RailbedError, Unsupported
from railbed.platforms.alicloud import capacity, session
from railbed.platforms.aws import discover, reads, renew
from railbed.platforms.cloud import members, scale_in
from railbed.platforms.cloud.cluster import Before
from railbed.platforms.cloud.members import Member
from railbed.platforms.cloud.scale_in import NodeToRemove
from railbed.platforms.cloud.tags import tags
from railbed.platforms.gcp import names
from railbed.platforms.nebius import discover as nebius_discover

STACK = cases.STACK
CLOUDS = ("gcp", "azure", "oci", "volcengine", "alicloud", "openstack")
EXAMPLES = {"alicloud": "alicloud-hosts"}
REGION = "us-east-2"


def planned(kind: str, size: int = 2, machine: str = "") -> plans.ClusterPlan:
    """A plan of one pool of ``size`` nodes."""
    data = cases.example(EXAMPLES.get(kind, f"{kind}-cluster"))
    if machine:
        data = cases.with_machine(data, machine)
    data["pools"] = [{**data["pools"][0], "nodes": size, "spares": 0}]
    data["workloads"] = []
    return cases.planned(data)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _s: None)
    monkeypatch.setattr(scale_in, "RELEASE_TIMEOUT_S", 30.0)


def fake(kind: str, monkeypatch: pytest.MonkeyPatch, plan: plans.ClusterPlan | None = None) -> Fake:
    plan = plan or planned(kind)
    made: Fake = getattr(scale_in_fakes, kind.capitalize())(plan)
    if isinstance(made, scale_in_fakes.Gcp):
        made.base = names.base(plan, STACK, plan.pools[0].name)
    made.install(monkeypatch)
    return made


def leave(plan: plans.ClusterPlan, *ids: str) -> list[NodeToRemove]:
    """These ids under names beyond the pool's size."""
    pool = plan.pools[0]
    return [
        NodeToRemove(pool=pool.name, name=f"{pool.name}-{pool.size + n}", id=one) for n, one in enumerate(ids)
    ]


@pytest.fixture(params=CLOUDS)
def cloud(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """One group of four; the spec wants two, and those that leave are neither the newest nor the oldest."""
    made = fake(request.param, monkeypatch)
    made.add(STACK, made.plan.pools[0].name, 0, ["i-0", "i-1", "i-2", "i-3"])
    return made


def test_exactly_those_leave_and_the_size_goes_down(cloud: Fake) -> None:
    said = platforms.scale_in(cloud.plan, STACK, leave(cloud.plan, "i-1", "i-2"))
    (group,) = cloud.groups.values()
    assert sorted(cloud.ended) == ["i-1", "i-2"]
    assert (group.members, group.size) == (["i-0", "i-3"], 2)
    assert len(said) == 1 and "ended" in said[0]


def test_a_second_time_nothing_is_ended(cloud: Fake) -> None:
    gone = leave(cloud.plan, "i-1", "i-2")
    platforms.scale_in(cloud.plan, STACK, gone)
    said = platforms.scale_in(cloud.plan, STACK, gone)
    assert len(cloud.ended) == 2
    assert said == [f"pool {cloud.plan.pools[0].name}: 2 of the nodes that leave were gone already"]


def test_an_instance_of_somebody_else_is_not_ended(cloud: Fake) -> None:
    cloud.loose = ["i-foreign"]
    with pytest.raises(RailbedError, match="no members of pool") as refused:
        platforms.scale_in(cloud.plan, STACK, leave(cloud.plan, "i-1", "i-2", "i-foreign"))
    assert refused.value.code == "NOT_RELEASED"
    assert refused.value.found == "i-foreign"
    assert cloud.ended == []


def test_a_group_that_would_choose_is_left_alone(cloud: Fake) -> None:
    with pytest.raises(RailbedError, match="the provider would choose") as refused:
        platforms.scale_in(cloud.plan, STACK, leave(cloud.plan, "i-1"))
    assert refused.value.found == "i-0, i-2, i-3"
    assert cloud.ended == []


def test_the_same_cluster_of_another_stack_is_another(cloud: Fake) -> None:
    if isinstance(cloud, scale_in_fakes.Gcp):
        cloud.base = names.base(cloud.plan, "other", cloud.plan.pools[0].name)
    for group in cloud.groups.values():
        group.labels = tags(cloud.plan, "other", pool=cloud.plan.pools[0].name)
    with pytest.raises(RailbedError, match="no group of pool"):
        platforms.scale_in(cloud.plan, STACK, leave(cloud.plan, "i-1", "i-2"))
    assert cloud.ended == []


def test_a_busy_provider_is_asked_again(cloud: Fake) -> None:
    cloud.refuse = [BUSY, BUSY]
    platforms.scale_in(cloud.plan, STACK, leave(cloud.plan, "i-1", "i-2"))
    assert sorted(cloud.ended) == ["i-1", "i-2"]


def test_a_refusal_is_told_in_the_provider_s_words(cloud: Fake) -> None:
    cloud.refuse = [DENIED]
    with pytest.raises(RailbedError, match=SAID):
        platforms.scale_in(cloud.plan, STACK, leave(cloud.plan, "i-1", "i-2"))
    assert cloud.ended == []


def test_a_node_that_the_plan_still_has_is_refused(cloud: Fake) -> None:
    pool = cloud.plan.pools[0].name
    for wrong in (
        NodeToRemove(pool=pool, name=f"{pool}-0", id="i-0"),
        NodeToRemove(pool="other", name="other-7", id="i-1"),
    ):
        with pytest.raises(RailbedError, match="do not leave a pool"):
            platforms.scale_in(cloud.plan, STACK, [wrong])
    assert cloud.ended == []


@pytest.mark.parametrize("kind", ["volcengine", "alicloud", "gcp", "azure", "openstack"])
def test_of_several_groups_the_last_ones_shrink(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(kind, 3)
    sizes = lambda *_: [2, 1]  # noqa: E731
    where = {"openstack": "scale_in.parts", "gcp": "capacity.groups", "azure": "capacity.groups"}
    monkeypatch.setattr(f"railbed.platforms.{kind}.{where.get(kind, 'capacity.group_sizes')}", sizes)
    made = fake(kind, monkeypatch, plan)
    pool = plan.pools[0].name
    for order, held in enumerate((["a", "b"], ["c", "d"], ["e"])):
        made.add(STACK, pool, order, held)
    with pytest.raises(RailbedError, match="the provider would choose"):
        platforms.scale_in(plan, STACK, leave(plan, "a", "e"))
    platforms.scale_in(plan, STACK, leave(plan, "d", "e"))
    assert sorted(made.ended) == ["d", "e"]
    assert [group.size for group in made.groups.values()] == [2, 1, 0]


def test_a_google_group_asks_no_more_for_nodes_that_never_came(monkeypatch: pytest.MonkeyPatch) -> None:
    made = fake("gcp", monkeypatch)
    assert isinstance(made, scale_in_fakes.Gcp)
    name = made.add(STACK, made.plan.pools[0].name, 0, ["i-0", "i-1"], size=4)
    made.slots[name] = ["empty-0", "empty-1"]
    platforms.scale_in(made.plan, STACK, leave(made.plan, "i-1"))
    assert made.ended == ["i-1"]
    assert made.groups[name].size == 2, "one place stays: the spec wants two"


def test_heat_is_told_of_places_that_never_got_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    made = fake("openstack", monkeypatch)
    assert isinstance(made, scale_in_fakes.Openstack)
    name = made.add(STACK, made.plan.pools[0].name, 0, ["i-0", "i-1"], size=4)
    made.empty = ["at-failed", "at-other"]
    platforms.scale_in(made.plan, STACK, leave(made.plan, "i-1"))
    assert (made.ended, made.groups[name].size) == (["i-1"], 2)
    made.groups[name].size = 9
    with pytest.raises(RailbedError, match="counts 9 nodes and lists 2"):
        platforms.scale_in(made.plan, STACK, leave(made.plan, "i-0"))


@pytest.mark.parametrize("kind", ["volcengine", "alicloud"])
def test_a_scaling_group_asks_no_more_for_nodes_that_never_came(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = fake(kind, monkeypatch)
    name = made.add(STACK, made.plan.pools[0].name, 0, ["i-0", "i-1"], size=9)
    platforms.scale_in(made.plan, STACK, leave(made.plan, "i-1"))
    assert (made.ended, made.groups[name].size) == (["i-1"], 2)


def test_oracle_gives_up_whole_nvlink_domains_only(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned("oci", 18, "oci/BM.GPU.GB200-v3.4")
    plan.pools[0].__dict__["capacity"] = planned("oci", 1).pools[0].capacity
    made = fake("oci", monkeypatch, plan)
    pool = plan.pools[0].name
    first, second = ([f"{part}{n}" for n in range(18)] for part in "ab")
    made.add(STACK, pool, 0, first)
    made.add(STACK, pool, 1, second)
    (said,) = platforms.scale_in(plan, STACK, leave(plan, *second))
    assert "the engine ends" in said and made.ended == []
    smaller = planned("oci", 17, "oci/BM.GPU.GB200-v3.4")
    made.plan = smaller
    with pytest.raises(Unsupported, match="out of an NVLink domain"):
        platforms.scale_in(smaller, STACK, leave(smaller, first[3], *second))
    assert made.ended == []


@pytest.mark.parametrize("kind", ["nebius", "alicloud-lingjun"])
def test_where_each_node_has_a_name_of_its_own_the_engine_ends_it(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "nebius":
        plan = planned("nebius")
    else:
        monkeypatch.setitem(EXAMPLES, "alicloud", "alicloud-cluster")
        plan = planned("alicloud")
        fake("alicloud", monkeypatch, plan)
    (said,) = platforms.scale_in(plan, STACK, leave(plan, "i-7"))
    assert f"the engine {'ends' if kind == 'nebius' else 'takes'} {plan.pools[0].name}-2" in said


def test_single_machines_need_nothing() -> None:
    plan = cases.planned(cases.example("metal-cluster"))
    assert platforms.scale_in(plan, STACK, leave(plan, "serial-7")) == []


# AWS: the emulator's own Auto Scaling.


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


# Names: what makes a shrink fall on the last groups.


def member(key: str, places: tuple[int, int] | None, created: str = "") -> Member:
    return Member(id=key, address="10.0.0.1", created=created, places=places)


def test_a_group_s_members_have_its_own_names() -> None:
    wanted = [f"n-{place}" for place in range(5)]
    some = [
        member("d", (2, 4), "1"),
        member("a", (0, 2), "9"),
        member("e", (4, 6), "0"),
        member("c", (2, 4), "2"),
    ]
    assert {name: one.id for name, one in members.named(wanted, some, {}).items()} == {
        "n-0": "a", "n-2": "d", "n-3": "c", "n-4": "e",
    }  # fmt: skip


def test_a_member_without_a_place_of_its_own_takes_any_and_known_names_stay() -> None:
    wanted = ["n-0", "n-1", "n-2"]
    some = [member("x", (0, 1)), member("y", (0, 1)), member("z", None)]
    found = {one.id: name for name, one in members.named(wanted, some, {"x": "n-2"}).items()}
    assert found["x"] == "n-2" and set(found.values()) == set(wanted)


def test_a_nebius_node_has_the_name_of_its_resource_whatever_is_missing() -> None:
    plan = planned("nebius", 4)
    pool = plan.pools[0]
    there = [
        nebius_discover.Seen(id=f"id-{place}", address="" if place == 1 else "10.0.0.1") for place in range(4)
    ]
    status = nebius_discover.status(
        plan, pool.name, there, Before(names={}, host_keys={}), ["ssh-ed25519 AAAA"] * 4
    )
    named = members.named(plans.node_names(pool.name, 4, 0), status.members, {})
    assert {one.id: name for name, one in named.items()} == {
        f"id-{place}": f"{pool.name}-{place}" for place in (0, 2, 3)
    }


def test_lingjun_nodes_that_stay_are_those_whose_names_do(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = cases.planned({**cases.example("alicloud-cluster"), "workloads": []})
    pool = plan.pools[0].model_copy(update={"nodes": 2, "spares": 0})
    one = alicloud_api.Api({}, {})
    one.install(monkeypatch)
    group = capacity.group_name(plan, pool)
    one.cluster_nodes = [
        eflo.ListClusterNodesResponseBodyNodes(node_id=f"e-{n}", node_group_name=group, machine_type="m")
        for n in range(4)
    ]
    known = {
        "e-0": f"{pool.name}-3",
        "e-1": f"{pool.name}-0",
        "e-2": f"{pool.name}-2",
        "e-3": f"{pool.name}-1",
    }
    kept = capacity.bought(session.Session("cn-wulanchabu"), plan, pool, set(), known)
    assert kept.nodes == ["e-1", "e-3"]
