"""Network of a cluster: a VPC with one private subnet in the zone, and security groups. Nothing has a public address but
the NAT gateway."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field

import pulumi
from pulumi_aws import ec2, vpc

from railbed.errors import SpecError
from railbed.platforms.aws.facts import facts
from railbed.platforms.aws.scope import Scope
from railbed.platforms.cloud.addressing import Subnets, subnets

ANYWHERE = "0.0.0.0/0"
SSH_PORT = 22


@dataclass(frozen=True)
class Network:
    """What nodes and filesystems are put into."""

    vpc_id: pulumi.Input[str]
    subnet_id: pulumi.Input[str]
    members: dict[str, ec2.SecurityGroup]
    """Tenant → the group of its primary interfaces."""
    rdma: dict[str, ec2.SecurityGroup]
    """Tenant → the group of its EFA interfaces; empty without a fabric."""
    access: dict[str, ec2.SecurityGroup]
    """Tenant → the group that lets SSH in from ``ssh_from``; empty where nobody asked for it."""
    way_out: list[pulumi.Resource] = field(default_factory=list)
    """What must be there before a node can reach package servers and Session Manager."""


def network(scope: Scope) -> Network:
    """Declares it, or takes the VPC and the subnet that the spec names."""
    place = scope.place
    way_out: list[pulumi.Resource] = []
    vpc_id: pulumi.Input[str]
    subnet_id: pulumi.Input[str]
    if place.network is None:
        vpc_id, subnet_id, way_out = _own(scope)
    elif place.subnet is None:
        raise SpecError(
            "an existing network needs an existing subnet in it",
            path="railbed:cluster.platform.subnet",
            found=None,
            allowed=f"a subnet of {place.network} in {place.zone} that reaches the internet through NAT",
            hint="name it, or leave `network` out",
        )
    else:
        vpc_id, subnet_id = place.network, place.subnet
    members = {tenant: _members(scope, vpc_id, tenant) for tenant in scope.tenants}
    with_rails = scope.plan.fabric is not None
    rdma = {tenant: _rdma(scope, vpc_id, tenant) for tenant in scope.tenants} if with_rails else {}
    access = {tenant: _access(scope, vpc_id, tenant) for tenant in scope.tenants if scope.plan.ssh_from}
    return Network(vpc_id, subnet_id, members, rdma, access, way_out)


def _own(scope: Scope) -> tuple[pulumi.Output[str], pulumi.Output[str], list[pulumi.Resource]]:
    cut = _cut(scope)
    own = ec2.Vpc(
        "vpc", cidr_block=scope.place.network_cidr, enable_dns_support=True, enable_dns_hostnames=True,
        tags=scope.named("vpc"), opts=scope.options(),
    )  # fmt: skip
    zone = scope.place.zone
    private = ec2.Subnet(
        "nodes", vpc_id=own.id, cidr_block=cut.nodes, availability_zone=zone, map_public_ip_on_launch=False,
        tags=scope.named("nodes"), opts=scope.options(),
    )  # fmt: skip
    public = ec2.Subnet(
        "gateways", vpc_id=own.id, cidr_block=cut.service, availability_zone=zone, map_public_ip_on_launch=False,
        tags=scope.named("gateways"), opts=scope.options(),
    )  # fmt: skip
    internet = ec2.InternetGateway(
        "internet", vpc_id=own.id, tags=scope.named("internet"), opts=scope.options()
    )
    outside = _routes(
        scope, "gateways", own, public, ec2.RouteTableRouteArgs(cidr_block=ANYWHERE, gateway_id=internet.id)
    )
    address = ec2.Eip("nat", domain="vpc", tags=scope.named("nat"), opts=scope.options())
    nat = ec2.NatGateway(
        "nat", subnet_id=public.id, allocation_id=address.id, tags=scope.named("nat"),
        opts=scope.options(depends_on=[outside[1]]),
    )  # fmt: skip
    table, joined = _routes(
        scope, "nodes", own, private, ec2.RouteTableRouteArgs(cidr_block=ANYWHERE, nat_gateway_id=nat.id)
    )
    # Objects of S3 need not pass (and be paid for at) the NAT gateway.
    ec2.VpcEndpoint(
        "s3", vpc_id=own.id, service_name=f"com.amazonaws.{scope.place.region}.s3", vpc_endpoint_type="Gateway",
        route_table_ids=[table.id], tags=scope.named("s3"), opts=scope.options(),
    )  # fmt: skip
    return own.id, private.id, [joined]


def _routes(
    scope: Scope, name: str, own: ec2.Vpc, subnet: ec2.Subnet, route: ec2.RouteTableRouteArgs
) -> tuple[ec2.RouteTable, ec2.RouteTableAssociation]:
    table = ec2.RouteTable(name, vpc_id=own.id, routes=[route], tags=scope.named(name), opts=scope.options())
    joined = ec2.RouteTableAssociation(
        name, subnet_id=subnet.id, route_table_id=table.id, opts=scope.options()
    )
    return table, joined


def _cut(scope: Scope) -> Subnets:
    """The nodes' subnet and the NAT gateway's. EFA-only interfaces take no address: a node needs one.

    Raises SpecError for a size that no VPC has, or that is too small.
    """
    shortest, longest = facts().vpc_prefix
    cidr = scope.place.network_cidr
    if not shortest <= ipaddress.IPv4Network(cidr).prefixlen < longest:
        raise SpecError(
            "that is no network for a VPC",
            path="railbed:cluster.platform.network_cidr",
            found=cidr,
            allowed=f"a /{shortest} to /{longest - 1}",
            hint="write another prefix length, like 10.64.0.0/16",
        )
    return subnets(scope.plan, scope.place)


def _members(scope: Scope, vpc_id: pulumi.Input[str], tenant: str) -> ec2.SecurityGroup:
    """Nodes of one tenant reach each other and, through NAT, the world; nobody else reaches them."""
    name = f"members-{tenant}" if tenant else "members"
    group = _group(scope, vpc_id, name, "primary interfaces of nodes", tenant)
    vpc.SecurityGroupIngressRule(
        f"{name}-in", security_group_id=group.id, referenced_security_group_id=group.id, ip_protocol="-1",
        description="from each other", tags=scope.named(f"{name}-in", tenant=tenant), opts=scope.options(),
    )  # fmt: skip
    vpc.SecurityGroupEgressRule(
        f"{name}-out", security_group_id=group.id, cidr_ipv4=ANYWHERE, ip_protocol="-1",
        description="packages and Session Manager, through NAT", tags=scope.named(f"{name}-out", tenant=tenant),
        opts=scope.options(),
    )  # fmt: skip
    return group


def _rdma(scope: Scope, vpc_id: pulumi.Input[str], tenant: str) -> ec2.SecurityGroup:
    """EFA asks for both directions by the group itself: a rule by CIDR does not count, not even 0.0.0.0/0."""
    name = f"efa-{tenant}" if tenant else "efa"
    group = _group(scope, vpc_id, name, "EFA interfaces: all traffic within the group, none else", tenant)
    for side, rule in (("in", vpc.SecurityGroupIngressRule), ("out", vpc.SecurityGroupEgressRule)):
        rule(
            f"{name}-{side}", security_group_id=group.id, referenced_security_group_id=group.id, ip_protocol="-1",
            description="RDMA within the group", tags=scope.named(f"{name}-{side}", tenant=tenant), opts=scope.options(),
        )  # fmt: skip
    return group


def _access(scope: Scope, vpc_id: pulumi.Input[str], tenant: str) -> ec2.SecurityGroup:
    """SSH to private addresses, for networks that are joined to the VPC; Session Manager needs no rule."""
    group_name = f"access-{tenant}" if tenant else "access"
    group = _group(scope, vpc_id, group_name, "SSH from the networks that the spec names", tenant)
    for cidr in scope.plan.ssh_from:
        name = f"{group_name}-{re.sub('[^0-9a-f]', '-', cidr)}"
        four = ipaddress.ip_network(cidr).version == 4
        vpc.SecurityGroupIngressRule(
            name, security_group_id=group.id, ip_protocol="tcp", from_port=SSH_PORT, to_port=SSH_PORT,
            cidr_ipv4=cidr if four else None, cidr_ipv6=None if four else cidr, description="SSH",
            tags=scope.named(name, tenant=tenant), opts=scope.options(),
        )  # fmt: skip
    return group


def _group(scope: Scope, vpc_id: pulumi.Input[str], name: str, what: str, tenant: str) -> ec2.SecurityGroup:
    return ec2.SecurityGroup(
        name, vpc_id=vpc_id, description=f"{scope.plan.name}: {what}", tags=scope.named(name, tenant=tenant),
        revoke_rules_on_delete=True, opts=scope.options(),
    )  # fmt: skip


def storage(scope: Scope, made: Network) -> ec2.SecurityGroup:
    """Lustre's ports between filesystem servers and nodes, both ways, and among the servers."""
    group = _group(scope, made.vpc_id, "storage", "Lustre servers", "")
    of_nodes = {f"tenant-{name}" if name else "nodes": own for name, own in made.members.items()}
    peers = {"servers": group, **of_nodes}
    for peer, other in peers.items():
        for low, high in facts().lustre_ports:
            for side, rule in (("in", vpc.SecurityGroupIngressRule), ("out", vpc.SecurityGroupEgressRule)):
                name = f"storage-{peer}-{side}-{low}"
                rule(
                    name, security_group_id=group.id, referenced_security_group_id=other.id, ip_protocol="tcp",
                    from_port=low, to_port=high, description="Lustre", tags=scope.named(name), opts=scope.options(),
                )  # fmt: skip
    for peer, members in of_nodes.items():
        for low, high in facts().lustre_ports:
            name = f"storage-callback-{peer}-{low}"
            # Servers call clients back (locks): from 1018 to 1023 to 988.
            vpc.SecurityGroupIngressRule(
                name, security_group_id=members.id, referenced_security_group_id=group.id, ip_protocol="tcp",
                from_port=low, to_port=high, description="Lustre callbacks", tags=scope.named(name),
                opts=scope.options(),
            )  # fmt: skip
    return group
