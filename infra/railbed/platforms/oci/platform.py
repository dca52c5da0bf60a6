"""A cluster on Oracle Cloud from a plan, and the contract out of what was made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from railbed import contract
from railbed.effects.secrets import ensure_stack_secrets, public_key
from railbed.plan import ClusterPlan, controller_name, controller_names, require_acknowledged
from railbed.platforms.cloud import boot, support
from railbed.platforms.cloud.cluster import CONTROLLER_POOL, Mount, build_contract, previous_of
from railbed.platforms.cloud.engine_errors import without_traceback
from railbed.platforms.cloud.members import Member
from railbed.platforms.oci import capacity, discover, fabric, filesystems, login, nodes, scope, session
from railbed.platforms.oci.support import SUPPORT
from railbed.platforms.site import Site
from railbed.spec.platforms import OciPlatform


def build(plan: ClusterPlan, site: Site) -> pulumi.Output[Any]:
    """Declares the cluster; the output is the sealed contract as JSON data."""
    assert isinstance(plan.place, OciPlatform)
    require_acknowledged(plan)
    support.require(plan, SUPPORT)
    ensure_stack_secrets(site.work)
    here = scope.scope(plan, plan.place, site.stack)
    network = fabric.network(here)
    script = boot.user_data(public_key(site.work.operator_key))
    pools = {pool.name: nodes.pool(here, network, pool, script).groups() for pool in plan.pools}
    controllers = [_member(nodes.controller(here, network, name, script)) for name in controller_names(plan)]
    mounts = {one.name: filesystems.filesystem(here, network, one) for one in plan.filesystems}
    parts: dict[str, pulumi.Input[Any]] = {
        "compartment": here.account,
        "subnet": network.subnet,
        "bastion": network.bastion.id if network.bastion else "",
        "pools": pulumi.Output.all(**pools),
        "controllers": pulumi.Output.all(*controllers) if controllers else [],
        "mounts": pulumi.Output.all(**mounts) if mounts else {},
    }
    return pulumi.Output.all(**parts).apply(lambda known: _contract(plan, site, known))


def _member(controller: Any) -> pulumi.Output[Member]:
    return pulumi.Output.all(controller.id, controller.private_ip, controller.time_created).apply(
        lambda it: Member(id=str(it[0]), address=str(it[1]), created=str(it[2]))
    )


@without_traceback
def _contract(plan: ClusterPlan, site: Site, known: Mapping[str, Any]) -> dict[str, Any]:
    assert isinstance(plan.place, OciPlatform)
    earlier = previous_of(site)
    sizes = {pool.name: pool.size for pool in plan.pools}
    statuses = discover.statuses(
        plan.place.region,
        known["compartment"],
        known["subnet"],
        known["pools"],
        sizes,
        known["controllers"],
        earlier,
        plan.host_keys,
        domains={
            pool.name: pool.machine.nodes_per_nvlink_domain for pool in plan.pools if capacity.is_rack(pool)
        },
        preview=pulumi.runtime.is_dry_run(),
    )
    if known["bastion"] and not plan.has_controller and not pulumi.runtime.is_dry_run():
        hosts = sum(len(status.members) for status in statuses.values())
        login.require_sessions(session.clients(plan.place.region), known["bastion"], hosts)
    mounts: Mapping[str, Mount] = known["mounts"]
    doors = [one.id for one in statuses[CONTROLLER_POOL].members] if plan.has_controller else []

    through = contract.Through(node=controller_name())
    region = plan.place.region

    def proxy(member: Member) -> contract.Proxy | None:
        """Through the bastion to a controller, and through the first to the nodes; where there is none, to each node."""
        if not known["bastion"]:
            return None
        if doors and member.id not in doors:
            return through
        return contract.OciBastion(bastion=known["bastion"], region=region)

    return build_contract(plan, site, statuses, mounts, proxy, earlier)
