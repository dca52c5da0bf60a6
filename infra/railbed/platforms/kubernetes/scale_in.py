"""Nodes that leave a pool: they stay in the cluster, which is its owners'."""

from __future__ import annotations

from collections.abc import Sequence

from railbed.plan import ClusterPlan
from railbed.platforms.cloud.scale_in import NodeToRemove


def scale_in(_: ClusterPlan, __: str, gone: Sequence[NodeToRemove], ___: bool) -> list[str]:
    """Ends nothing; says so."""
    return [f"{one.name} leaves pool {one.pool} and stays in the cluster: remove its labels" for one in gone]
