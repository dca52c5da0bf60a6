"""What the wish comes to: pools, addresses, fabric, filesystems, claims, spares, price, warnings. Pure."""

from railbed.plan.compose import plan
from railbed.plan.hosts import controller_name, controller_names, hosts, names, node_names
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
    PlannedRepository,
    PlannedSoftware,
    PlannedStorage,
    Price,
    Purchase,
    Warned,
)
from railbed.plan.purchase import require as require_acknowledged

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
    "PlannedRepository",
    "PlannedSoftware",
    "PlannedStorage",
    "Price",
    "Purchase",
    "Warned",
    "controller_name",
    "controller_names",
    "hosts",
    "names",
    "node_names",
    "plan",
    "require_acknowledged",
]
