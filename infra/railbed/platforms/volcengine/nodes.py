"""Pools as scaling groups, and the one host that SSH enters by: the controller, or a small gate."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import pulumi
from pulumi_volcengine import autoscaling, ecs

from railbed.plan import ClusterPlan, PlannedPool, controller_name, controller_names
from railbed.platforms.cloud import boot
from railbed.platforms.cloud.tags import tags
from railbed.platforms.volcengine import capacity
from railbed.platforms.volcengine.fabric import GATE, Network, tenant_group
from railbed.spec.cluster import Reservation
from railbed.spec.platforms import VolcenginePlatform

CONTROLLER = "controller"
CONTROLLER_SHAPE = "ecs.g1.2xlarge"
"""Chosen here: 8 CPUs for the scheduler alone, of those in the Pulumi package's examples (0.0.47)."""
GATE_SHAPE = "ecs.g1.large"
"""It only forwards SSH."""
SYSTEM_DISK_GIB = 200
"""Chosen here: system, driver, CUDA and container layers; data are on local NVMe and on the filesystem."""
SYSTEM_DISK = "ESSD_PL0"


@dataclass(frozen=True)
class Pool:
    """A pool and the groups that it was cut into."""

    plan: PlannedPool
    groups: list[autoscaling.ScalingGroup]


@dataclass(frozen=True)
class Making:
    """What all nodes of a cluster share."""

    plan: ClusterPlan
    place: VolcenginePlatform
    stack: str
    network: Network
    fabric: pulumi.Input[str] | None
    operator_key: str
    opts: pulumi.ResourceOptions

    @property
    def boot(self) -> str:
        """The boot script of nodes and controllers, as the API takes it."""
        return base64.b64encode(boot.user_data(self.operator_key).encode()).decode()

    @property
    def gate(self) -> str:
        """That of a gate, which no role configures."""
        return base64.b64encode(boot.gate_data(self.plan, self.operator_key).encode()).decode()

    def after_network(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions.merge(
            self.opts, pulumi.ResourceOptions(depends_on=list(self.network.ready))
        )


def pool(making: Making, planned: PlannedPool) -> Pool:
    """The scaling groups of one pool: nodes and spares, of one shape, in one subnet, HPC cluster and security group."""
    sizes = capacity.group_sizes(planned.size)
    return Pool(planned, [_group(making, planned, part, size) for part, size in enumerate(sizes)])


def _group(making: Making, pool: PlannedPool, part: int, size: int) -> autoscaling.ScalingGroup:
    """One scaling group. It is filled as far as there is capacity: Pulumi does not wait, the look-up afterwards does."""
    name, before = _part(pool.name, part), _part(pool.formerly, part) if pool.formerly else None
    marks = _marks(making, pool)
    group = autoscaling.ScalingGroup(
        name,
        scaling_group_name=f"{making.plan.name}-{name}",
        subnet_ids=[making.network.nodes],
        min_instance_number=0,
        max_instance_number=size,
        desire_instance_number=size,
        instance_terminate_policy="NewestInstance",
        wait_for_capacity_timeout="0",
        tags=[autoscaling.ScalingGroupTagArgs(key=key, value=value) for key, value in marks.items()],
        opts=_named(making.after_network(), before, "scalingGroupName"),
    )
    configuration = autoscaling.ScalingConfiguration(
        name,
        scaling_group_id=group.id,
        scaling_configuration_name=f"{making.plan.name}-{name}",
        image_id=pool.image or making.place.image,
        instance_name=f"{making.plan.name}-{pool.name}",
        instance_types=[capacity.shape(pool)],
        security_group_ids=[making.network.groups[tenant_group(pool.tenant)].id],
        volumes=[
            autoscaling.ScalingConfigurationVolumeArgs(
                size=SYSTEM_DISK_GIB, volume_type=SYSTEM_DISK, delete_with_instance=True
            )
        ],
        hpc_cluster_id=making.fabric,
        spot_strategy=capacity.spot_strategy(pool),
        user_data=making.boot,
        tags=[autoscaling.ScalingConfigurationTagArgs(key=key, value=value) for key, value in marks.items()],
        opts=_named(making.opts, before, "scalingConfigurationName", "instanceName"),
    )
    active = autoscaling.ScalingConfigurationAttachment(
        name, scaling_configuration_id=configuration.id, opts=_named(making.opts, before)
    )
    autoscaling.ScalingGroupEnabler(
        name,
        scaling_group_id=group.id,
        opts=pulumi.ResourceOptions.merge(
            _named(making.opts, before), pulumi.ResourceOptions(depends_on=[active])
        ),
    )
    return group


def _part(pool: str, part: int) -> str:
    """Resource name of a pool's n-th group."""
    return f"pool-{pool}" if part == 0 else f"pool-{pool}-{part}"


def _named(opts: pulumi.ResourceOptions, before: str | None, *names: str) -> pulumi.ResourceOptions:
    """A renamed pool is the same pool: the provider's names, which must be given here, stay as they were made."""
    more = pulumi.ResourceOptions(
        ignore_changes=list(names), aliases=[pulumi.Alias(name=before)] if before else None
    )
    return pulumi.ResourceOptions.merge(opts, more)


def _marks(making: Making, pool: PlannedPool) -> dict[str, str]:
    bought = pool.capacity.id if isinstance(pool.capacity, Reservation) else ""
    return tags(making.plan, making.stack, pool=pool.name, tenant=pool.tenant, reservation=bought)


def backups(making: Making) -> list[ecs.Instance]:
    """The controllers beside the first: reached as nodes are, through the entrance."""
    shape = making.place.controller_shape or CONTROLLER_SHAPE
    return [
        _single(making, name, CONTROLLER, shape, making.boot) for name in controller_names(making.plan)[1:]
    ]


def entrance(making: Making) -> ecs.Instance:
    """The host behind the gateway's port 22: the controller where there is a scheduler, else a gate for tenants' hosts."""
    if making.plan.has_controller:
        shape = making.place.controller_shape or CONTROLLER_SHAPE
        return _single(making, controller_name(), CONTROLLER, shape, making.boot)
    return _single(making, GATE, GATE, GATE_SHAPE, making.gate)


def _single(making: Making, name: str, role: str, shape: str, boot_script: str) -> ecs.Instance:
    """A host of its own in the subnet of services."""
    plan = making.plan
    marks = tags(plan, making.stack, role=role)
    groups = [making.network.groups[GATE].id]
    return ecs.Instance(
        name,
        instance_name=f"{plan.name}-{name}",
        image_id=making.place.image,
        instance_type=shape,
        subnet_id=making.network.service,
        security_group_ids=groups,
        system_volume_size=SYSTEM_DISK_GIB,
        system_volume_type=SYSTEM_DISK,
        instance_charge_type="PostPaid",
        user_data=boot_script,
        tags=[ecs.InstanceTagArgs(key=key, value=value) for key, value in marks.items()],
        opts=pulumi.ResourceOptions.merge(
            making.after_network(), pulumi.ResourceOptions(ignore_changes=["userData", "imageId"])
        ),
    )
