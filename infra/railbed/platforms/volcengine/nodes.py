"""Pools as scaling groups, and the one host that SSH enters by: the controller, or a small gate."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_volcengine import autoscaling, ecs

from railbed.plan import PlannedPool
from railbed.platforms.ecs import nodes as shared
from railbed.platforms.ecs.fabric import GATE, tenant_group
from railbed.platforms.ecs.nodes import SYSTEM_DISK_GIB
from railbed.platforms.ecs.pools import group_name, spot_strategy
from railbed.platforms.volcengine import capacity
from railbed.platforms.volcengine.scope import pairs
from railbed.spec.cluster import Reservation
from railbed.spec.platforms import VolcenginePlatform

CONTROLLER_SHAPE = "ecs.g1.2xlarge"
"""Chosen here: 8 CPUs for the scheduler alone, of those in the Pulumi package's examples (0.0.47)."""
GATE_SHAPE = "ecs.g1.large"
"""It only forwards SSH."""
SYSTEM_DISK = "ESSD_PL0"


@dataclass(frozen=True)
class Making(shared.Making[VolcenginePlatform]):
    """What all nodes of a cluster share."""

    fabric: pulumi.Input[str] | None
    """HPC cluster."""


def pool(making: Making, planned: PlannedPool) -> list[autoscaling.ScalingGroup]:
    """The scaling groups of one pool: nodes and spares, of one shape, in one subnet, HPC cluster and security group."""
    sizes = capacity.group_sizes(planned.size)
    return [_group(making, planned, part, size) for part, size in enumerate(sizes)]


def _group(making: Making, pool: PlannedPool, part: int, size: int) -> autoscaling.ScalingGroup:
    """One scaling group. It is filled as far as there is capacity: Pulumi does not wait, the look-up afterwards does."""
    scope, name = making.scope, group_name(pool.name, part)
    bought = pool.capacity.id if isinstance(pool.capacity, Reservation) else ""
    marks = scope.tags(pool=pool.name, tenant=pool.tenant, reservation=bought)
    group = autoscaling.ScalingGroup(
        name,
        scaling_group_name=f"{scope.plan.name}-{name}",
        subnet_ids=[making.network.nodes],
        min_instance_number=0,
        max_instance_number=size,
        desire_instance_number=size,
        instance_terminate_policy="NewestInstance",
        wait_for_capacity_timeout="0",
        tags=pairs(autoscaling.ScalingGroupTagArgs, marks),
        opts=making.group_options(pool, part, "scalingGroupName", after=making.network.ready),
    )
    configuration = autoscaling.ScalingConfiguration(
        name,
        scaling_group_id=group.id,
        scaling_configuration_name=f"{scope.plan.name}-{name}",
        image_id=pool.image or scope.place.image.id,
        instance_name=f"{scope.plan.name}-{pool.name}",
        instance_types=[pool.machine.shape],
        security_group_ids=[making.network.groups[tenant_group(pool.tenant)].id],
        volumes=[
            autoscaling.ScalingConfigurationVolumeArgs(
                size=SYSTEM_DISK_GIB, volume_type=SYSTEM_DISK, delete_with_instance=True
            )
        ],
        hpc_cluster_id=making.fabric,
        spot_strategy=spot_strategy(pool),
        user_data=making.boot,
        tags=pairs(autoscaling.ScalingConfigurationTagArgs, marks),
        opts=making.group_options(pool, part, "scalingConfigurationName", "instanceName"),
    )
    active = autoscaling.ScalingConfigurationAttachment(
        name, scaling_configuration_id=configuration.id, opts=making.group_options(pool, part)
    )
    autoscaling.ScalingGroupEnabler(
        name, scaling_group_id=group.id, opts=making.group_options(pool, part, after=[active])
    )
    return group


def hosts(making: Making) -> list[ecs.Instance]:
    """The controllers, or a gate, in the subnet of services."""
    scope = making.scope

    def make(name: str, role: str, shape: str, boot_script: str) -> ecs.Instance:
        return ecs.Instance(
            name,
            instance_name=f"{scope.plan.name}-{name}",
            image_id=scope.place.image.id,
            instance_type=shape,
            subnet_id=making.network.service,
            security_group_ids=[making.network.groups[GATE].id],
            system_volume_size=SYSTEM_DISK_GIB,
            system_volume_type=SYSTEM_DISK,
            instance_charge_type="PostPaid",
            user_data=boot_script,
            tags=pairs(ecs.InstanceTagArgs, scope.tags(role=role)),
            opts=making.host_options(),
        )

    return making.hosts(make, CONTROLLER_SHAPE, GATE_SHAPE)
