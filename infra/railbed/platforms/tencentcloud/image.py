"""Refuses a recipe: nothing is built here."""

from __future__ import annotations

from typing import NoReturn

from railbed.errors import Unsupported
from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.tencentcloud.support import REASON, WAY_ROUND


def source(plan: ClusterPlan, pool: PlannedPool) -> NoReturn:
    """Raises Unsupported."""
    raise Unsupported(
        f"platform {plan.platform}", f"a recipe of an image for pool {pool.name} ({REASON})", WAY_ROUND,
        path="railbed:cluster.platform.kind",
    )  # fmt: skip
