"""Refuses to build: the plan already does, and so does whoever comes here past it."""

from __future__ import annotations

from typing import NoReturn

from railbed.errors import Unsupported
from railbed.plan import ClusterPlan
from railbed.platforms.tencentcloud.support import REASON, WAY_ROUND


def build(plan: ClusterPlan, stack: str) -> NoReturn:
    """Raises Unsupported."""
    raise Unsupported(
        f"platform {plan.platform}",
        f"building stack {stack} ({REASON})",
        WAY_ROUND,
        path="railbed:cluster.platform.kind",
    )
