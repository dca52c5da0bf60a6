"""Pools of a size, and nodes of them that leave."""

from __future__ import annotations

from tests.program.clouds import cases

from railbed import plan as plans
from railbed.platforms.cloud.scale_in import NodeToRemove

EXAMPLES = {"alicloud": "alicloud-hosts"}


def planned(kind: str, size: int = 2, machine: str = "") -> plans.ClusterPlan:
    """A plan of one pool of ``size`` nodes."""
    data = cases.example(EXAMPLES.get(kind, f"{kind}-cluster"))
    if machine:
        data = cases.with_machine(data, machine)
    data["pools"] = [{**data["pools"][0], "nodes": size, "spares": 0}]
    data["workloads"] = []
    return cases.planned(data)


def stays(plan: plans.ClusterPlan, identity: str) -> NodeToRemove:
    """This id under the name of the pool's second node."""
    return NodeToRemove(pool=plan.pools[0].name, name=f"{plan.pools[0].name}-1", id=identity)


def leave(plan: plans.ClusterPlan, *ids: str) -> list[NodeToRemove]:
    """These ids under names beyond the pool's size."""
    pool = plan.pools[0]
    return [
        NodeToRemove(pool=pool.name, name=f"{pool.name}-{pool.size + n}", id=one) for n, one in enumerate(ids)
    ]
