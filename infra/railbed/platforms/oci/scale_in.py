"""Nodes that leave a pool: each is detached by its id and ended, and the pool's size goes down with it. Racks leave whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from railbed.errors import Unsupported
from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.cloud import scale_in as shared
from railbed.platforms.cloud.calls import ProviderError
from railbed.platforms.cloud.scale_in import Leaving, NodeToRemove
from railbed.platforms.oci import capacity, discover, session
from railbed.platforms.oci.nodes import Group, Kind
from railbed.platforms.oci.session import Clients, asked, every
from railbed.spec.platforms import OciPlatform

ENDED = ("TERMINATING", "TERMINATED")
SETTLED = ("RUNNING", "STOPPED")
ORDER = re.compile(r"-(\d+)$")
"""At the end of a GPU memory cluster's display name."""


def scale_in(plan: ClusterPlan, stack: str, to_remove: Sequence[NodeToRemove]) -> list[str]:
    """Ends exactly these instances; says what was done.

    Raises Unsupported for a part of an NVLink domain: Oracle takes a smaller number for it, and no names. Raises
    RailbedError where an instance must not be ended, or Oracle refuses.
    """
    assert isinstance(plan.place, OciPlatform)
    cloud, place = session.clients(plan.place.region), plan.place
    said: list[str] = []
    for pool, mine in shared.by_pool(plan, to_remove):
        pools = dict(_groups(cloud, plan, stack, pool))
        groups = [
            shared.Group(
                name=group.id, size=int(about.size), members=_members(cloud, place.account, group),
                order=_order(group, about),
            )
            for group, about in pools.items()
        ]  # fmt: skip
        declared = capacity.domains(pool) if capacity.is_rack(pool) else [pool.size]
        found = shared.leaving(pool, groups, declared, mine, lambda ids: _alive(cloud, ids))
        if capacity.is_rack(pool):
            _require_whole(pool, found)
            said.append(
                f"pool {pool.name}: the engine ends {shared.some([one.name for one in mine])} with their domains"
            )
            continue
        about = {group.id: one for group, one in pools.items()}
        for one in found:
            _end(cloud, about[one.group.name].id, one)
        said += shared.summary(pool, [key for one in found for key in one.ids], mine)
    return said


def _groups(cloud: Clients, plan: ClusterPlan, stack: str, pool: PlannedPool) -> Iterator[tuple[Group, Any]]:
    """The pool's groups, each with the instance pool (or GPU memory cluster) that counts its nodes."""
    compartment = plan.place.account  # type: ignore[union-attr]
    kind: Kind = "instance_pool" if plan.fabric is None else "cluster_network"
    listing = (
        cloud.management.list_instance_pools
        if plan.fabric is None
        else cloud.management.list_cluster_networks
    )
    if capacity.is_rack(pool):
        kind, listing = "gpu_memory_cluster", cloud.compute.list_compute_gpu_memory_clusters
    with asked(f"the groups of pool {pool.name}"):
        found = every(listing, compartment)
    for one in found:
        if shared.is_of(plan, stack, pool, one.freeform_tags or {}) and one.lifecycle_state not in ENDED:
            yield Group(kind, one.id), one.instance_pools[0] if kind == "cluster_network" else one


def _members(cloud: Clients, compartment: str, group: Group) -> list[str]:
    return [
        str(one.id)
        for one in discover.listed(cloud, compartment, group)
        if discover.state(one).upper() not in ENDED
    ]


def _order(group: Group, about: Any) -> int:
    if group.kind != "gpu_memory_cluster":
        return 0
    return shared.place(about.display_name or "", ORDER, f"GPU memory cluster {about.id}")


def _alive(cloud: Clients, ids: list[str]) -> Iterator[str]:
    for one in ids:
        try:
            with asked(f"instance {one}"):
                state = cloud.compute.get_instance(one).data.lifecycle_state
        except ProviderError as refused:
            if refused.found == "NotAuthorizedOrNotFound":
                continue
            raise
        if state not in ENDED:
            yield one


def _require_whole(pool: PlannedPool, found: Sequence[Leaving]) -> None:
    parts = [one for one in found if one.ids and one.declared]
    if parts:
        domain = pool.machine.nodes_per_nvlink_domain
        raise Unsupported(
            "platform oci", f"taking named nodes out of an NVLink domain (pool {pool.name})",
            f"make the pool smaller by whole domains, a multiple of {domain} nodes",
            path=f"railbed:cluster.pools (pool {pool.name}).nodes",
        )  # fmt: skip


def _end(cloud: Clients, pool: str, one: Leaving) -> None:
    """One after the other: a pool that is being changed takes no other change."""
    for instance in one.ids:
        shared.until(f"the end of {instance}", partial(_detached, cloud, pool, instance))
    if one.ids:
        shared.until(f"the change of {pool}", partial(_settled, cloud, pool))


def _detached(cloud: Clients, pool: str, instance: str) -> bool:
    from oci.core.models import DetachInstancePoolInstanceDetails

    details = DetachInstancePoolInstanceDetails(
        instance_id=instance, is_decrement_size=True, is_auto_terminate=True
    )
    if not _settled(cloud, pool):
        return False
    try:
        with asked(f"the end of {instance}"):
            cloud.management.detach_instance_pool_instance(pool, details)
    except ProviderError as refused:
        if refused.found == "IncorrectState":
            return False
        raise
    return True


def _settled(cloud: Clients, pool: str) -> bool:
    with asked(f"the pool {pool}"):
        state: str = cloud.management.get_instance_pool(pool).data.lifecycle_state
    return state in SETTLED
