"""Nodes that leave a pool: each is removed from its scaling group by its id, whose size goes down with it.

Lingjun nodes are named in the program one by one: the engine takes exactly those out that have no name in the plan.
"""

from __future__ import annotations

from collections.abc import Sequence

from railbed.errors import Unsupported
from railbed.plan import ClusterPlan
from railbed.platforms.alicloud import capacity
from railbed.platforms.alicloud.session import Session
from railbed.platforms.cloud.scale_in import NodeToRemove, by_engine, end
from railbed.platforms.ecs.scale_in import Groups
from railbed.spec.platforms import AlicloudPlatform


def scale_in(plan: ClusterPlan, stack: str, to_remove: Sequence[NodeToRemove], again: bool) -> list[str]:
    """Ends exactly these instances; says what was done. Raises RailbedError where it must not, or Alibaba Cloud refuses."""
    assert isinstance(plan.place, AlicloudPlatform)
    session = Session(plan.place.region)
    session.require_account(plan.place)
    if capacity.needs_lingjun(plan):
        if again:
            raise Unsupported(
                "platform alicloud",
                "ending a Lingjun node for another one",
                "ask Alibaba Cloud to exchange the node",
            )
        return by_engine(plan, to_remove, "takes {} out of its node group")
    return end(
        Groups(session, plan, stack),
        plan,
        to_remove,
        lambda _, pool: capacity.group_sizes(pool.size),
        again=again,
    )
