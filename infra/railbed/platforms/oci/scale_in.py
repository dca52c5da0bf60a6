"""Nodes that leave a pool: each is detached by its id and ended, and the pool's size goes down with it. Racks leave whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
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


def scale_in(plan: ClusterPlan, stack: str, to_remove: Sequence[NodeToRemove], again: bool) -> list[str]:
    """As ``cloud.scale_in.end``. Racks' nodes are ended by the engine, with their NVLink domains.

    Raises Unsupported for a part of an NVLink domain: Oracle takes a smaller number for it, and no names.
    """
    groups, racks = Groups(plan, stack), {pool.name for pool in plan.pools if capacity.is_rack(pool)}
    said: list[str] = []
    for pool, mine in shared.by_pool(plan, [one for one in to_remove if one.pool in racks], again=again):
        _require_whole(pool, shared.leaving(pool, groups, mine, capacity.domains(pool)))
        said.append(
            f"pool {pool.name}: the engine ends {shared.some([one.name for one in mine])} with their domains"
        )
    others = [one for one in to_remove if one.pool not in racks]
    return said + shared.end(groups, plan, others, lambda _, pool: [pool.size], again=again)


class Groups:
    """Instance pools and cluster networks (by the id of their instance pool's group), and GPU memory clusters."""

    def __init__(self, plan: ClusterPlan, stack: str) -> None:
        assert isinstance(plan.place, OciPlatform)
        self.plan, self.stack, self.account = plan, stack, plan.place.account
        self.cloud = session.clients(plan.place.region)
        self.pools: dict[str, str] = {}
        """Group → the instance pool (or GPU memory cluster) that counts its nodes."""

    def of_pool(self, pool: PlannedPool, _: Set[str]) -> list[shared.Group]:
        found = list(_groups(self.cloud, self.plan, self.stack, pool))
        self.pools |= {group.id: about.id for group, about in found}
        return [
            shared.Group(
                name=group.id, size=int(about.size),
                members=[
                    str(one.id) for one in discover.listed(self.cloud, self.account, group)
                    if discover.state(one).upper() not in ENDED
                ],
                order=shared.place(about.display_name or "", ORDER, f"GPU memory cluster {about.id}")
                if group.kind == "gpu_memory_cluster" else 0,
            )
            for group, about in found
        ]  # fmt: skip

    def alive(self, ids: Sequence[str]) -> Iterator[str]:
        for one in ids:
            try:
                with asked(f"instance {one}"):
                    state = self.cloud.compute.get_instance(one).data.lifecycle_state
            except ProviderError as refused:
                if refused.found == "NotAuthorizedOrNotFound":
                    continue
                raise
            if state not in ENDED:
                yield one

    def remove(self, one: Leaving) -> None:
        """One after the other: a pool that is being changed takes no other change."""
        pool = self.pools[one.group.name]
        for instance in one.ids:
            shared.until(f"the end of {instance}", partial(_detached, self.cloud, pool, instance))
        if one.ids:
            shared.until(f"the change of {pool}", partial(_settled, self.cloud, pool))


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


def _require_whole(pool: PlannedPool, found: Sequence[Leaving]) -> None:
    parts = [one for one in found if one.ids and one.declared]
    if parts:
        domain = pool.machine.nodes_per_nvlink_domain
        raise Unsupported(
            "platform oci", f"taking named nodes out of an NVLink domain (pool {pool.name})",
            f"make the pool smaller by whole domains, a multiple of {domain} nodes",
            path=f"railbed:cluster.pools (pool {pool.name}).nodes",
        )  # fmt: skip


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
