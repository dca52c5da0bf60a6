"""Nodes that leave a pool: each is a resource of its own under the name of its place, so the engine ends exactly those."""

from __future__ import annotations

from collections.abc import Sequence

from railbed.plan import ClusterPlan
from railbed.platforms.cloud import release as shared
from railbed.platforms.cloud.release import Gone


def release(plan: ClusterPlan, stack: str, gone: Sequence[Gone]) -> list[str]:
    """Ends nothing by itself; says which nodes the engine will end. Raises RailbedError for a node that the plan still has."""
    return [
        f"pool {pool.name} of {stack}: the engine ends {shared.some([one.name for one in mine])}"
        for pool, mine in shared.by_pool(plan, gone)
    ]
