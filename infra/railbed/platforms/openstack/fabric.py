"""Network of a cluster: a private network with a way out, security groups, and the rails that the cloud's owners laid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_openstack import networking

from railbed.errors import SpecError, Unsupported
from railbed.plan import ClusterPlan
from railbed.platforms.openstack.scope import Scope
from railbed.spec.platforms import OpenstackPlatform

SSH_PORT = 22
BASTION = "bastion"
BASTION_POOL = "the bastion"
"""Its place among the pools that are looked up: no pool can have such a name."""


@dataclass(frozen=True)
class Network:
    """What nodes are attached to."""

    network: pulumi.Input[str]
    subnet: pulumi.Input[str]
    groups: Mapping[str, networking.SecGroup]
    """Tenant → security group; one with the empty name where the cluster is one tenant's."""
    bastion: networking.SecGroup | None
    """Security group of the bastion; None where nobody logs in from outside."""


def has_bastion(plan: ClusterPlan, place: OpenstackPlatform) -> bool:
    """True where somebody may log in from outside, and there is a network to come in by."""
    return bool(plan.ssh_from) and place.external_network is not None


def rails(plan: ClusterPlan, place: OpenstackPlatform) -> list[dict[str, Any]]:
    """Networks of the rail ports of one node, in Heat's form: rail by rail, each NIC a port.

    Empty where the flavour has its rails itself. Raises SpecError where the networks are not one for each rail.
    """
    fabric = plan.fabric
    if fabric is None or not place.rail_networks:
        return []
    if len(place.rail_networks) != fabric.rails:
        raise SpecError(
            f"the fabric has {fabric.rails} rails and {len(place.rail_networks)} rail networks",
            path="railbed:cluster.platform.rail_networks",
            found=len(place.rail_networks),
            allowed=fabric.rails,
            hint="name one network for each rail, or none where the flavour is bare metal and has them",
            code="SPEC_SUM",
        )
    kind = "baremetal" if plan.service == "metal" else "direct"
    return [
        {"network": network, "port_extra_properties": {"binding:vnic_type": kind}}
        for network in place.rail_networks
        for _ in range(fabric.nics_per_rail)
    ]


def network(scope: Scope) -> Network:
    """Declares the network, or takes the spec's own. Raises Unsupported for a network without a subnet."""
    place = scope.place
    if (place.network is None) != (place.subnet is None):
        raise Unsupported(
            "platform openstack",
            "a network without its subnet, or a subnet without its network",
            "give both platform.network and platform.subnet, or neither",
            path="railbed:cluster.platform.network",
        )
    if place.network is not None and place.subnet is not None:
        net = scope.guarded(str(place.network))
        subnet = scope.guarded(str(place.subnet))
    else:
        net, subnet = _own(scope)
    bastion = _bastion(scope) if has_bastion(scope.plan, place) else None
    groups = {tenant: _group(scope, tenant, bastion) for tenant in scope.tenants}
    return Network(net, subnet, groups, bastion)


def _own(scope: Scope) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
    """A network of the project; its router translates addresses on the way out, where there is a way out."""
    net = networking.Network(
        "network",
        name=scope.plan.name,
        region=scope.region,
        tags=scope.words(),
        opts=scope.options(),
    )
    subnet = networking.Subnet(
        "nodes",
        name=scope.plan.name,
        region=scope.region,
        network_id=net.id,
        cidr=scope.place.network_cidr,
        ip_version=4,
        tags=scope.words(),
        opts=scope.options(),
    )
    if scope.place.external_network:
        router = networking.Router(
            "router",
            name=scope.plan.name,
            region=scope.region,
            external_network_id=scope.place.external_network,
            tags=scope.words(),
            opts=scope.options(),
        )
        networking.RouterInterface(
            "router", region=scope.region, router_id=router.id, subnet_id=subnet.id, opts=scope.options()
        )
    return net.id, subnet.id


def _bastion(scope: Scope) -> networking.SecGroup:
    """SSH from the spec's networks, and from nowhere else."""
    group = _security_group(scope, BASTION, "")
    for index, source in enumerate(scope.plan.ssh_from):
        version = "IPv6" if ":" in source else "IPv4"
        _rule(scope, f"{BASTION}-{index}", group, remote_ip_prefix=source, ethertype=version, port=SSH_PORT)
    _rule(scope, f"{BASTION}-out", group, direction="egress")
    return group


def _group(scope: Scope, tenant: str, bastion: networking.SecGroup | None) -> networking.SecGroup:
    """Members reach each other on every port; nobody else reaches them but the bastion, on SSH."""
    name = f"tenant-{tenant}" if tenant else "cluster"
    group = _security_group(scope, name, tenant)
    _rule(scope, f"{name}-inside", group, remote_group_id=group.id)
    _rule(scope, f"{name}-out", group, direction="egress")
    if bastion is not None:
        _rule(scope, f"{name}-ssh", group, remote_group_id=bastion.id, port=SSH_PORT)
    return group


def _security_group(scope: Scope, name: str, tenant: str) -> networking.SecGroup:
    return networking.SecGroup(
        name,
        name=f"{scope.plan.name}-{name}",
        region=scope.region,
        # A group begins with rules that let everything out, in both versions of IP; ours are all there are.
        delete_default_rules=True,
        tags=scope.words(tenant=tenant),
        opts=scope.options(),
    )


def _rule(
    scope: Scope,
    name: str,
    group: networking.SecGroup,
    port: int | None = None,
    *,
    direction: str = "ingress",
    ethertype: str = "IPv4",
    **remote: pulumi.Input[str],
) -> None:
    networking.SecGroupRule(
        name,
        region=scope.region,
        security_group_id=group.id,
        direction=direction,
        ethertype=ethertype,
        protocol="tcp" if port is not None else None,
        port_range_min=port,
        port_range_max=port,
        opts=scope.options(),
        **remote,
    )
