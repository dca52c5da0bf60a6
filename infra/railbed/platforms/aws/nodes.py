"""Pools and the controller: a launch template and an Auto Scaling group each, however many nodes.

The group only ever launches what is missing. It never ends an instance by itself: all are protected from scale-in, and
the processes that replace, rebalance or refresh are suspended, so that no job is ever killed by it. Nodes that leave the
plan are ended one by one before (`scale_in`), and for members that EC2 has ended the group launches others on request (`renew`).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

import pulumi
from pulumi_aws import autoscaling, ec2

from railbed.plan import PlannedPool
from railbed.platforms.aws import capacity
from railbed.platforms.aws.fabric import Network
from railbed.platforms.aws.facts import facts
from railbed.platforms.aws.layout import PRIMARY, Interface, interfaces
from railbed.platforms.aws.scope import Scope
from railbed.platforms.cloud.cluster import CONTROLLER_POOL

SUSPENDED = ["ReplaceUnhealthy", "AZRebalance", "InstanceRefresh", "AlarmNotification", "ScheduledActions"]
"""Everything by which a group would end instances of its own will."""


@dataclass(frozen=True)
class Boot:
    """What every node is started with."""

    image: str
    root_device: pulumi.Input[str]
    user_data: str
    profile: pulumi.Input[str]
    """Name of the instance profile."""


def pool(
    scope: Scope, made: Network, boot: Boot, planned: PlannedPool, placement: pulumi.Input[str] | None
) -> autoscaling.Group:
    """The group of one pool: compute nodes and spares."""
    with_rails = scope.plan.fabric is not None
    bought = capacity.bought(planned)
    template = _template(
        scope, made, boot, planned.name, planned.tenant, planned.formerly,
        shape=planned.machine.shape,
        layout=interfaces(planned.machine, with_rails),
        instance_market_options=bought.market,
        capacity_reservation_specification=bought.reservation,
        placement=None if placement is None else ec2.LaunchTemplatePlacementArgs(group_name=placement),
    )  # fmt: skip
    return _group(scope, made, planned.name, planned.tenant, planned.formerly, planned.size, template)


def controllers(scope: Scope, made: Network, boot: Boot) -> list[autoscaling.Group]:
    """A group of one for each controller: which of a pair leaves is never Amazon's choice."""
    return [_controller(scope, made, boot, index) for index in range(scope.plan.controllers)]


def _controller(scope: Scope, made: Network, boot: Boot, index: int) -> autoscaling.Group:
    architecture = scope.plan.pools[0].machine.cpu_architecture
    shape = scope.place.controller_shape or facts().controller_shapes[architecture]
    name = f"{CONTROLLER_POOL}-{index}" if index else CONTROLLER_POOL
    template = _template(scope, made, boot, name, "", "", shape=shape, layout=[PRIMARY], front=True)
    return _group(scope, made, name, "", "", 1, template)


def _template(
    scope: Scope, made: Network, boot: Boot, name: str, tenant: str, formerly: str,
    shape: str, layout: list[Interface], front: bool = False, **more: object,
) -> ec2.LaunchTemplate:  # fmt: skip
    labels = scope.named(name, pool=name, tenant=tenant)
    disk = ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
        volume_size=facts().root_gib, volume_type="gp3", encrypted="true", delete_on_termination="true"
    )
    return ec2.LaunchTemplate(
        f"pool-{name}",
        image_id=boot.image,
        instance_type=shape,
        user_data=base64.b64encode(boot.user_data.encode()).decode(),
        iam_instance_profile=ec2.LaunchTemplateIamInstanceProfileArgs(name=boot.profile),
        network_interfaces=[_interface(scope, made, tenant, one, front=front) for one in layout],
        block_device_mappings=[
            ec2.LaunchTemplateBlockDeviceMappingArgs(device_name=boot.root_device, ebs=disk)
        ],
        metadata_options=ec2.LaunchTemplateMetadataOptionsArgs(
            http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
        ),
        update_default_version=True,
        tag_specifications=[
            ec2.LaunchTemplateTagSpecificationArgs(resource_type=kind, tags=labels)
            for kind in ("instance", "volume", "network-interface")
        ],
        tags=labels,
        opts=scope.options(f"pool-{formerly}" if formerly else ""),
        **more,
    )


def _interface(
    scope: Scope, made: Network, tenant: str, one: Interface, *, front: bool
) -> ec2.LaunchTemplateNetworkInterfaceArgs:
    groups = [made.rdma[tenant].id] if one.efa else [made.members[tenant].id]
    # SSH comes to the controllers; GPU hosts by themselves have none, so it comes to them.
    if tenant in made.access and (front or not scope.plan.has_controller) and not one.efa:
        groups.append(made.access[tenant].id)
    return ec2.LaunchTemplateNetworkInterfaceArgs(
        network_card_index=one.card,
        device_index=one.device,
        interface_type="efa-only" if one.efa else "interface",
        subnet_id=made.subnet_id,
        security_groups=groups,
        delete_on_termination="true",
        # With several interfaces a subnet that gives public addresses makes the launch fail unless this is said.
        associate_public_ip_address=None if one.efa else "false",
    )


def _group(
    scope: Scope,
    made: Network,
    name: str,
    tenant: str,
    formerly: str,
    size: int,
    template: ec2.LaunchTemplate,
) -> autoscaling.Group:
    labels = scope.named(name, pool=name, tenant=tenant)
    options = pulumi.ResourceOptions(depends_on=made.way_out)
    return autoscaling.Group(
        f"pool-{name}",
        min_size=0,
        max_size=size,
        desired_capacity=size,
        launch_template=autoscaling.GroupLaunchTemplateArgs(id=template.id, version="$Latest"),
        vpc_zone_identifiers=[made.subnet_id],
        health_check_type="EC2",
        protect_from_scale_in=True,
        suspended_processes=SUSPENDED,
        # A zone that has no more instances must not fail the program: what is there is kept, `up` goes on later.
        wait_for_capacity_timeout="0",
        ignore_failed_scaling_activities=True,
        # Destroy would wait for ever on instances that are protected from scale-in.
        force_delete=True,
        tags=[autoscaling.GroupTagArgs(key=k, value=v, propagate_at_launch=False) for k, v in labels.items()],
        opts=pulumi.ResourceOptions.merge(scope.options(f"pool-{formerly}" if formerly else ""), options),
    )
