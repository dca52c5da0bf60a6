"""Network of a cluster: a private subnet, one security group for each tenant, and the Bastion service for logins.

The RDMA network needs none of it: a cluster network's RDMA ports are on a fabric of their own, which the agent's
plugins authenticate and address (oracle-quickstart/oci-hpc, cluster-network-configuration).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_oci import bastion, core

from railbed.errors import RailbedError, Unsupported
from railbed.platforms.oci.scope import Scope

ANYWHERE = "0.0.0.0/0"
TCP = "6"
SSH_PORT = 22
LUSTRE_PORT = 988
"""docs.oracle.com/iaas/Content/lustre/security-rules.htm: from ports 512 to 1023 to this one, both ways."""
BASTION_SESSION_S = 10_800
"""Chosen here: the three hours that guides call the most (cloudtoolstack.com, OCI Bastion). Oracle's SDK names no limit."""
BASTION_NAME = 255
"""Chosen here: a length and letters and digits that are sure to be taken. Oracle's SDK names no limit."""


@dataclass(frozen=True)
class Network:
    """What nodes and filesystems are attached to."""

    vcn: pulumi.Input[str]
    subnet: pulumi.Input[str]
    groups: Mapping[str, core.NetworkSecurityGroup]
    """Tenant → security group; one with the empty name where the cluster is one tenant's."""
    login: core.NetworkSecurityGroup | None
    """Opens SSH to the bastion, for the controller alone; None where there is no controller, or no bastion."""
    lustre: core.NetworkSecurityGroup | None
    bastion: bastion.Bastion | None
    """None where the spec opens SSH to no network."""


def network(scope: Scope) -> Network:
    """Declares the network, or uses the spec's own subnet. Raises Unsupported for a network without a subnet."""
    vcn, subnet = _existing(scope) if scope.place.subnet else _own(scope)
    door = _bastion(scope, subnet) if scope.plan.ssh_from else None
    groups = {tenant: _group(scope, vcn, tenant) for tenant in scope.tenants}
    login = None
    if door is not None and scope.plan.has_controller:
        login = _security_group(scope, vcn, "login", "")
        _ssh(scope, "login", login, door)
    elif door is not None:
        for tenant, group in groups.items():
            _ssh(scope, _name(tenant), group, door)
    made = any(not one.existing for one in scope.plan.filesystems)
    return Network(vcn, subnet, groups, login, _lustre(scope, vcn, groups) if made else None, door)


def _own(scope: Scope) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
    """A network whose only way out is address translation; its default security list, open to SSH, is not used."""
    if scope.place.network:
        raise Unsupported(
            "platform oci",
            "making a subnet in an existing network",
            "name one of its subnets in platform.subnet: private, with a route to a NAT gateway",
            path="railbed:cluster.platform.network",
        )
    base = {
        "compartment_id": scope.account,
        "freeform_tags": scope.tags(),
        "display_name": scope.plan.name,
    }
    vcn = core.Vcn("network", cidr_blocks=[scope.place.network_cidr], opts=scope.options(), **base)
    inside = {**base, "vcn_id": vcn.id}
    gateway = core.NatGateway("nat", opts=scope.options(), **inside)
    routes = core.RouteTable(
        "routes",
        route_rules=[
            core.RouteTableRouteRuleArgs(
                network_entity_id=gateway.id, destination=ANYWHERE, destination_type="CIDR_BLOCK"
            )
        ],
        opts=scope.options(),
        **inside,
    )
    closed = core.SecurityList(
        "closed",
        egress_security_rules=[core.SecurityListEgressSecurityRuleArgs(destination=ANYWHERE, protocol="all")],
        ingress_security_rules=[],
        opts=scope.options(),
        **inside,
    )
    subnet = core.Subnet(
        "nodes",
        cidr_block=scope.place.network_cidr,
        prohibit_public_ip_on_vnic=True,
        prohibit_internet_ingress=True,
        route_table_id=routes.id,
        security_list_ids=[closed.id],
        opts=scope.options(),
        **inside,
    )
    return vcn.id, subnet.id


def _existing(scope: Scope) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
    found = core.get_subnet_output(subnet_id=scope.place.subnet, opts=scope.asking())
    vcn = pulumi.Output.all(found.vcn_id, found.prohibit_public_ip_on_vnic).apply(
        lambda it: _private(scope, str(it[0]), bool(it[1]))
    )
    return vcn, vcn.apply(lambda _: str(scope.place.subnet))


def _private(scope: Scope, vcn: str, private: bool) -> str:
    """The subnet's network, where it is the spec's and gives no public addresses."""
    if scope.place.network not in (None, vcn) or not private:
        raise RailbedError(
            "the subnet is in another network, or would give nodes public addresses",
            path="railbed:cluster.platform.subnet",
            found=f"in {vcn}, {'private' if private else 'public'}",
            allowed=f"in {scope.place.network or vcn}, private",
            hint="name a private subnet of that network",
            code="NETWORK",
        )
    return vcn


def _bastion(scope: Scope, subnet: pulumi.Input[str]) -> bastion.Bastion:
    return bastion.Bastion(
        "bastion",
        bastion_type="STANDARD",
        compartment_id=scope.account,
        target_subnet_id=subnet,
        client_cidr_block_allow_lists=list(scope.plan.ssh_from),
        max_session_ttl_in_seconds=BASTION_SESSION_S,
        name="".join(c for c in f"railbed{scope.plan.name}" if c.isalnum())[:BASTION_NAME],
        freeform_tags=scope.tags(),
        opts=scope.options(),
    )


def _name(tenant: str) -> str:
    return f"tenant-{tenant}" if tenant else "cluster"


def _group(scope: Scope, vcn: pulumi.Input[str], tenant: str) -> core.NetworkSecurityGroup:
    """Members reach each other on every port, and nobody else reaches them."""
    name = _name(tenant)
    group = _security_group(scope, vcn, name, tenant)
    _rule(scope, f"{name}-inside", group, source=group.id, source_type="NETWORK_SECURITY_GROUP")
    _rule(scope, f"{name}-inside-out", group, destination=group.id, destination_type="NETWORK_SECURITY_GROUP")
    _rule(scope, f"{name}-out", group, destination=ANYWHERE, destination_type="CIDR_BLOCK")
    return group


def _ssh(scope: Scope, name: str, group: core.NetworkSecurityGroup, door: bastion.Bastion) -> None:
    """SSH from the bastion's one address in the subnet."""
    address = door.private_endpoint_ip_address.apply(lambda ip: f"{ip}/32")
    _rule(scope, f"{name}-ssh", group, source=address, source_type="CIDR_BLOCK", port=SSH_PORT)


def _lustre(
    scope: Scope, vcn: pulumi.Input[str], groups: Mapping[str, core.NetworkSecurityGroup]
) -> core.NetworkSecurityGroup:
    """Servers and clients open connections to each other, on one port."""
    servers = _security_group(scope, vcn, "lustre", "")
    kind = "NETWORK_SECURITY_GROUP"
    _rule(scope, "lustre-inside", servers, source=servers.id, source_type=kind, port=LUSTRE_PORT)
    _rule(scope, "lustre-out", servers, destination=ANYWHERE, destination_type="CIDR_BLOCK")
    for tenant, clients in groups.items():
        name = f"lustre-{tenant}" if tenant else "lustre-cluster"
        _rule(scope, f"{name}-servers", servers, source=clients.id, source_type=kind, port=LUSTRE_PORT)
        _rule(scope, f"{name}-clients", clients, source=servers.id, source_type=kind, port=LUSTRE_PORT)
    return servers


def _security_group(
    scope: Scope, vcn: pulumi.Input[str], name: str, tenant: str
) -> core.NetworkSecurityGroup:
    return core.NetworkSecurityGroup(
        name,
        compartment_id=scope.account,
        vcn_id=vcn,
        display_name=f"{scope.plan.name}-{name}",
        freeform_tags=scope.tags(tenant=tenant),
        opts=scope.options(),
    )


def _rule(
    scope: Scope,
    name: str,
    group: core.NetworkSecurityGroup,
    port: int | None = None,
    **ends: pulumi.Input[str],
) -> None:
    """One stateful rule; with ``source`` it lets in, with ``destination`` out."""
    tcp = None
    if port is not None:
        ports = core.NetworkSecurityGroupSecurityRuleTcpOptionsDestinationPortRangeArgs(min=port, max=port)
        tcp = core.NetworkSecurityGroupSecurityRuleTcpOptionsArgs(destination_port_range=ports)
    core.NetworkSecurityGroupSecurityRule(
        name,
        network_security_group_id=group.id,
        direction="INGRESS" if "source" in ends else "EGRESS",
        protocol="all" if port is None else TCP,
        tcp_options=tcp,
        opts=scope.options(),
        **ends,
    )
