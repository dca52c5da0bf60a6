"""A cluster on Alibaba Cloud from a plan; the output is its contract."""

from __future__ import annotations

from typing import Any

import pulumi

from railbed.effects.secrets import ensure_stack_secrets, public_key
from railbed.errors import SpecError
from railbed.plan import ClusterPlan, PlannedPool, require_acknowledged
from railbed.platforms.alicloud import capacity, filesystems, lingjun, nodes
from railbed.platforms.alicloud.discover import PoolReader
from railbed.platforms.alicloud.fabric import Fabric
from railbed.platforms.alicloud.scope import scope
from railbed.platforms.alicloud.session import Session
from railbed.platforms.alicloud.support import SUPPORT
from railbed.platforms.cloud import addressing, jump, support
from railbed.platforms.cloud.cluster import previous_of
from railbed.platforms.cloud.members import PoolStatus
from railbed.platforms.ecs.platform import contract
from railbed.platforms.site import Site
from railbed.spec.platforms import AlicloudPlatform


def build(plan: ClusterPlan, site: Site) -> pulumi.Output[Any]:
    """Declares the cluster. Raises Unsupported, SpecError, or RailbedError for another account, before anything is."""
    require_acknowledged(plan)
    support.require(plan, SUPPORT)
    capacity.require(plan)
    place = plan.place
    if not isinstance(place, AlicloudPlatform):
        raise SpecError("not a plan for Alibaba Cloud", found=place.kind, allowed="alicloud")
    capacity.require_image(plan, place)
    addressing.require_network(place)
    jump.ssh_sources(plan)
    session = Session(place.region)
    session.require_account(place)
    ensure_stack_secrets(site.work)
    here = scope(plan, place, site.stack)
    fabric = Fabric(here)
    network = fabric.network()
    making = nodes.Making(here, network, public_key(site.work.operator_key), session)
    hosts = nodes.hosts(making)
    fabric.forward_ssh(network, hosts[0].primary_ip_address)
    known: dict[str, Any] = {
        "hosts": [one.id for one in hosts],
        "gate": network.address.ip_address if network.address else hosts[0].primary_ip_address,
        "pools": {
            pool.name: [group.id for group in nodes.pool(making, pool)]
            for pool in plan.pools
            if not capacity.is_lingjun(pool)
        },
        "mounts": filesystems.filesystems(here, network),
        "lingjun": {},
    }
    if capacity.needs_lingjun(plan):
        made = lingjun.cluster(making, previous_of(site).names)
        known["cluster"] = made.cluster.id
        known["lingjun"] = {
            name: {"group": one.group.node_group_id, "bought": len(one.bought.nodes)}
            for name, one in made.groups.items()
        }
    wait = not pulumi.runtime.is_dry_run()

    def status(reader: PoolReader, pool: PlannedPool, found: dict[str, Any]) -> PoolStatus:
        part = found["lingjun"].get(pool.name)
        if part is None:
            return reader.pool(found["pools"][pool.name], pool.size)
        return reader.lingjun(found["cluster"], part["group"], pool.size, int(part["bought"]))

    return pulumi.Output.from_input(known).apply(
        lambda found: contract(
            plan, site,
            lambda previous: PoolReader(session, capacity.GROUP_LIMIT, previous.host_keys, plan.host_keys, wait=wait),
            lambda reader, pool: status(reader, pool, found),
            found,
        )
    )  # fmt: skip
