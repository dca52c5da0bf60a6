"""The contract of an ECS cloud's cluster, from what its program made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.cloud import cluster, jump
from railbed.platforms.cloud.cluster import CONTROLLER_POOL, Mount, PreviousContract
from railbed.platforms.cloud.engine_errors import without_traceback
from railbed.platforms.cloud.members import PoolStatus, in_order
from railbed.platforms.ecs.discover import PoolReader
from railbed.platforms.site import Site

L = TypeVar("L", bound=PoolReader[Any])
NO_KEY = "its host key was not seen on the console yet"


@without_traceback
def contract(
    plan: ClusterPlan,
    site: Site,
    start: Callable[[PreviousContract], L],
    status: Callable[[L, PlannedPool], PoolStatus],
    made: Mapping[str, Any],
) -> dict[str, Any]:
    """As JSON data. ``made``: ``hosts`` (ids: the one that SSH enters by is first), ``gate`` (its address), ``mounts``."""
    previous = cluster.previous_of(site)
    seen = start(previous)
    entrance, *backups = made["hosts"]
    through = seen.one(entrance)
    gate_keys = [key for one in through.members for key in one.host_keys]
    statuses = {pool.name: status(seen, pool) for pool in plan.pools}
    if plan.has_controller:
        statuses[CONTROLLER_POOL] = in_order([through, *(seen.one(one) for one in backups)])
    elif not gate_keys:
        # Nobody logs in past a gate whose host key is not known.
        statuses = {name: PoolStatus(members=[], reasons=[f"gate {entrance}: {NO_KEY}"]) for name in statuses}
    mounts = {name: Mount.model_validate(mount) for name, mount in made["mounts"].items()}
    way = jump.proxy(made["gate"], gate_keys[0]) if gate_keys else None
    return cluster.build_contract(plan, site, statuses, mounts, lambda _: way, previous)
