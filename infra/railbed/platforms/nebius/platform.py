"""A cluster on Nebius from a plan, and the contract out of what was made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from railbed.effects.secrets import ensure_stack_secrets
from railbed.plan import ClusterPlan, controller_names, require_acknowledged
from railbed.platforms.cloud import jump, support
from railbed.platforms.cloud.cluster import CONTROLLER_POOL, build_contract, previous_of
from railbed.platforms.cloud.engine_errors import without_traceback
from railbed.platforms.nebius import discover, fabric, filesystems, nodes, scope
from railbed.platforms.nebius.discover import Seen
from railbed.platforms.nebius.fabric import BASTION
from railbed.platforms.nebius.seeds import Seeds, of_bastion
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
    seeds = Seeds(plan, site.work)
    shared = {filesystems.tag(one): filesystems.filesystem(here, one) for one in plan.filesystems}
    groups = {pool.name: nodes.pool(here, network, pool, shared, seeds) for pool in plan.pools}
    if plan.has_controller:
        groups[CONTROLLER_POOL] = [
            nodes.controller(here, network, name, shared, seeds) for name in controller_names(plan)
        ]
    if network.bastion is not None:
        groups[BASTION_POOL] = [nodes.bastion(here, network, seeds)]
    outputs = {name: pulumi.Output.all(*map(_seen, some)) for name, some in groups.items()}
    return pulumi.Output.all(**outputs).apply(lambda known: _contract(plan, site, known))


def _names(plan: ClusterPlan) -> dict[str, list[str]]:
    """Of each pool, what its instances' keys are called; a renamed pool keeps its own."""
    names = {
        pool.name: [f"{pool.formerly or pool.name}-{place}" for place in range(pool.size)]
        for pool in plan.pools
    }
    return {**names, CONTROLLER_POOL: list(controller_names(plan))}


def _seen(instance: Any) -> pulumi.Output[Seen]:
    return pulumi.Output.all(instance.id, instance.status).apply(lambda it: discover.seen(str(it[0]), it[1]))


@without_traceback
def _contract(plan: ClusterPlan, site: Site, known: Mapping[str, list[Seen]]) -> dict[str, Any]:
    earlier, seeds = previous_of(site), Seeds(plan, site.work)
    seeded = _names(plan)
    statuses = {
        name: discover.status(plan, name, some, earlier, [seeds.public(one) for one in seeded[name]])
        for name, some in known.items()
        if name != BASTION_POOL
    }
    way = None
    if BASTION_POOL in known:
        (door,) = known[BASTION_POOL]
        previous = [node.ssh.proxy for node in site.previous.nodes] if site.previous else []
        key = discover.given(plan).get(door.id) or of_bastion(previous, door.public) or seeds.public(BASTION)
        way = jump.proxy(door.public, key)
    mounts = {one.name: filesystems.mount(one) for one in plan.filesystems}
    return build_contract(plan, site, statuses, mounts, lambda _: way, earlier)
