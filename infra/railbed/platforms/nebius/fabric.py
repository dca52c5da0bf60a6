"""Network of a cluster: a private network, security groups, and the GPU cluster that is the InfiniBand fabric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_nebius as nebius

from railbed.errors import Unsupported
from railbed.platforms.nebius.scope import Scope

SSH_PORT = 22
BASTION = "bastion"
CIDRS_PER_RULE = 8
"""VpcV1SecurityRule: at most eight networks in a rule."""


@dataclass(frozen=True)
class Network:
    """What nodes are attached to."""

    subnet: pulumi.Input[str]
    groups: Mapping[str, nebius.VpcV1SecurityGroup]
    """Tenant → security group; one with the empty name where the cluster is one tenant's."""
    bastion: nebius.VpcV1SecurityGroup | None
    """Security group of the bastion; None where the spec opens SSH to no network."""
    gpu_cluster: nebius.ComputeV1GpuCluster | None
    """None for hosts without a fabric."""


def network(scope: Scope) -> Network:
    """Declares the network, or takes the spec's own. Raises Unsupported for a network without a subnet."""
    place = scope.place
    if (place.network is None) != (place.subnet is None):
        raise Unsupported(
            "platform nebius",
            "a network without its subnet, or a subnet without its network",
            "give both platform.network and platform.subnet, or neither",
            path="railbed:cluster.platform.network",
        )
    if place.network is not None and place.subnet is not None:
        net = scope.guarded(str(place.network))
        subnet = scope.guarded(str(place.subnet))
    else:
        net, subnet = _own(scope)
    bastion = _bastion(scope, net) if scope.plan.ssh_from else None
    groups = {tenant: _group(scope, net, tenant, bastion) for tenant in scope.tenants}
    return Network(subnet, groups, bastion, _gpu_cluster(scope) if scope.plan.fabric else None)


def _own(scope: Scope) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
    base = {"parent_id": scope.account, "labels": scope.tags()}
    pool = nebius.VpcV1Pool(
        "addresses",
        name=f"{scope.plan.name}-addresses",
        version="IPV4",
        visibility="PRIVATE",
        cidrs=[nebius.VpcV1PoolCidrArgs(cidr=scope.place.network_cidr)],
        opts=scope.options(),
        **base,
    )
    net = nebius.VpcV1Network(
        "network",
        name=scope.plan.name,
        ipv4_private_pools=nebius.VpcV1NetworkIpv4PrivatePoolsArgs(
            pools=[nebius.VpcV1NetworkIpv4PrivatePoolsPoolArgs(id=pool.id)]
        ),
        opts=scope.options(),
        **base,
    )
    subnet = nebius.VpcV1Subnet(
        "nodes",
        name=f"{scope.plan.name}-nodes",
        network_id=net.id,
        ipv4_private_pools=nebius.VpcV1SubnetIpv4PrivatePoolsArgs(use_network_pools=True),
        opts=scope.options(),
        **base,
    )
    return net.id, subnet.id


def _gpu_cluster(scope: Scope) -> nebius.ComputeV1GpuCluster:
    """All pools are in one: the fabric belongs to the region and the platform of the GPUs."""
    return nebius.ComputeV1GpuCluster(
        "fabric",
        name=scope.plan.name,
        parent_id=scope.account,
        infiniband_fabric=scope.place.infiniband_fabric,
        labels=scope.tags(),
        opts=scope.options(),
    )


def _bastion(scope: Scope, net: pulumi.Input[str]) -> nebius.VpcV1SecurityGroup:
    """SSH from the spec's networks, and from nowhere else."""
    group = _security_group(scope, net, BASTION, "")
    for first in range(0, len(scope.plan.ssh_from), CIDRS_PER_RULE):
        sources = scope.plan.ssh_from[first : first + CIDRS_PER_RULE]
        _ingress(scope, f"{BASTION}-{first}", group, SSH_PORT, source_cidrs=sources)
    _egress(scope, f"{BASTION}-out", group)
    return group


def _group(
    scope: Scope, net: pulumi.Input[str], tenant: str, bastion: nebius.VpcV1SecurityGroup | None
) -> nebius.VpcV1SecurityGroup:
    """Members reach each other on every port; nobody else reaches them but the bastion, on SSH."""
    name = f"tenant-{tenant}" if tenant else "cluster"
    group = _security_group(scope, net, name, tenant)
    _ingress(scope, f"{name}-inside", group, source_security_group_id=group.id)
    _egress(scope, f"{name}-out", group)
    if bastion is not None:
        _ingress(scope, f"{name}-ssh", group, SSH_PORT, source_security_group_id=bastion.id)
    return group


def _security_group(
    scope: Scope, net: pulumi.Input[str], name: str, tenant: str
) -> nebius.VpcV1SecurityGroup:
    return nebius.VpcV1SecurityGroup(
        name,
        name=f"{scope.plan.name}-{name}",
        parent_id=scope.account,
        network_id=net,
        labels=scope.tags(tenant=tenant),
        opts=scope.options(),
    )


def _ingress(
    scope: Scope,
    name: str,
    group: nebius.VpcV1SecurityGroup,
    port: int | None = None,
    *,
    source_cidrs: Sequence[str] | None = None,
    source_security_group_id: pulumi.Input[str] | None = None,
) -> None:
    ingress = nebius.VpcV1SecurityRuleIngressArgs(
        source_cidrs=source_cidrs,
        source_security_group_id=source_security_group_id,
        destination_ports=[port] if port is not None else None,
    )
    _rule(scope, name, group, "ANY" if port is None else "TCP", ingress=ingress)


def _egress(scope: Scope, name: str, group: nebius.VpcV1SecurityGroup) -> None:
    everywhere = nebius.VpcV1SecurityRuleEgressArgs(destination_cidrs=["0.0.0.0/0"])
    _rule(scope, name, group, "ANY", egress=everywhere)


def _rule(scope: Scope, name: str, group: nebius.VpcV1SecurityGroup, protocol: str, **direction: Any) -> None:
    """A rule is a child of its group in Nebius's own order of things."""
    nebius.VpcV1SecurityRule(
        name,
        name=f"{scope.plan.name}-{name}",
        parent_id=group.id,
        access="ALLOW",
        protocol=protocol,
        type="STATEFUL",
        labels=scope.tags(),
        opts=scope.options(),
        **direction,
    )
