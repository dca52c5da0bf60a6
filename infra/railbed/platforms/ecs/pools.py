"""How a pool is cut into scaling groups, and what the API calls its shape and its price."""

from __future__ import annotations

import datetime

from railbed.plan import PlannedPool
from railbed.spec.cluster import Spot


def spot_strategy(pool: PlannedPool) -> str:
    """The API's word."""
    return "SpotAsPriceGo" if isinstance(pool.capacity, Spot) else "NoSpot"


def group_sizes(nodes: int, limit: int) -> list[int]:
    """Nodes of each scaling group: full ones first, so that a pool that grows leaves them alone."""
    full, rest = divmod(nodes, limit)
    return [limit] * full + ([rest] if rest else [])


def group_name(pool: str, part: int) -> str:
    """Resource name of a pool's n-th group."""
    return f"pool-{pool}" if part == 0 else f"pool-{pool}-{part}"


def day(text: str | None) -> datetime.date | None:
    """Of an ISO time."""
    return datetime.date.fromisoformat(text[:10]) if text else None
