"""Network: subnets with NAT, one security group, application groups that keep tenants apart. InfiniBand is the scale set's."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_azure_native import network as azure

from railbed.errors import SpecError
from railbed.platforms.azure import addresses
from railbed.platforms.azure.facts import facts, resource_id
from railbed.platforms.azure.scope import Scope

SSH = "22"
FIRST_PRIORITY = 100
LAST_PRIORITY = 4000
"""Below Azure's own rule that lets the whole network in (65000)."""


@dataclass
class Network:
    """Subnets and groups of the cluster."""

    nodes: pulumi.Input[str]
    service: pulumi.Input[str]
    groups: dict[str, pulumi.Output[str]]
    """Tenant → application security group."""
    gate: pulumi.Output[str]
    """Application security group of the host that SSH goes through."""
    name: pulumi.Input[str]
    group: pulumi.Input[str]
    """Resource group of the network."""
    nat: pulumi.Input[str]
    """NAT gateway: the way out, for packages and for what Lustre's own hosts fetch."""
    last: list[pulumi.Resource]
    """The subnet that was made last: Azure changes one subnet of a network at a time."""


def network(scope: Scope) -> Network:
    """Subnets of nodes and gate, in a network of the cluster's own or in the spec's."""
    groups = {tenant: _group(scope, f"tenant-{tenant}" if tenant else "own") for tenant in scope.tenants}
    gate = _group(scope, "gate")
    rules = azure.NetworkSecurityGroup(
        "nodes",
        resource_group_name=scope.group,
        location=scope.place.region,
        security_rules=_rules(scope, groups, gate),
        tags=scope.tags(),
        opts=scope.options(),
    )
    name, owner = _place(scope)
    nat = _nat(scope)
    made = Network("", "", groups, gate, name, owner, nat, [])
    own = addresses.own(scope.plan, scope.place)
    made.nodes = (
        resource_id(scope.place.subnet)
        if scope.place.subnet
        else subnet(scope, made, "nodes", own.nodes, rules=rules.id, nat=nat).id
    )
    made.service = subnet(scope, made, "service", own.service, rules=rules.id, nat=nat).id
    return made


def _place(scope: Scope) -> tuple[pulumi.Input[str], pulumi.Input[str]]:
    """Name and resource group of the network."""
    if scope.place.network is None:
        made = azure.VirtualNetwork(
            "network",
            resource_group_name=scope.group,
            location=scope.place.region,
            address_space={"address_prefixes": [scope.place.network_cidr]},
            tags=scope.tags(),
            opts=scope.options(),
        )
        return made.name, scope.group
    path = resource_id(scope.place.network).split("/")
    if len(path) < 2 or path[-2] != "virtualNetworks" or "resourceGroups" not in path:
        raise SpecError(
            "a network is named by its whole id",
            path="railbed:cluster.platform.network",
            found=scope.place.network,
            allowed="subscriptions/…/resourceGroups/…/providers/Microsoft.Network/virtualNetworks/…",
            hint="`az network vnet show --query id`, without the first slash",
        )
    owner = path[path.index("resourceGroups") + 1]
    found = azure.get_virtual_network_output(
        resource_group_name=owner, virtual_network_name=path[-1], opts=scope.asking()
    )
    return found.name, owner


def subnet(
    scope: Scope,
    network: Network,
    name: str,
    cidr: pulumi.Input[str],
    *,
    rules: pulumi.Input[str] | None = None,
    nat: pulumi.Input[str] | None = None,
) -> azure.Subnet:
    """One subnet, after the one before it."""
    made = azure.Subnet(
        name,
        resource_group_name=network.group,
        virtual_network_name=network.name,
        address_prefix=cidr,
        default_outbound_access=False,
        network_security_group=None if rules is None else {"id": rules},
        nat_gateway=None if nat is None else {"id": nat},
        opts=scope.options(depends_on=network.last),
    )
    network.last = [made]
    return made


def _group(scope: Scope, name: str) -> pulumi.Output[str]:
    made = azure.ApplicationSecurityGroup(
        name,
        resource_group_name=scope.group,
        location=scope.place.region,
        tags=scope.tags(),
        opts=scope.options(),
    )
    found: pulumi.Output[str] = made.id
    return found


def _nat(scope: Scope) -> pulumi.Output[str]:
    """Packages come from the internet, and Lustre's hosts fetch their keys by it; nothing comes in by this way."""
    gateway = azure.NatGateway(
        "nat",
        resource_group_name=scope.group,
        location=scope.place.region,
        sku={"name": "Standard"},
        public_ip_addresses=[{"id": address(scope, "nat").id}],
        zones=scope.zones,
        tags=scope.tags(),
        opts=scope.options(),
    )
    found: pulumi.Output[str] = gateway.id
    return found


def address(scope: Scope, name: str) -> azure.PublicIPAddress:
    """A public address for a gateway; no node ever gets one."""
    return azure.PublicIPAddress(
        name,
        resource_group_name=scope.group,
        location=scope.place.region,
        sku={"name": "Standard"},
        public_ip_allocation_method="Static",
        zones=scope.zones,
        tags=scope.tags(),
        opts=scope.options(),
    )


def _rules(
    scope: Scope, groups: dict[str, pulumi.Output[str]], gate: pulumi.Output[str]
) -> list[dict[str, Any]]:
    """Who may reach whom; the last rule closes what Azure leaves open between all hosts of a network."""
    rules = [
        {
            "name": f"inside-{tenant or 'own'}",
            "protocol": "*",
            "source_application_security_groups": [{"id": group}],
            "destination_application_security_groups": [{"id": group}],
            "destination_port_range": "*",
        }
        for tenant, group in groups.items()
    ]
    rules += [
        {
            "name": f"ssh-{tenant or 'own'}",
            "protocol": "Tcp",
            "source_application_security_groups": [{"id": gate}],
            "destination_application_security_groups": [{"id": group}],
            "destination_port_range": SSH,
        }
        for tenant, group in groups.items()
    ]
    for version in (4, 6):
        sources = [text for text in scope.plan.ssh_from if ipaddress.ip_network(text).version == version]
        if sources:
            rules.append(
                {
                    "name": f"door-v{version}",
                    "protocol": "Tcp",
                    "source_address_prefixes": sources,
                    "destination_application_security_groups": [{"id": gate}],
                    "destination_port_range": SSH,
                }
            )
    new = [index for index, one in enumerate(scope.plan.filesystems) if not one.existing]
    if new:
        rooms = [str(addresses.lustre_room(scope.plan, scope.place, place)) for place, _ in enumerate(new)]
        rules.append(
            {
                "name": "lustre",
                "protocol": "Tcp",
                "source_address_prefixes": rooms,
                "destination_application_security_groups": [{"id": group} for group in groups.values()],
                "destination_port_ranges": facts().lustre_ports,
            }
        )
    common = {"direction": "Inbound", "access": "Allow", "source_port_range": "*"}
    closed = {
        "name": "closed", "protocol": "*", "direction": "Inbound", "access": "Deny", "priority": LAST_PRIORITY,
        "source_address_prefix": "VirtualNetwork", "source_port_range": "*",
        "destination_address_prefix": "*", "destination_port_range": "*",
    }  # fmt: skip
    return [{**rule, **common, "priority": FIRST_PRIORITY + at} for at, rule in enumerate(rules)] + [closed]
