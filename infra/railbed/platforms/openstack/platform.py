"""A cluster on OpenStack from a plan, and the contract out of what was made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from railbed.effects.secrets import ensure_stack_secrets, public_key
from railbed.plan import ClusterPlan, require_acknowledged
from railbed.platforms.cloud import boot, jump, support
from railbed.platforms.cloud.cluster import CONTROLLER_POOL, build_contract, previous_of
from railbed.platforms.cloud.engine_errors import without_traceback
from railbed.platforms.cloud.members import PoolStatus
from railbed.platforms.openstack import discover, fabric, filesystems, nodes, scope, session
from railbed.platforms.openstack.support import SUPPORT
from railbed.platforms.site import Site
from railbed.spec.platforms import OpenstackPlatform


def build(plan: ClusterPlan, site: Site) -> pulumi.Output[Any]:
    """Declares the cluster; the output is the sealed contract as JSON data."""
    assert isinstance(plan.place, OpenstackPlatform)
    require_acknowledged(plan)
    support.require(plan, SUPPORT)
    fabric.rails(plan, plan.place)
    ensure_stack_secrets(site.work)
    here = scope.scope(plan, plan.place, site.stack)
    network = fabric.network(here)
    script = boot.user_data(public_key(site.work.operator_key))
    stacks = {
        pool.name: pulumi.Output.all(*(one.id for one in nodes.pool(here, network, pool, script)))
        for pool in plan.pools
    }
    lone: dict[str, list[pulumi.Output[str]]] = {}
    if plan.has_controller:
        lone[CONTROLLER_POOL] = [one.id for one in nodes.controllers(here, network, script)]
    address: pulumi.Input[str] = ""
    if network.bastion is not None:
        server, address = nodes.bastion(
            here, network, boot.gate_data(plan, public_key(site.work.operator_key))
        )
        lone[fabric.BASTION_POOL] = [server.id]
    mounts = {one.name: filesystems.filesystem(here, one) for one in plan.filesystems}
    parts: dict[str, pulumi.Input[Any]] = {
        "stacks": pulumi.Output.all(**stacks),
        "network": network.network,
        "lone": pulumi.Output.from_input(lone),
        "bastion": address,
        "mounts": pulumi.Output.all(**mounts) if mounts else {},
    }
    return pulumi.Output.all(**parts).apply(lambda known: _contract(plan, site, known))


@without_traceback
def _contract(plan: ClusterPlan, site: Site, known: Mapping[str, Any]) -> dict[str, Any]:
    assert isinstance(plan.place, OpenstackPlatform)
    cloud = session.connect(plan.place.region)
    earlier = previous_of(site)
    statuses = discover.statuses(
        cloud,
        known["stacks"],
        {pool.name: pool.size for pool in plan.pools},
        known["lone"],
        discover.network_name(cloud, known["network"]),
        earlier,
        plan.host_keys,
        preview=pulumi.runtime.is_dry_run(),
    )
    mounts = {name: discover.mount(cloud, shared) for name, shared in known["mounts"].items()}
    keys: list[str] = []
    if fabric.BASTION_POOL in known["lone"]:
        keys = [key for one in statuses.pop(fabric.BASTION_POOL).members for key in one.host_keys]
        if not keys:
            why = f"bastion {known['lone'][fabric.BASTION_POOL][0]}: its host key was not seen on the console yet"
            statuses = {name: PoolStatus(members=[], reasons=[why]) for name in statuses}

    way = jump.proxy(known["bastion"], keys[0]) if keys else None
    return build_contract(plan, site, statuses, mounts, lambda _: way, earlier)
