"""ECS pools as scaling groups, and the one host that SSH enters by: the controller, or a small gate."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import pulumi
from pulumi_alicloud import ecs, ess

from railbed.plan import ClusterPlan, PlannedPool, controller_name, controller_names
from railbed.platforms.alicloud import capacity
from railbed.platforms.alicloud.fabric import GATE, Network, tenant_group
from railbed.platforms.alicloud.session import Session
from railbed.platforms.cloud import boot
from railbed.platforms.cloud.tags import tags
from railbed.spec.platforms import AlicloudPlatform

CONTROLLER = "controller"
CONTROLLER_SHAPE = "ecs.g7.2xlarge"
"""Chosen here: 8 CPUs for the scheduler alone, of a family in the Pulumi package's examples (4.0.0)."""
GATE_SHAPE = "ecs.g7.large"
"""It only forwards SSH."""
SYSTEM_DISK_GIB = 200
"""Chosen here: system, driver, CUDA and container layers; data are on local NVMe and on the filesystem."""
SYSTEM_DISK = "cloud_essd"
HIGH_PERFORMANCE = "HighPerformance"
"""Traffic mode that makes an interface an eRDMA interface (ERI)."""


@dataclass(frozen=True)
class Making:
    """What all nodes of a cluster share."""

    plan: ClusterPlan
    place: AlicloudPlatform
    stack: str
    network: Network
    session: Session
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


def pool(making: Making, planned: PlannedPool) -> list[ess.ScalingGroup]:
    """The scaling groups of one ECS pool: nodes and spares, of one shape, in one vSwitch and security group."""
    cards = capacity.interfaces(making.session, planned) if making.plan.fabric else 0
    sizes = capacity.group_sizes(planned.size)
    return [_group(making, planned, part, size, cards) for part, size in enumerate(sizes)]


def _group(making: Making, pool: PlannedPool, part: int, size: int, cards: int) -> ess.ScalingGroup:
    """One scaling group. It is filled as far as there is capacity: the look-up afterwards waits, Pulumi does not."""
    name, before = _part(pool.name, part), _part(pool.formerly, part) if pool.formerly else None
    marks = _marks(making, pool)
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
        opts=_named(making.after_network(), before),
    )
    security = making.network.groups[tenant_group(pool.tenant)].id
    private = capacity.private_pool(pool)
    ess.ScalingConfiguration(
        name,
        scaling_group_id=group.id,
        active=True,
        enable=True,
        force_delete=True,
        image_id=pool.image or making.place.image,
        instance_type=capacity.shape(pool),
        instance_name=f"{making.plan.name}-{pool.name}",
        # With interfaces given, their security groups are given there.
        security_group_ids=None if cards else [security],
        network_interfaces=_cards(cards, security) or None,
        internet_max_bandwidth_out=0,
        system_disk_category=SYSTEM_DISK,
        system_disk_size=SYSTEM_DISK_GIB,
        system_disk_encrypted=True,
        spot_strategy=capacity.spot_strategy(pool),
        resource_pool_options_strategy="PrivatePoolOnly" if private else None,
        resource_pool_options_private_pool_ids=[private] if private else None,
        user_data=making.boot,
        tags=marks,
        opts=_named(making.opts, before, "instanceName"),
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
    return tags(making.plan, making.stack, pool=pool.name, tenant=pool.tenant)


def backups(making: Making) -> list[ecs.Instance]:
    """The controllers beside the first: reached as nodes are, through the entrance."""
    shape = making.place.controller_shape or CONTROLLER_SHAPE
    return [
        _single(making, name, CONTROLLER, shape, making.boot) for name in controller_names(making.plan)[1:]
    ]


def entrance(making: Making) -> ecs.Instance:
    """The host behind the gateway's port 22: the controller where there is a scheduler, else a gate."""
    if making.plan.has_controller:
        shape = making.place.controller_shape or CONTROLLER_SHAPE
        return _single(making, controller_name(), CONTROLLER, shape, making.boot)
    return _single(making, GATE, GATE, GATE_SHAPE, making.gate)


def _single(making: Making, name: str, role: str, shape: str, boot_script: str) -> ecs.Instance:
    """A host of its own in the vSwitch of services."""
    plan, place = making.plan, making.place
    return ecs.Instance(
        name,
        instance_name=f"{plan.name}-{name}",
        image_id=place.image,
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
        tags=tags(plan, making.stack, role=role),
        opts=pulumi.ResourceOptions.merge(
            making.after_network(), pulumi.ResourceOptions(ignore_changes=["userData", "imageId"])
        ),
    )
