"""How a pool's VMs are bought and how many scale sets it takes: one where InfiniBand is wanted. Pure."""

from __future__ import annotations

from typing import Any

from railbed.errors import Unsupported
from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.azure.facts import facts, resource_id
from railbed.spec.cluster import Reservation, Spot

PLATFORM = "platform azure"


def require(plan: ClusterPlan) -> None:
    """Raises Unsupported where the fabric would be more than one InfiniBand domain, or its capacity cannot be reserved."""
    if plan.fabric is None:
        return
    if len(plan.pools) > 1:
        raise Unsupported(
            PLATFORM, "several pools on one fabric (each scale set is an InfiniBand domain of its own)",
            "make one pool of them", path="railbed:cluster.pools",
        )  # fmt: skip
    (pool,) = plan.pools
    if pool.size > facts().ib_most:
        raise Unsupported(
            PLATFORM, f"{pool.size} nodes on one fabric (no page of Microsoft's has more than {facts().ib_most} in a scale set)",
            "make two clusters, or ask Microsoft for a larger InfiniBand domain", path="railbed:cluster.pools[0].nodes",
        )  # fmt: skip
    if isinstance(pool.capacity, Reservation):
        raise Unsupported(
            PLATFORM, "a capacity reservation for nodes on a fabric (it needs a scale set without a single placement group)",
            "use capacity kind on_demand, with the quota that Microsoft agreed", path="railbed:cluster.pools[0].capacity",
        )  # fmt: skip


def groups(plan: ClusterPlan, pool: PlannedPool) -> list[int]:
    """Sizes of the pool's scale sets: one on a fabric, else as few as Azure's limit allows."""
    if plan.fabric is not None:
        return [pool.size]
    whole, rest = divmod(pool.size, facts().group_limit)
    return [facts().group_limit] * whole + ([rest] if rest else [])


def profile(pool: PlannedPool) -> dict[str, Any]:
    """The part of a VM profile that says how it is bought."""
    if isinstance(pool.capacity, Spot):
        return {"priority": "Spot", "eviction_policy": "Delete", "billing_profile": {"max_price": -1}}
    if isinstance(pool.capacity, Reservation):
        group = {"capacity_reservation_group": {"id": resource_id(pool.capacity.id)}}
        return {"priority": "Regular", "capacity_reservation": group}
    return {"priority": "Regular"}
