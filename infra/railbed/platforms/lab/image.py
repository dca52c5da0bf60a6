"""The lab bakes its image itself: there is no other machine that a recipe could be for."""

from __future__ import annotations

from typing import NoReturn

from railbed.errors import Unsupported
from railbed.plan import ClusterPlan, PlannedPool


def source(plan: ClusterPlan, pool: PlannedPool) -> NoReturn:
    """Raises Unsupported."""
    raise Unsupported(
        f"platform {plan.platform}", f"a recipe of an image for pool {pool.name}",
        "`railbed image bake` makes the image on this machine", path="railbed:cluster.platform.kind",
    )  # fmt: skip
