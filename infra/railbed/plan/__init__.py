"""What a spec comes to: pools, addresses, fabric, filesystems, what nodes get, claims, spares, price, warnings.

Pure: equal specs give equal plans. Imports the spec, claims, laws, software and the catalogue; never a platform or anything that
touches the world.
"""

from railbed.plan.compose import plan
from railbed.plan.hosts import controller_name, controller_names, hosts, machines, names, node_names
from railbed.plan.parts import (
    Addresses,
    ClusterPlan,
    PlannedFabric,
    PlannedFilesystem,
    PlannedHost,
    PlannedNic,
    PlannedPool,
    PlannedRail,
    PlannedRepository,
    PlannedSoftware,
    Price,
    Purchase,
    Warned,
)
from railbed.plan.purchase import require as require_acknowledged
from railbed.plan.warnings import require_sources
from railbed.plan.work_parts import PlannedJob, PlannedStorage

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
    "machines",
    "names",
    "node_names",
    "plan",
    "require_acknowledged",
    "require_sources",
]
