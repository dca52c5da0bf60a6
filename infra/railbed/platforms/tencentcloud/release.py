"""Refuses to end anything: nothing was built here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from railbed.errors import Unsupported
from railbed.plan import ClusterPlan
from railbed.platforms.cloud.release import Gone
from railbed.platforms.tencentcloud.support import REASON, WAY_ROUND


def release(plan: ClusterPlan, stack: str, gone: Sequence[Gone]) -> NoReturn:
    """Raises Unsupported."""
    raise Unsupported(
        f"platform {plan.platform}", f"ending {len(gone)} nodes of stack {stack} ({REASON})", WAY_ROUND,
        path="railbed:cluster.platform.kind",
    )  # fmt: skip
