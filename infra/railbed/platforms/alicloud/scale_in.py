"""Nodes that leave a pool: each is removed from its scaling group by its id, whose size goes down with it.

Lingjun nodes are named in the program one by one: the engine takes exactly those out that have no name in the plan.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.alicloud import account, capacity, discover
from railbed.platforms.alicloud.session import Session
from railbed.platforms.cloud import scale_in as shared
from railbed.platforms.cloud.scale_in import Group, Leaving, NodeToRemove
from railbed.spec.platforms import AlicloudPlatform

MOST = 20
"""Instances of one RemoveInstances; Alibaba Cloud states no limit, and this is what its other calls on instances take."""
LEAVING = ("Removing",)


def scale_in(plan: ClusterPlan, stack: str, gone: Sequence[NodeToRemove]) -> list[str]:
    """Ends exactly these instances; says what was done. Raises RailbedError where it must not, or Alibaba Cloud refuses."""
    assert isinstance(plan.place, AlicloudPlatform)
    session = Session(plan.place.region)
    account.require(session, plan.place)
    said: list[str] = []
    for pool, mine in shared.by_pool(plan, gone):
        if capacity.is_lingjun(pool):
            said.append(
                f"pool {pool.name}: the engine takes {shared.some([one.name for one in mine])} out of its node group"
            )
            continue
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
            name=one.scaling_group_id, size=int(one.desired_capacity or 0), members=_members(session, one.scaling_group_id),
            order=shared.order(one.scaling_group_name, names),
        )
        for one in own
    ]  # fmt: skip


def _labels(group: Any) -> dict[str, str]:
    return {one.tag_key: one.tag_value for one in group.tags or []}


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
    return [one.instance_id for one in discover.listed(session, group) if one.lifecycle_state not in LEAVING]


def _alive(session: Session, ids: list[str]) -> Iterator[str]:
    for some in shared.batches(ids, discover.INSTANCES):
        answer = session.ecs(
            "describe_instances", instance_ids=json.dumps(some), page_size=discover.INSTANCES
        )
        yield from (one.instance_id for one in answer.instances.instance or [])


def _end(session: Session, one: Leaving) -> None:
    """In parts, one after the other: a group takes no change while another one goes on."""
    group = one.group.name
    for some in shared.batches(one.ids, MOST):
        shared.until(f"the change of {group}", lambda: not discover.going_on(session, group))
        session.groups(
            "remove_instances",
            scaling_group_id=group,
            instance_ids=some,
            decrease_desired_capacity=True,
            remove_policy="release",
        )
    if one.ids:
        shared.until(f"the end of nodes of {group}", lambda: not set(one.ids) & set(_members(session, group)))
        shared.until(f"the change of {group}", lambda: not discover.going_on(session, group))
    (now,) = _listed(session, [group])
    if int(now.desired_capacity or 0) > one.declared:
        # It never got all of its nodes: it asks for no more than the spec does, and has no members to give up.
        session.resize(group, one.declared)
