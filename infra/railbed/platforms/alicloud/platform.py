"""A cluster on Alibaba Cloud from a plan; the output is its contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from railbed.effects.secrets import ensure_stack_secrets, public_key
from railbed.effects.workspace import Workspace, find_root
from railbed.errors import SpecError
from railbed.plan import ClusterPlan, require_acknowledged
from railbed.platforms.alicloud import (
    account,
    capacity,
    discover,
    fabric,
    filesystems,
    lingjun,
    nodes,
)
from railbed.platforms.alicloud.session import Session
from railbed.platforms.alicloud.support import SUPPORT
from railbed.platforms.cloud import addressing, cluster, jump, support
from railbed.platforms.cloud.cluster import CONTROLLER_POOL, Mount
from railbed.platforms.cloud.members import PoolStatus, in_order
from railbed.platforms.cloud.told import told
from railbed.spec.platforms import AlicloudPlatform

NO_KEY = "its host key was not seen on the console yet"


class Cluster(pulumi.ComponentResource):
    """``railbed:alicloud:Cluster``: parent of everything that is made."""

    def __init__(self, name: str) -> None:
        super().__init__("railbed:alicloud:Cluster", name)


def build(plan: ClusterPlan, stack: str) -> pulumi.Output[Any]:
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
    account.require(session, place)
    work = Workspace(find_root(), stack)
    ensure_stack_secrets(work)
    parent = Cluster(plan.name)
    provider = fabric.provider(place, pulumi.ResourceOptions(parent=parent))
    opts = pulumi.ResourceOptions(parent=parent, provider=provider)
    network = fabric.network(plan, place, stack, opts)
    making = nodes.Making(
        plan=plan, place=place, stack=stack, network=network, session=session,
        operator_key=public_key(work.operator_key), opts=opts,
    )  # fmt: skip
    entrance = nodes.entrance(making)
    fabric.forward_ssh(network, entrance.primary_ip_address, opts)
    backups = nodes.backups(making)
    known: dict[str, Any] = {
        "entrance": entrance.id,
        "backups": [one.id for one in backups],
        "gate": network.address.ip_address if network.address else entrance.primary_ip_address,
        "pools": {
            planned.name: [group.id for group in nodes.pool(making, planned)]
            for planned in plan.pools
            if not capacity.is_lingjun(planned)
        },
        "mounts": filesystems.filesystems(plan, place, stack, network, opts),
        "lingjun": {},
    }
    if fabric.needs_lingjun(plan):
        made = lingjun.cluster(making)
        known["cluster"] = made.cluster.id
        known["lingjun"] = {
            name: {"group": one.group.node_group_id, "bought": len(one.bought.nodes)}
            for name, one in made.groups.items()
        }
    return pulumi.Output.from_input(known).apply(lambda found: _contract(plan, session, work, found))


@told
def _contract(
    plan: ClusterPlan, session: Session, work: Workspace, made: Mapping[str, Any]
) -> dict[str, Any]:
    before = cluster.before(work)
    look = discover.Look(session, before.host_keys, plan.host_keys, wait=not pulumi.runtime.is_dry_run())
    entrance = look.one(made["entrance"])
    gate_keys = [key for one in entrance.members for key in one.host_keys]
    statuses: dict[str, PoolStatus] = {}
    for pool in plan.pools:
        part = made["lingjun"].get(pool.name)
        if part is None:
            statuses[pool.name] = look.pool(made["pools"][pool.name], pool.size)
        else:
            statuses[pool.name] = look.lingjun(made["cluster"], part["group"], pool.size, int(part["bought"]))
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
