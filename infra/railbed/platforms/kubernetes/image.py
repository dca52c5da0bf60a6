"""Machine images: none are made for nodes that are there already."""

from __future__ import annotations

from railbed.errors import Unsupported
from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.packer.recipe import Source


def source(plan: ClusterPlan, _: PlannedPool) -> Source:
    """Raises Unsupported."""
    raise Unsupported(
        f"platform {plan.platform}", "a recipe of a machine image", "the nodes are installed by the cluster's owners",
        path="railbed:cluster.platform.kind",
    )  # fmt: skip
