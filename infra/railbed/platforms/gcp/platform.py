"""A Google Cloud cluster from a plan: networks, groups, filesystems; and the contract out of what was made."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pulumi

from railbed import contract
from railbed.effects.secrets import ensure_stack_secrets, public_key
from railbed.errors import SpecError
from railbed.plan import ClusterPlan, require_acknowledged
from railbed.platforms.cloud import boot, cluster, support
from railbed.platforms.cloud.cluster import CONTROLLER_POOL, Mount
from railbed.platforms.cloud.engine_errors import without_traceback
from railbed.platforms.cloud.members import in_order
from railbed.platforms.cloud.tags import PREFIX, plain
from railbed.platforms.gcp import capacity, fabric, filesystems, nodes
from railbed.platforms.gcp.discover import PoolReader
from railbed.platforms.gcp.scope import Scope, scope
from railbed.platforms.gcp.session import Session
from railbed.platforms.gcp.support import SUPPORT
from railbed.platforms.site import Site
from railbed.spec.platforms import GcpPlatform


def build(plan: ClusterPlan, site: Site) -> pulumi.Output[dict[str, Any]]:
    """Declares the cluster; the output is the sealed contract as JSON data."""
    require_acknowledged(plan)
    support.require(plan, SUPPORT)
    if not isinstance(plan.place, GcpPlatform):
        raise SpecError("not a plan for Google Cloud", found=plan.place.kind, allowed="gcp")
    fabric.require(plan)
    ensure_stack_secrets(site.work)
    here = scope(plan, plan.place, site.stack)
    made = fabric.networks(here)
    user_data = boot.user_data(public_key(site.work.operator_key))
    policy = nodes.placement(here)
    groups = {pool.name: nodes.pool(here, pool, made, user_data, policy) for pool in plan.pools}
    if plan.has_controller:
        groups[CONTROLLER_POOL] = [one.name for one in nodes.controllers(here, made, user_data)]
    return _contract(here, site, groups, filesystems.filesystems(here, made))


def _contract(
    scope: Scope,
    site: Site,
    groups: dict[str, list[pulumi.Output[str]]],
    mounts: dict[str, pulumi.Output[str]],
) -> pulumi.Output[dict[str, Any]]:
    """A preview looks once; an update waits for nodes and their host keys."""
    wait = not pulumi.runtime.is_dry_run()
    plan, place, known = scope.plan, scope.place, cluster.previous_of(site)
    sizes = {pool.name: pool.size for pool in plan.pools}
    limits = {pool.name: capacity.group_limit(pool) for pool in plan.pools}
    marks = {PREFIX + key: plain(text) for key, text in (("cluster", plan.name), ("stack", scope.stack))}

    @without_traceback
    def read_members(names: dict[str, list[str]], sources: dict[str, str]) -> dict[str, Any]:
        seen = PoolReader(Session(place.account), place.zone, marks)
        known_keys, given = known.host_keys, plan.host_keys
        statuses = {
            pool: in_order([seen.controller(one, known_keys, given, wait=wait) for one in names[pool]])
            if pool == CONTROLLER_POOL
            else seen.status(names[pool], sizes[pool], known_keys, given, wait=wait, limit=limits[pool])
            for pool in names
        }
        mounted = {name: Mount(source=source) for name, source in sources.items()}
        return cluster.build_contract(plan, site, statuses, mounted, proxy(place, seen.names), known)

    return pulumi.Output.from_input([groups, mounts]).apply(
        lambda both: asyncio.to_thread(read_members, *cast(Any, both))
    )


def proxy(place: GcpPlatform, names: dict[str, str]) -> cluster.Proxy:
    """OpenSSH's way to a node through Identity-Aware Proxy: IAM says who may; ``names``: instance id → name."""

    return lambda member: contract.Iap(project=place.account, zone=place.zone, instance=names[member.id])
