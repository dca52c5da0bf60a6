"""A pool that shrinks gives up exactly the nodes that left the plan, by id; its group's size goes down with them."""

from __future__ import annotations

import pytest
from tests.program.clouds import cases, scale_in_fakes
from tests.program.clouds.pools import EXAMPLES, leave, planned, stays
from tests.program.clouds.scale_in_fakes import BUSY, DENIED, SAID, Fake

from railbed import plan as plans
from railbed import platforms
from railbed.errors import RailbedError, Unsupported
from railbed.platforms.cloud import scale_in
from railbed.platforms.cloud.scale_in import NodeToRemove
from railbed.platforms.cloud.tags import tags
from railbed.platforms.gcp import names

STACK = cases.STACK
CLOUDS = ("gcp", "azure", "oci", "volcengine", "alicloud", "openstack")


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


def test_a_node_that_is_replaced_is_ended_alone_and_the_engine_brings_the_size_back(cloud: Fake) -> None:
    """Its group's size goes down, the plan's does not: an engine that looks first finds one too few."""
    plan = cloud.plan.model_copy(
        update={"pools": [cloud.plan.pools[0].model_copy(update={"nodes": 4}), *cloud.plan.pools[1:]]}
    )
    cloud.loose = ["i-foreign"]
    with pytest.raises(RailbedError, match="no members of pool"):
        platforms.exchange(plan, STACK, stays(plan, "i-foreign"))
    (said,) = platforms.exchange(plan, STACK, stays(plan, "i-1"))
    (group,) = cloud.groups.values()
    assert (cloud.ended, group.members, group.size) == (["i-1"], ["i-0", "i-2", "i-3"], 3)
    assert "ended" in said
    platforms.exchange(plan, STACK, stays(plan, "i-1"))
    assert cloud.ended == ["i-1"], "again, nothing else is ended"
    with pytest.raises(RailbedError, match="not of a pool"):
        platforms.exchange(plan, STACK, stays(plan, "i-0").model_copy(update={"name": "h100-99"}))


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
