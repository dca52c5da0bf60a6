"""A cluster on Volcengine from a plan; the output is its contract."""

from __future__ import annotations

from typing import Any

import pulumi

from railbed.effects.secrets import ensure_stack_secrets, public_key
from railbed.errors import SpecError
from railbed.plan import ClusterPlan, require_acknowledged
from railbed.platforms.cloud import addressing, jump, support
from railbed.platforms.ecs.discover import PoolReader
from railbed.platforms.ecs.platform import contract
from railbed.platforms.site import Site
from railbed.platforms.volcengine import capacity, filesystems, nodes
from railbed.platforms.volcengine.fabric import Fabric, hpc_cluster
from railbed.platforms.volcengine.scope import scope
from railbed.platforms.volcengine.session import Session
from railbed.platforms.volcengine.support import SUPPORT
from railbed.spec.platforms import VolcenginePlatform


def build(plan: ClusterPlan, site: Site) -> pulumi.Output[Any]:
    """Declares the cluster. Raises Unsupported, SpecError, or RailbedError for another account, before anything is."""
    require_acknowledged(plan)
    support.require(plan, SUPPORT)
    place = plan.place
    if not isinstance(place, VolcenginePlatform):
        raise SpecError("not a plan for Volcengine", found=place.kind, allowed="volcengine")
    addressing.require_network(place)
    jump.ssh_sources(plan)
    session = Session(place.region)
    session.require_account(place)
    bound = capacity.hpc_cluster(session, plan.pools) if plan.fabric else ""
    ensure_stack_secrets(site.work)
    here = scope(plan, place, site.stack)
    fabric = Fabric(here)
    network = fabric.network()
    making = nodes.Making(here, network, public_key(site.work.operator_key), hpc_cluster(here, bound))
    hosts = nodes.hosts(making)
    fabric.forward_ssh(network, hosts[0].primary_ip_address)
    known = {
        "hosts": [one.id for one in hosts],
        "gate": network.address.eip_address if network.address else hosts[0].primary_ip_address,
        "pools": {pool.name: [group.id for group in nodes.pool(making, pool)] for pool in plan.pools},
        "mounts": filesystems.filesystems(here, network),
    }
    wait = not pulumi.runtime.is_dry_run()
    return pulumi.Output.from_input(known).apply(
        lambda made: contract(
            plan, site,
            lambda previous: PoolReader(session, capacity.GROUP_LIMIT, previous.host_keys, plan.host_keys, wait=wait),
            lambda reader, pool: reader.pool(made["pools"][pool.name], pool.size),
            made,
        )
    )  # fmt: skip
