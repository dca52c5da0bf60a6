"""An Azure cluster from a plan: network, scale sets, filesystems; and the contract out of what was made."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pulumi

from railbed.effects.secrets import ensure_stack_secrets, public_key
from railbed.errors import SpecError
from railbed.plan import ClusterPlan, require_acknowledged
from railbed.platforms.azure import capacity, fabric, filesystems, keyvault, nodes
from railbed.platforms.azure.discover import PoolReader
from railbed.platforms.azure.nodes import Gate
from railbed.platforms.azure.scope import Scope, scope
from railbed.platforms.azure.session import Session
from railbed.platforms.azure.support import SUPPORT
from railbed.platforms.cloud import boot, cluster, jump, support
from railbed.platforms.cloud.cluster import CONTROLLER_POOL, Mount
from railbed.platforms.cloud.engine_errors import without_traceback
from railbed.platforms.cloud.members import PoolStatus, in_order
from railbed.platforms.site import Site
from railbed.spec.platforms import AzurePlatform


def build(plan: ClusterPlan, site: Site) -> pulumi.Output[dict[str, Any]]:
    """Declares the cluster; the output is the sealed contract as JSON data."""
    require_acknowledged(plan)
    support.require(plan, SUPPORT)
    capacity.require(plan)
    if not isinstance(plan.place, AzurePlatform):
        raise SpecError("not a plan for Azure", found=plan.place.kind, allowed="azure")
    ensure_stack_secrets(site.work)
    here = scope(plan, plan.place, site.stack)
    made = fabric.network(here)
    keys, below = keyvault.encryption_set(here)
    operator = public_key(site.work.operator_key)
    start = nodes.Boot(nodes.image(plan.place.image.id), boot.user_data(operator), operator, keys, below)
    sets = {pool.name: nodes.pool(here, made, start, pool) for pool in plan.pools}
    gate, backups = nodes.gate(here, made, start), nodes.backups(here, made, start)
    mounts = filesystems.filesystems(here, made)
    return _contract(here, site, sets, gate, backups, mounts)


def _contract(
    scope: Scope,
    site: Site,
    sets: dict[str, list[pulumi.Output[str]]],
    gate: Gate | None,
    backups: list[pulumi.Output[str]],
    mounts: dict[str, pulumi.Output[Mount]],
) -> pulumi.Output[dict[str, Any]]:
    """A preview looks once; an update waits for nodes and their host keys."""
    wait = not pulumi.runtime.is_dry_run()
    plan, known = scope.plan, cluster.previous_of(site)
    sizes = {pool.name: pool.size for pool in plan.pools}

    @without_traceback
    def read_members(
        group: str, names: dict[str, list[str]], host: list[str], more: list[str], sources: dict[str, Mount]
    ) -> dict[str, Any]:
        seen = PoolReader(Session(scope.place.account), group)
        known_keys, given = known.host_keys, plan.host_keys
        statuses = {
            pool: seen.status(found, sizes[pool], known_keys, given, wait=wait)
            for pool, found in names.items()
        }
        through = seen.host(host[0], known_keys, given, wait=wait) if host else PoolStatus(members=[])
        if plan.has_controller:
            others = [seen.host(name, known_keys, given, wait=wait) for name in more]
            statuses[CONTROLLER_POOL] = in_order([through, *others])
        keys = [key for one in through.members for key in one.host_keys]
        way = jump.proxy(host[1], keys[0]) if host and host[1] and keys else None
        if host and host[1] and not keys:
            # Nobody logs in past a gate whose host key is not known.
            why = f"gate {host[0]}: its host key was not seen yet; run `railbed up` again"
            statuses = {
                pool: PoolStatus(members=[], reasons=[why, *status.reasons])
                for pool, status in statuses.items()
            }
        return cluster.build_contract(plan, site, statuses, sources, lambda _: way, known)

    host = [gate.name, gate.door] if gate else []
    return pulumi.Output.from_input([scope.group, sets, host, backups, mounts]).apply(
        lambda known: asyncio.to_thread(read_members, *cast(Any, known))
    )
