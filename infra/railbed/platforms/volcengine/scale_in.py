"""Nodes that leave a pool's scaling groups: each is removed by its id, and its group's size goes down with it."""

from __future__ import annotations

from collections.abc import Sequence

from railbed.plan import ClusterPlan
from railbed.platforms.cloud.scale_in import NodeToRemove, end
from railbed.platforms.ecs.scale_in import Groups
from railbed.platforms.volcengine import capacity
from railbed.platforms.volcengine.session import Session
from railbed.spec.platforms import VolcenginePlatform


def scale_in(plan: ClusterPlan, stack: str, to_remove: Sequence[NodeToRemove], again: bool) -> list[str]:
    """Ends exactly these instances; says what was done. Raises RailbedError where it must not, or Volcengine refuses."""
    assert isinstance(plan.place, VolcenginePlatform)
    session = Session(plan.place.region)
    session.require_account(plan.place)
    return end(
        Groups(session, plan, stack),
        plan,
        to_remove,
        lambda _, pool: capacity.group_sizes(pool.size),
        again=again,
    )
