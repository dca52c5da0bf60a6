"""Nodes that leave a pool's scaling groups: each is removed by its id, and its group's size goes down with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.cloud import scale_in as shared
from railbed.platforms.cloud.scale_in import Group, Leaving, NodeToRemove
from railbed.platforms.volcengine import account, capacity, discover
from railbed.platforms.volcengine.session import Session
from railbed.spec.platforms import VolcenginePlatform

MOST = 20
"""Most instances of one RemoveInstances (Volcengine, Auto Scaling API, RemoveInstances: InstanceIds.N, N from 1 to 20)."""
LEAVING = ("Removing",)


def scale_in(plan: ClusterPlan, stack: str, gone: Sequence[NodeToRemove]) -> list[str]:
    """Ends exactly these instances; says what was done. Raises RailbedError where it must not, or Volcengine refuses."""
    assert isinstance(plan.place, VolcenginePlatform)
    session = Session(plan.place.region)
    account.require(plan.place)
    said: list[str] = []
    for pool, mine in shared.by_pool(plan, gone):
        found = shared.leaving(
            pool, _groups(session, plan, stack, pool), capacity.group_sizes(pool.size), mine,
            lambda ids: _alive(session, ids),
        )  # fmt: skip
        for one in found:
            _end(session, one)
        said += shared.told(pool, [name for one in found for name in one.ids], mine)
    return said


def _groups(session: Session, plan: ClusterPlan, stack: str, pool: PlannedPool) -> list[Group]:
    own = [one for one in _listed(session) if shared.is_of(plan, stack, pool, _labels(one))]
    names = [one.scaling_group_name for one in own]
    return [
        Group(
            name=one.scaling_group_id, size=int(one.desire_instance_number or 0), members=_members(session, one.scaling_group_id),
            order=shared.order(one.scaling_group_name, names),
        )
        for one in own
    ]  # fmt: skip


def _labels(group: Any) -> dict[str, str]:
    return {one.key: one.value for one in group.tags or []}


def _listed(session: Session, ids: list[str] | None = None) -> Iterator[Any]:
    page, seen = 1, 0
    while True:
        wanted = {"scaling_group_ids": ids} if ids else {}
        answer = session.groups(
            "describe_scaling_groups", page_number=page, page_size=discover.PAGE, **wanted
        )
        found = answer.scaling_groups or []
        yield from found
        seen, page = seen + len(found), page + 1
        if not found or seen >= (answer.total_count or 0):
            return


def _members(session: Session, group: str) -> list[str]:
    return [one.instance_id for one in discover.listed(session, group) if one.status not in LEAVING]


def _alive(session: Session, ids: list[str]) -> Iterator[str]:
    for some in shared.batches(ids, discover.INSTANCES):
        answer = session.ecs("describe_instances", instance_ids=some, max_results=discover.INSTANCES)
        yield from (one.instance_id for one in answer.instances or [])


def _end(session: Session, one: Leaving) -> None:
    """In parts, one after the other: a group takes no change while another one goes on."""
    group = one.group.name
    for some in shared.batches(one.ids, MOST):
        shared.until(f"the change of {group}", lambda: not discover.going_on(session, group))
        session.groups(
            "remove_instances", scaling_group_id=group, instance_ids=some, decrease_desired_capacity=True
        )
    if one.ids:
        shared.until(f"the end of nodes of {group}", lambda: not set(one.ids) & set(_members(session, group)))
        shared.until(f"the change of {group}", lambda: not discover.going_on(session, group))
    (now,) = _listed(session, [group])
    if int(now.desire_instance_number or 0) > one.declared:
        # It never got all of its nodes: it asks for no more than the spec does, and has no members to give up.
        session.groups("modify_scaling_group", scaling_group_id=group, desire_instance_number=one.declared)
