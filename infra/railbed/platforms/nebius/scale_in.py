"""Nodes that leave a pool: each is a resource of its own under the name of its place, so the engine ends exactly those."""

from __future__ import annotations

from collections.abc import Sequence

from railbed.plan import ClusterPlan
from railbed.platforms.cloud.scale_in import NodeToRemove, by_engine


def scale_in(plan: ClusterPlan, stack: str, to_remove: Sequence[NodeToRemove], _: bool) -> list[str]:
    """Ends nothing by itself; says which nodes the engine will end. Raises RailbedError for a node that the plan still has."""
    return by_engine(plan, to_remove, f"ends {{}} of {stack}")
