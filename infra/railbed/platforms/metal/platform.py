"""Bare metal from a plan: machines by Redfish, rails from the fabric planner; and the contract out of them."""

from __future__ import annotations

from typing import Any

import pulumi

from railbed.effects.secrets import ensure_stack_secrets
from railbed.plan import ClusterPlan, controller_names, node_names, require_acknowledged
from railbed.platforms import assemble
from railbed.platforms.cloud import support
from railbed.platforms.cloud.engine_errors import without_traceback
from railbed.platforms.metal import fabric, nodes
from railbed.platforms.metal.machines import Machine
from railbed.platforms.metal.support import SUPPORT
from railbed.platforms.site import Site


def build(plan: ClusterPlan, site: Site) -> pulumi.Output[Any]:
    """Declares the machines; the output is the contract as JSON data."""
    require_acknowledged(plan)
    support.require(plan, SUPPORT)
    place = nodes.place_of(plan)
    ensure_stack_secrets(site.work)
    made = {one.name: Machine(nodes.wanted(site.work, plan, one)) for one in place.machines}
    shown = [pulumi.Output.all(name, one.known_host_key, one.emulated) for name, one in made.items()]
    return pulumi.Output.all(*shown).apply(lambda facts: _contract(plan, site, facts))


@without_traceback
def _contract(plan: ClusterPlan, site: Site, facts: list[list[Any]]) -> dict[str, Any]:
    """``facts``: name, host key and whether it is an emulator, of each machine."""
    place = nodes.place_of(plan)
    machines = {one.name: one for one in place.machines}
    keys = {name: key for name, key, _ in facts}
    rails, unit = fabric.rails(plan, place), fabric.scalable_unit(plan, place)
    listed = [
        nodes.node(place, machines[name], keys[name], None, 0, [], 0) for name in controller_names(plan)
    ]
    index = 0
    for pool in plan.pools:
        for number, name in enumerate(node_names(pool.name, pool.nodes, pool.spares)):
            listed.append(
                nodes.node(
                    place, machines[name], keys[name], pool, number, rails.get(name, []), index // unit
                )
            )
            index += 1
    emulated = any(flag for _, _, flag in facts)
    seen = plan.model_copy(update={"simulated": True}) if emulated else plan
    filesystems = [assemble.filesystem(one, one.existing) for one in plan.filesystems]
    return assemble.cluster(seen, site.stack, listed, filesystems, list(site.sources)).as_json()
