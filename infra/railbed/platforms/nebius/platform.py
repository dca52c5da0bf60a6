"""A cluster on Nebius from a plan, and the contract out of what was made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from railbed.effects.secrets import ensure_stack_secrets, public_key
from railbed.plan import ClusterPlan, controller_names, require_acknowledged
from railbed.platforms.cloud import boot, jump, support
from railbed.platforms.cloud.cluster import CONTROLLER_POOL, before, made
from railbed.platforms.cloud.members import PoolStatus
from railbed.platforms.cloud.told import told
from railbed.platforms.nebius import discover, fabric, filesystems, nodes, scope
from railbed.platforms.nebius.discover import Seen
from railbed.platforms.nebius.support import SUPPORT
from railbed.platforms.site import Site
from railbed.spec.platforms import NebiusPlatform

BASTION_POOL = "the bastion"
"""Its place among the pools that are looked up: no pool can have such a name."""


def build(plan: ClusterPlan, site: Site) -> pulumi.Output[Any]:
    """Declares the cluster; the output is the sealed contract as JSON data."""
    assert isinstance(plan.place, NebiusPlatform)
    require_acknowledged(plan)
    support.require(plan, SUPPORT)
    ensure_stack_secrets(site.work)
    here = scope.scope(plan, plan.place, site.stack)
    network = fabric.network(here)
    script = boot.user_data(public_key(site.work.operator_key))
    shared = {filesystems.tag(one): filesystems.filesystem(here, one) for one in plan.filesystems}
    groups = {pool.name: nodes.pool(here, network, pool, shared, script) for pool in plan.pools}
    if plan.has_controller:
        groups[CONTROLLER_POOL] = [
            nodes.controller(here, network, name, shared, script) for name in controller_names(plan)
        ]
    if network.bastion is not None:
        gate = boot.gate_data(plan, public_key(site.work.operator_key))
        groups[BASTION_POOL] = [nodes.bastion(here, network, gate)]
    outputs = {name: pulumi.Output.all(*map(_seen, some)) for name, some in groups.items()}
    return pulumi.Output.all(**outputs).apply(lambda known: _contract(plan, site, known))


def _seen(instance: Any) -> pulumi.Output[Seen]:
    return pulumi.Output.all(instance.id, instance.status).apply(lambda it: discover.seen(str(it[0]), it[1]))


@told
def _contract(plan: ClusterPlan, site: Site, known: Mapping[str, list[Seen]]) -> dict[str, Any]:
    earlier = before(site)
    statuses = {
        name: discover.status(plan, name, some, earlier)
        for name, some in known.items()
        if name != BASTION_POOL
    }
    way = None
    if BASTION_POOL in known:
        (door,) = known[BASTION_POOL]
        key = discover.given(plan).get(door.id)
        if key:
            way = jump.proxy(door.public, key)
        else:
            why = f"bastion {door.id}: write its host key into access.host_keys, and run `railbed up` again"
            statuses = {
                name: PoolStatus(members=[], reasons=[why, *status.reasons])
                for name, status in statuses.items()
            }
    mounts = {one.name: filesystems.mount(one) for one in plan.filesystems}
    return made(plan, site, statuses, mounts, lambda _: way, earlier)
