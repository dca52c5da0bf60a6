"""Nodes that leave a pool: each is a resource of its own under the name of its place, so the engine ends exactly those."""

from __future__ import annotations

from collections.abc import Sequence

from railbed.plan import ClusterPlan
from railbed.platforms.cloud import scale_in as shared
from railbed.platforms.cloud.scale_in import NodeToRemove


def scale_in(plan: ClusterPlan, stack: str, gone: Sequence[NodeToRemove]) -> list[str]:
    """Ends nothing by itself; says which nodes the engine will end. Raises RailbedError for a node that the plan still has."""
    return [
        f"pool {pool.name} of {stack}: the engine ends {shared.some([one.name for one in mine])}"
        for pool, mine in shared.by_pool(plan, gone)
    ]
