"""A cluster on Volcengine from a plan; the output is its contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from railbed.effects.secrets import ensure_stack_secrets, public_key
from railbed.effects.workspace import Workspace, find_root
from railbed.errors import SpecError
from railbed.plan import ClusterPlan, require_acknowledged
from railbed.platforms.cloud import addressing, cluster, jump, support
from railbed.platforms.cloud.cluster import CONTROLLER_POOL, Mount
from railbed.platforms.cloud.members import PoolStatus, in_order
from railbed.platforms.cloud.told import told
from railbed.platforms.volcengine import account, capacity, discover, fabric, filesystems, nodes
from railbed.platforms.volcengine.session import Session
from railbed.platforms.volcengine.support import SUPPORT
from railbed.spec.platforms import VolcenginePlatform

NO_KEY = "its host key was not seen on the console yet"


class Cluster(pulumi.ComponentResource):
    """``railbed:volcengine:Cluster``: parent of everything that is made."""

    def __init__(self, name: str) -> None:
        super().__init__("railbed:volcengine:Cluster", name)


def build(plan: ClusterPlan, stack: str) -> pulumi.Output[Any]:
    """Declares the cluster. Raises Unsupported, SpecError, or RailbedError for another account, before anything is."""
    require_acknowledged(plan)
    support.require(plan, SUPPORT)
    place = plan.place
    if not isinstance(place, VolcenginePlatform):
        raise SpecError("not a plan for Volcengine", found=place.kind, allowed="volcengine")
    addressing.require_network(place)
    jump.ssh_sources(plan)
    account.require(place)
    bound = capacity.hpc_cluster(Session(place.region), plan.pools) if plan.fabric else ""
    work = Workspace(find_root(), stack)
    ensure_stack_secrets(work)
    parent = Cluster(plan.name)
    provider = fabric.provider(place, pulumi.ResourceOptions(parent=parent))
    opts = pulumi.ResourceOptions(parent=parent, provider=provider)
    network = fabric.network(plan, place, stack, opts)
    making = nodes.Making(
        plan=plan, place=place, stack=stack, network=network,
        fabric=fabric.hpc_cluster(plan, place, stack, bound, opts),
        operator_key=public_key(work.operator_key), opts=opts,
    )  # fmt: skip
    entrance = nodes.entrance(making)
    fabric.forward_ssh(network, entrance.primary_ip_address, opts)
    backups = nodes.backups(making)
    pools = [nodes.pool(making, planned) for planned in plan.pools]
    mounts = filesystems.filesystems(plan, stack, network, opts)
    known = {
        "entrance": entrance.id,
        "backups": [one.id for one in backups],
        "gate": network.address.eip_address if network.address else entrance.primary_ip_address,
        "pools": {one.plan.name: [group.id for group in one.groups] for one in pools},
        "mounts": mounts,
    }
    return pulumi.Output.from_input(known).apply(lambda made: _contract(plan, place, work, made))


@told
def _contract(
    plan: ClusterPlan, place: VolcenginePlatform, work: Workspace, made: Mapping[str, Any]
) -> dict[str, Any]:
    before = cluster.before(work)
    look = discover.Look(place.region, before.host_keys, plan.host_keys, wait=not pulumi.runtime.is_dry_run())
    entrance = look.one(made["entrance"])
    gate_keys = [key for one in entrance.members for key in one.host_keys]
    statuses = {pool.name: look.pool(made["pools"][pool.name], pool.size) for pool in plan.pools}
    if plan.has_controller:
        statuses[CONTROLLER_POOL] = in_order([entrance, *(look.one(one) for one in made["backups"])])
    elif not gate_keys:
        # Nobody logs in past a gate whose host key is not known.
        statuses = {
            name: PoolStatus(members=[], reasons=[f"gate {made['entrance']}: {NO_KEY}"]) for name in statuses
        }
    mounts: dict[str, Mount] = {name: Mount.model_validate(mount) for name, mount in made["mounts"].items()}
    way = jump.proxy(made["gate"], gate_keys[0]) if gate_keys else None
    return cluster.made(plan, work.stack, statuses, mounts, lambda _: way, before)
