"""What the wish comes to: pools, addresses, fabric, filesystems, claims, spares, price, warnings. Pure."""

from railbed.plan.compose import plan
from railbed.plan.hosts import hosts
from railbed.plan.parts import (
    Addresses,
    ClusterPlan,
    PlannedFabric,
    PlannedFilesystem,
    PlannedHost,
    PlannedJob,
    PlannedNic,
    PlannedPool,
    PlannedRail,
    PlannedSoftware,
    PlannedStorage,
    Price,
    Warned,
)

__all__ = [
    "Addresses",
    "ClusterPlan",
    "PlannedFabric",
    "PlannedFilesystem",
    "PlannedHost",
    "PlannedJob",
    "PlannedNic",
    "PlannedPool",
    "PlannedRail",
    "PlannedSoftware",
    "PlannedStorage",
    "Price",
    "Warned",
    "hosts",
    "plan",
]
