"""ECS pools as scaling groups, and the one host that SSH enters by: the controller, or a small gate."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_alicloud import ecs, ess

from railbed.plan import PlannedPool
from railbed.platforms.alicloud import capacity
from railbed.platforms.alicloud.session import Session
from railbed.platforms.ecs import nodes as shared
from railbed.platforms.ecs.fabric import GATE, tenant_group
from railbed.platforms.ecs.nodes import SYSTEM_DISK_GIB
from railbed.platforms.ecs.pools import group_name, spot_strategy
from railbed.spec.platforms import AlicloudPlatform

CONTROLLER_SHAPE = "ecs.g7.2xlarge"
"""Chosen here: 8 CPUs for the scheduler alone, of a family in the Pulumi package's examples (4.0.0)."""
GATE_SHAPE = "ecs.g7.large"
"""It only forwards SSH."""
SYSTEM_DISK = "cloud_essd"
HIGH_PERFORMANCE = "HighPerformance"
"""Traffic mode that makes an interface an eRDMA interface (ERI)."""


@dataclass(frozen=True)
class Making(shared.Making[AlicloudPlatform]):
    """What all nodes of a cluster share."""

    session: Session


def pool(making: Making, planned: PlannedPool) -> list[ess.ScalingGroup]:
    """The scaling groups of one ECS pool: nodes and spares, of one shape, in one vSwitch and security group."""
    cards = capacity.interfaces(making.session, planned) if making.scope.plan.fabric else 0
    sizes = capacity.group_sizes(planned.size)
    return [_group(making, planned, part, size, cards) for part, size in enumerate(sizes)]


def _group(making: Making, pool: PlannedPool, part: int, size: int, cards: int) -> ess.ScalingGroup:
    """One scaling group. It is filled as far as there is capacity: the look-up afterwards waits, Pulumi does not."""
    scope, name = making.scope, group_name(pool.name, part)
    marks = scope.tags(pool=pool.name, tenant=pool.tenant)
    group = ess.ScalingGroup(
        name,
        min_size=0,
        max_size=size,
        desired_capacity=size,
        vswitch_ids=[making.network.nodes],
        # A node that is repaired is not replaced behind railbed's back.
        health_check_type="NONE",
        removal_policies=["NewestInstance"],
        tags=marks,
        opts=making.group_options(pool, part, after=making.network.ready),
    )
    security = making.network.groups[tenant_group(pool.tenant)].id
    private = capacity.private_pool(pool)
    ess.ScalingConfiguration(
        name,
        scaling_group_id=group.id,
        active=True,
        enable=True,
        force_delete=True,
        image_id=pool.image or scope.place.image.id,
        instance_type=pool.machine.shape,
        instance_name=f"{scope.plan.name}-{pool.name}",
        # With interfaces given, their security groups are given there.
        security_group_ids=None if cards else [security],
        network_interfaces=_cards(cards, security) or None,
        internet_max_bandwidth_out=0,
        system_disk_category=SYSTEM_DISK,
        system_disk_size=SYSTEM_DISK_GIB,
        system_disk_encrypted=True,
        spot_strategy=spot_strategy(pool),
        resource_pool_options_strategy="PrivatePoolOnly" if private else None,
        resource_pool_options_private_pool_ids=[private] if private else None,
        user_data=making.boot,
        tags=marks,
        opts=making.group_options(pool, part, "instanceName"),
    )
    return group


def _cards(count: int, security: pulumi.Input[str]) -> list[ess.ScalingConfigurationNetworkInterfaceArgs]:
    """eRDMA interfaces: the first is the primary one and carries the node's address."""
    return [
        ess.ScalingConfigurationNetworkInterfaceArgs(
            instance_type="Primary" if card == 0 else "Secondary",
            network_interface_traffic_mode=HIGH_PERFORMANCE,
            security_group_ids=[security],
        )
        for card in range(count)
    ]


def hosts(making: Making) -> list[ecs.Instance]:
    """The controllers, or a gate, in the vSwitch of services."""
    scope = making.scope

    def make(name: str, role: str, shape: str, boot_script: str) -> ecs.Instance:
        return ecs.Instance(
            name,
            instance_name=f"{scope.plan.name}-{name}",
            image_id=scope.place.image.id,
            instance_type=shape,
            vswitch_id=making.network.service,
            security_groups=[making.network.groups[GATE].id],
            internet_max_bandwidth_out=0,
            system_disk_category=SYSTEM_DISK,
            system_disk_size=SYSTEM_DISK_GIB,
            system_disk_encrypted=True,
            instance_charge_type="PostPaid",
            http_endpoint="enabled",
            http_tokens="required",
            user_data=boot_script,
            tags=scope.tags(role=role),
            opts=making.host_options(),
        )

    return making.hosts(make, CONTROLLER_SHAPE, GATE_SHAPE)
