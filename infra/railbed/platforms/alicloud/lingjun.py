"""Lingjun: one eflo cluster in an HPN zone, and a node group per pool of nodes that the account has bought."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

from pulumi_alicloud import eflo

from railbed.errors import SpecError
from railbed.plan import PlannedPool
from railbed.platforms.alicloud import capacity
from railbed.platforms.alicloud.capacity import Bought
from railbed.platforms.alicloud.nodes import Making
from railbed.platforms.cloud.tags import plain
from railbed.platforms.ecs.fabric import tenant_group

RAILS = ("10.192.0.0/12", "172.16.0.0/12")
"""Chosen here, not Alibaba's rule: the rails' addresses come from the first that does not overlap the cluster's network."""


@dataclass(frozen=True)
class Group:
    """A pool's node group, and what was bought for it."""

    group: eflo.NodeGroup
    bought: Bought


@dataclass(frozen=True)
class Lingjun:
    """What was made."""

    cluster: eflo.Cluster
    groups: dict[str, Group]
    """By pool."""


def cluster(making: Making, names: Mapping[str, str]) -> Lingjun:
    """Cluster, rails' network and node groups. ``names``: instance id → node name of the last contract.

    Raises SpecError for pools in two HPN zones, or without any node.
    """
    scope, plan, place = making.scope, making.scope.plan, making.scope.place
    pools = [pool for pool in plan.pools if capacity.is_lingjun(pool)]
    zone = _zone(pools)
    cidr = _rails(place.network_cidr)
    rails = eflo.Vpd("rails", vpd_name=plain(plan.name), cidr=cidr, tags=scope.tags(), opts=scope.options())
    subnet = eflo.Subnet(
        "rails",
        subnet_name=plain(plan.name),
        vpd_id=rails.id,
        cidr=cidr,
        zone_id=place.zone,
        opts=scope.options(),
    )
    made = eflo.Cluster(
        "fabric",
        cluster_name=plain(plan.name),
        cluster_type="Lite",
        hpn_zone=zone,
        # Chosen here. Alibaba's page on eRDMA warns that NCCL's LL128 gives wrong data at another MTU than 8500 with
        # jumbo frames, 1400 without; nothing is published for Lingjun's cards.
        open_eni_jumbo_frame=True,
        ignore_failed_node_tasks=True,
        networks=eflo.ClusterNetworksArgs(
            tail_ip_version="ipv4",
            vpc_id=making.network.whole,
            vswitch_id=making.network.nodes,
            vswitch_zone_id=place.zone,
            security_group_id=making.network.groups[tenant_group("")].id,
            vpd_info=eflo.ClusterNetworksVpdInfoArgs(vpd_id=rails.id, vpd_subnets=[subnet.subnet_id]),
        ),
        tags=scope.tags(),
        opts=scope.options(depends_on=making.network.ready),
    )
    groups: dict[str, Group] = {}
    taken: set[str] = set()
    for pool in pools:
        bought = capacity.bought(making.session, plan, pool, taken, names)
        taken |= set(bought.nodes)
        groups[pool.name] = Group(_group(making, pool, made, subnet, bought), bought)
    return Lingjun(made, groups)


def _group(
    making: Making, pool: PlannedPool, made: eflo.Cluster, subnet: eflo.Subnet, bought: Bought
) -> eflo.NodeGroup:
    """One node group with its nodes. Destroy takes the nodes out of it; it does not end their subscription."""
    if not bought.nodes:
        raise SpecError(
            f"no node is free for pool {pool.name} in HPN zone {getattr(pool.capacity, 'id', '')}",
            path="railbed:cluster.pools", found=0, allowed=f"{pool.size} nodes, bought and not in a cluster",
            hint="buy Lingjun nodes first, or correct pools[].capacity.id",
        )  # fmt: skip
    scope, name = making.scope, capacity.group_name(making.scope.plan, pool)
    return eflo.NodeGroup(
        f"pool-{pool.name}",
        node_group_name=name,
        node_group_description=f"railbed {scope.plan.name} {scope.stack} {pool.name}",
        cluster_id=made.id,
        az=scope.place.zone,
        zone_id=scope.place.zone,
        vswitch_zone_id=scope.place.zone,
        machine_type=bought.machine_type,
        image_id=pool.image or scope.place.lingjun_image,
        vpd_subnets=[subnet.subnet_id],
        user_data=making.boot,
        ignore_failed_node_tasks=True,
        nodes=[
            eflo.NodeGroupNodeArgs(
                node_id=node, hostname=node, vpc_id=making.network.whole, vswitch_id=making.network.nodes
            )
            for node in bought.nodes
        ],
        opts=making.group_options(pool, 0),
    )


def _zone(pools: list[PlannedPool]) -> str:
    zones = sorted({getattr(pool.capacity, "id", "") for pool in pools})
    if len(zones) != 1:
        raise SpecError(
            "the pools' nodes are in several HPN zones, and one fabric is in one", path="railbed:cluster.pools",
            found=zones, allowed="one HPN zone", hint="buy the nodes in one HPN zone, or make two clusters",
        )  # fmt: skip
    return zones[0]


def _rails(network: str) -> str:
    own = ipaddress.ip_network(network)
    return next(cidr for cidr in RAILS if not ipaddress.ip_network(cidr).overlaps(own))
