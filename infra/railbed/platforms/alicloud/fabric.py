"""Network of a cluster: VPC, vSwitches, security groups, and the way out and in through a NAT gateway."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud
from pulumi_alicloud import ecs, vpc

from railbed.plan import ClusterPlan
from railbed.platforms.alicloud import capacity
from railbed.platforms.cloud import addressing, jump
from railbed.platforms.cloud.tags import tags
from railbed.spec.platforms import AlicloudPlatform

SSH = 22
ANYWHERE = "0.0.0.0/0"
EVERY_PORT = "-1/-1"
EGRESS_MBPS = "200"
"""Most of an address billed by traffic (alicloud.ecs.EipAddress, bandwidth: 1 to 200): packages, not data, come this way."""
GATE = "gate"


@dataclass(frozen=True)
class Network:
    """What nodes are placed into."""

    whole: pulumi.Input[str]
    """VPC."""
    nodes: pulumi.Input[str]
    """vSwitch of the nodes."""
    service: pulumi.Input[str]
    """vSwitch of controller, gate and filesystems."""
    groups: dict[str, ecs.SecurityGroup]
    """Tenant → security group; ``gate`` is the one that SSH enters by."""
    gateway: vpc.NatGateway | None
    address: ecs.EipAddress | None
    """Public address of the gateway; None in a network that was there already."""
    ready: list[pulumi.Resource]
    """What must be there before a node boots: rules, and the way to the packages."""


def network(plan: ClusterPlan, place: AlicloudPlatform, stack: str, opts: pulumi.ResourceOptions) -> Network:
    """The cluster's own network, or security groups in the one that the spec names."""
    planned, marks = addressing.subnets(plan, place), tags(plan, stack)
    whole: pulumi.Input[str] = (
        place.network
        or vpc.Network("network", vpc_name=plan.name, cidr_block=place.network_cidr, tags=marks, opts=opts).id
    )
    nodes: pulumi.Input[str] = place.subnet or _switch(
        plan, place, marks, "nodes", planned.nodes, whole, opts
    )
    service = place.subnet or _switch(plan, place, marks, "service", planned.service, whole, opts)
    groups = {one: _group(plan, marks, one, whole, opts) for one in _groups(plan)}
    ready = _rules(plan, groups, opts)
    if place.network:
        return Network(whole, nodes, service, groups, None, None, ready)
    gateway, address, way_out = _way_out(plan, marks, whole, nodes, service, opts)
    return Network(whole, nodes, service, groups, gateway, address, [*ready, *way_out])


def tenant_group(tenant: str) -> str:
    """Name of the security group of a pool's nodes."""
    return f"tenant-{tenant}" if tenant else "cluster"


def provider(place: AlicloudPlatform, opts: pulumi.ResourceOptions) -> alicloud.Provider:
    """The explicit provider of all children; keys come from the environment and never into the state."""
    return alicloud.Provider("alicloud", region=place.region, opts=opts)


def forward_ssh(made: Network, private: pulumi.Input[str], opts: pulumi.ResourceOptions) -> None:
    """Port 22 of the gateway's address goes to the gate; its security group keeps others than ``ssh_from`` out."""
    if made.gateway is None or made.address is None:
        return
    after = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=made.ready))
    vpc.ForwardEntry(
        "ssh", forward_table_id=made.gateway.forward_table_ids, external_ip=made.address.ip_address,
        external_port=str(SSH), internal_ip=private, internal_port=str(SSH), ip_protocol="tcp", opts=after,
    )  # fmt: skip


def _groups(plan: ClusterPlan) -> list[str]:
    return [GATE, *dict.fromkeys(tenant_group(pool.tenant) for pool in plan.pools)]


def _switch(
    plan: ClusterPlan, place: AlicloudPlatform, marks: dict[str, str], name: str, cidr: str,
    whole: pulumi.Input[str], opts: pulumi.ResourceOptions,
) -> pulumi.Output[str]:  # fmt: skip
    found: pulumi.Output[str] = vpc.Switch(
        name, vpc_id=whole, zone_id=place.zone, cidr_block=cidr, vswitch_name=f"{plan.name}-{name}", tags=marks,
        opts=opts,
    ).id  # fmt: skip
    return found


def _group(
    plan: ClusterPlan,
    marks: dict[str, str],
    name: str,
    whole: pulumi.Input[str],
    opts: pulumi.ResourceOptions,
) -> ecs.SecurityGroup:
    """A basic group for the gate and up to GROUP_LIMIT nodes; the rules name members, which an advanced group cannot."""
    return ecs.SecurityGroup(
        name, vpc_id=whole, security_group_name=f"{plan.name}-{name}", security_group_type="normal",
        inner_access_policy="Accept", tags=marks, opts=opts,
    )  # fmt: skip


def _rules(
    plan: ClusterPlan, groups: dict[str, ecs.SecurityGroup], opts: pulumi.ResourceOptions
) -> list[pulumi.Resource]:
    """SSH enters by the gate; nodes of one tenant reach each other on every port; everything may go out."""
    gate = groups[GATE]
    rules: list[pulumi.Resource] = [
        _rule(f"ssh-{index}", gate, opts, ports=f"{SSH}/{SSH}", protocol="tcp", cidr=source)
        for index, source in enumerate(jump.ssh_sources(plan))
    ]
    for name, group in groups.items():
        rules.append(_rule(f"{name}-out", group, opts, direction="egress", cidr=ANYWHERE))
        rules.append(_rule(f"{name}-self", group, opts, source=group))
        rules.append(_rule(f"{name}-self-out", group, opts, direction="egress", source=group))
        if name == GATE:
            continue
        if plan.has_controller:
            rules.append(_rule(f"{name}-from-controller", group, opts, source=gate))
            rules.append(_rule(f"{name}-to-controller", gate, opts, source=group))
        else:
            rules.append(_rule(f"{name}-ssh", group, opts, ports=f"{SSH}/{SSH}", protocol="tcp", source=gate))
    return rules


def _rule(
    name: str, group: ecs.SecurityGroup, opts: pulumi.ResourceOptions, *, direction: str = "ingress",
    protocol: str = "all", ports: str = EVERY_PORT, cidr: str | None = None, source: ecs.SecurityGroup | None = None,
) -> ecs.SecurityGroupRule:  # fmt: skip
    return ecs.SecurityGroupRule(
        name, security_group_id=group.id, type=direction, ip_protocol=protocol, port_range=ports, nic_type="intranet",
        policy="accept", cidr_ip=cidr, source_security_group_id=source.id if source else None, opts=opts,
    )  # fmt: skip


def _way_out(
    plan: ClusterPlan, marks: dict[str, str], whole: pulumi.Input[str], nodes: pulumi.Input[str],
    service: pulumi.Input[str], opts: pulumi.ResourceOptions,
) -> tuple[vpc.NatGateway, ecs.EipAddress, list[pulumi.Resource]]:  # fmt: skip
    """A NAT gateway with one address: nodes fetch packages through it, and have no address of their own."""
    gateway = vpc.NatGateway(
        "gateway", vpc_id=whole, vswitch_id=service, nat_gateway_name=plan.name, nat_type="Enhanced",
        payment_type="PayAsYouGo", internet_charge_type="PayByLcu", tags=marks, opts=opts,
    )  # fmt: skip
    address = ecs.EipAddress(
        "gateway-address", address_name=plan.name, payment_type="PayAsYouGo", internet_charge_type="PayByTraffic",
        bandwidth=EGRESS_MBPS, tags=marks, opts=opts,
    )  # fmt: skip
    bound = ecs.EipAssociation(
        "gateway-address", allocation_id=address.id, instance_id=gateway.id, instance_type="Nat", opts=opts
    )
    after = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[bound]))
    outs = [
        vpc.SnatEntry(
            f"{name}-out", snat_table_id=gateway.snat_table_ids, snat_ip=address.ip_address,
            source_vswitch_id=switch, opts=after,
        )
        for name, switch in (("nodes", nodes), ("service", service))
    ]  # fmt: skip
    return gateway, address, [bound, *outs]


def needs_lingjun(plan: ClusterPlan) -> bool:
    """True where any pool is of Lingjun nodes."""
    return any(capacity.is_lingjun(pool) for pool in plan.pools)
