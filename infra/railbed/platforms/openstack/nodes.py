"""Pools as Heat stacks that count their nodes; the controller and the bastion as servers of their own."""

from __future__ import annotations

import pulumi
from pulumi_openstack import compute, networking, orchestration

from railbed.defaults import CLOUD_POOL_TIMEOUT_S
from railbed.errors import SpecError
from railbed.plan import PlannedPool, controller_names
from railbed.platforms.openstack import capacity, fabric
from railbed.platforms.openstack.fabric import Network
from railbed.platforms.openstack.scope import Scope
from railbed.platforms.openstack.template import parts, template

APART = "soft-anti-affinity"
"""Each node on a host of its own as far as there are any: the loss of one host is the loss of one node."""


def pool(scope: Scope, network: Network, planned: PlannedPool, user_data: str) -> list[orchestration.StackV1]:
    """Declares one pool, spares included: one stack, or as many as Heat's limit makes of it."""
    place = scope.place
    former = planned.formerly
    timeouts = pulumi.CustomTimeouts(create=f"{CLOUD_POOL_TIMEOUT_S}s", update=f"{CLOUD_POOL_TIMEOUT_S}s")
    group = compute.ServerGroup(
        planned.name,
        name=f"{scope.plan.name}-{former or planned.name}",
        region=scope.region,
        policies=APART,
        # A server group cannot be renamed, and its members cannot leave it.
        opts=scope.options(former, ignore_changes=["name"]),
    )
    rails = fabric.rails(scope.plan, place)
    metadata = scope.tags(pool=planned.name, tenant=planned.tenant)
    made = []
    for index, size in enumerate(parts(planned.size)):
        text = template(
            f"{scope.plan.name}-{planned.name}-{index}-%index%", metadata, rails, capacity.hints(planned)
        )
        made.append(
            orchestration.StackV1(
                f"{planned.name}-{index}",
                name=f"{scope.plan.name}-{planned.name}-{index}",
                region=scope.region,
                template_opts={"Bin": text},
                parameters={
                    "size": str(size),
                    "image": planned.image or place.image.id,
                    "flavor": place.flavors[planned.name],
                    "zone": place.zone,
                    "network": network.network,
                    "security_group": network.groups[planned.tenant].id,
                    "server_group": group.id,
                    "user_data": user_data,
                },
                # What is there stays when one node fails: the next `up` goes on with the rest.
                disable_rollback=True,
                timeout=CLOUD_POOL_TIMEOUT_S // 60,
                tags=scope.words(pool=planned.name, tenant=planned.tenant),
                # Another image would have Heat rebuild nodes in use, and their disks with them.
                opts=scope.options(
                    f"{former}-{index}" if former else "",
                    ignore_changes=["parameters.image"],
                    custom_timeouts=timeouts,
                ),
            )
        )
    return made


def controllers(scope: Scope, network: Network, user_data: str) -> list[compute.Instance]:
    """The scheduler's hosts. Boot script and image count once: a change of them never replaces one."""
    group = network.groups[""]
    return [_server(scope, network, name, group, user_data) for name in controller_names(scope.plan)]


def bastion(scope: Scope, network: Network, user_data: str) -> tuple[compute.Instance, pulumi.Output[str]]:
    """The one host that is reached from outside, and its floating address."""
    group = network.bastion
    assert group is not None
    port = networking.Port(
        fabric.BASTION,
        name=f"{scope.plan.name}-{fabric.BASTION}",
        region=scope.region,
        network_id=network.network,
        fixed_ips=[networking.PortFixedIpArgs(subnet_id=network.subnet)],
        security_group_ids=[group.id],
        tags=scope.words(role=fabric.BASTION),
        opts=scope.options(),
    )
    server = _server(scope, network, fabric.BASTION, None, user_data, port)
    address = networking.FloatingIp(
        fabric.BASTION,
        region=scope.region,
        pool=scope.place.external_network,
        port_id=port.id,
        tags=scope.words(role=fabric.BASTION),
        opts=scope.options(depends_on=[server]),
    )
    return server, address.address


def _server(
    scope: Scope,
    network: Network,
    name: str,
    group: networking.SecGroup | None,
    user_data: str,
    port: networking.Port | None = None,
) -> compute.Instance:
    attached = (
        compute.InstanceNetworkArgs(port=port.id)
        if port is not None
        else compute.InstanceNetworkArgs(uuid=network.network)
    )
    return compute.Instance(
        name,
        name=f"{scope.plan.name}-{name}",
        region=scope.region,
        availability_zone=scope.place.zone,
        image_id=scope.place.image.id,
        flavor_name=small_flavor(scope, name),
        config_drive=True,
        networks=[attached],
        # By name, as Nova's own call has them; a port has its own.
        security_groups=[group.name] if group is not None else None,
        user_data=user_data,
        metadata=scope.tags(role="controller" if name in controller_names(scope.plan) else name),
        opts=scope.options(ignore_changes=["imageId", "userData"]),
    )


def small_flavor(scope: Scope, name: str) -> str:
    """Flavour of hosts without GPUs. Raises SpecError without one: no name of a flavour is the same everywhere."""
    if scope.place.controller_shape is None:
        raise SpecError(
            f"the host {name} needs a flavour",
            path="railbed:cluster.platform.controller_shape",
            allowed="a flavour of the cloud, e.g. one with 8 CPUs and 32 GB",
            hint="`openstack flavor list` shows them",
        )
    return scope.place.controller_shape
