"""Network of a cluster: VPC, subnets, security groups, the way out, and the HPC cluster that the RDMA cards are in."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_volcengine as volcengine
from pulumi_volcengine import ecs, eip, nat, vpc

from railbed.plan import ClusterPlan
from railbed.platforms.cloud import addressing, jump
from railbed.platforms.cloud.tags import tags
from railbed.spec.platforms import VolcenginePlatform

SSH = 22
ANYWHERE = "0.0.0.0/0"
EVERY_PORT = -1
EGRESS_MBPS = 200
"""Chosen here: packages come this way, data do not. The most that an address may have was not found."""
GATE = "gate"


@dataclass(frozen=True)
class Network:
    """What nodes are placed into."""

    whole: pulumi.Input[str]
    """VPC."""
    nodes: pulumi.Input[str]
    """Subnet of the nodes."""
    service: pulumi.Input[str]
    """Subnet of controller, gate and filesystems."""
    groups: dict[str, vpc.SecurityGroup]
    """Tenant → security group; ``gate`` is the one that SSH enters by."""
    gateway: nat.Gateway | None
    address: eip.Address | None
    """Public address of the gateway; None in a network that was there already."""
    ready: list[pulumi.Resource]
    """What must be there before a node boots: rules, and the way to the packages."""


def network(
    plan: ClusterPlan, place: VolcenginePlatform, stack: str, opts: pulumi.ResourceOptions
) -> Network:
    """The cluster's own network, or security groups in the one that the spec names."""
    marks = [vpc.VpcTagArgs(key=key, value=value) for key, value in tags(plan, stack).items()]
    planned = addressing.subnets(plan, place)
    whole: pulumi.Input[str] = (
        place.network
        or vpc.Vpc("network", vpc_name=plan.name, cidr_block=place.network_cidr, tags=marks, opts=opts).id
    )
    nodes: pulumi.Input[str] = place.subnet or _subnet(
        plan, place, stack, "nodes", planned.nodes, whole, opts
    )
    service = place.subnet or _subnet(plan, place, stack, "service", planned.service, whole, opts)
    groups = {one: _group(plan, stack, one, whole, opts) for one in _groups(plan)}
    ready = _rules(plan, groups, opts)
    if place.network:
        return Network(whole, nodes, service, groups, None, None, ready)
    gateway, address, way_out = _way_out(plan, stack, whole, nodes, service, opts)
    return Network(whole, nodes, service, groups, gateway, address, [*ready, *way_out])


def tenant_group(tenant: str) -> str:
    """Name of the security group of a pool's nodes."""
    return f"tenant-{tenant}" if tenant else "cluster"


def hpc_cluster(
    plan: ClusterPlan, place: VolcenginePlatform, stack: str, bound: str, opts: pulumi.ResourceOptions
) -> pulumi.Input[str] | None:
    """The HPC cluster of all pools: that of their reserved instances (``bound``), or a new one; None without a fabric."""
    if plan.fabric is None:
        return None
    if bound:
        return bound
    made = ecs.HpcCluster(
        "fabric",
        zone_id=place.zone,
        name=plan.name,
        tags=[ecs.HpcClusterTagArgs(key=key, value=value) for key, value in tags(plan, stack).items()],
        opts=opts,
    )
    found: pulumi.Output[str] = made.id
    return found


def _groups(plan: ClusterPlan) -> list[str]:
    return [GATE, *dict.fromkeys(tenant_group(pool.tenant) for pool in plan.pools)]


def _subnet(
    plan: ClusterPlan, place: VolcenginePlatform, stack: str, name: str, cidr: str, whole: pulumi.Input[str],
    opts: pulumi.ResourceOptions,
) -> pulumi.Output[str]:  # fmt: skip
    marks = [vpc.SubnetTagArgs(key=key, value=value) for key, value in tags(plan, stack).items()]
    made = vpc.Subnet(
        name,
        vpc_id=whole,
        zone_id=place.zone,
        cidr_block=cidr,
        subnet_name=f"{plan.name}-{name}",
        tags=marks,
        opts=opts,
    )
    found: pulumi.Output[str] = made.id
    return found


def _group(
    plan: ClusterPlan, stack: str, name: str, whole: pulumi.Input[str], opts: pulumi.ResourceOptions
) -> vpc.SecurityGroup:
    marks = [vpc.SecurityGroupTagArgs(key=key, value=value) for key, value in tags(plan, stack).items()]
    return vpc.SecurityGroup(
        name, vpc_id=whole, security_group_name=f"{plan.name}-{name}", tags=marks, opts=opts
    )


def _rules(
    plan: ClusterPlan, groups: dict[str, vpc.SecurityGroup], opts: pulumi.ResourceOptions
) -> list[pulumi.Resource]:
    """SSH enters by the gate; nodes of one tenant reach each other on every port; everything may go out."""
    gate = groups[GATE]
    rules: list[pulumi.Resource] = []
    for index, source in enumerate(jump.ssh_sources(plan)):
        rules.append(_rule(f"ssh-{index}", gate, opts, protocol="tcp", first=SSH, last=SSH, cidr=source))
    for name, group in groups.items():
        rules.append(_rule(f"{name}-out", group, opts, direction="egress", cidr=ANYWHERE))
        if name == GATE:
            # The controller is behind the gate's group: it also reaches itself, and nodes reach its services.
            rules.append(_rule("gate-self", gate, opts, source=gate))
            continue
        rules.append(_rule(f"{name}-self", group, opts, source=group))
        rules.append(_rule(f"{name}-self-out", group, opts, direction="egress", source=group))
        if plan.has_controller:
            rules.append(_rule(f"{name}-from-controller", group, opts, source=gate))
            rules.append(_rule(f"{name}-to-controller", gate, opts, source=group))
        else:
            rules.append(_rule(f"{name}-ssh", group, opts, protocol="tcp", first=SSH, last=SSH, source=gate))
    return rules


def _rule(
    name: str, group: vpc.SecurityGroup, opts: pulumi.ResourceOptions, *, direction: str = "ingress",
    protocol: str = "all", first: int = EVERY_PORT, last: int = EVERY_PORT, cidr: str | None = None,
    source: vpc.SecurityGroup | None = None,
) -> vpc.SecurityGroupRule:  # fmt: skip
    return vpc.SecurityGroupRule(
        name, security_group_id=group.id, direction=direction, protocol=protocol, port_start=first, port_end=last,
        cidr_ip=cidr, source_group_id=source.id if source else None, opts=opts,
    )  # fmt: skip


def _way_out(
    plan: ClusterPlan, stack: str, whole: pulumi.Input[str], nodes: pulumi.Input[str],
    service: pulumi.Input[str], opts: pulumi.ResourceOptions,
) -> tuple[nat.Gateway, eip.Address, list[pulumi.Resource]]:  # fmt: skip
    """A NAT gateway with one address: nodes fetch packages through it, and have no address of their own."""
    marks = tags(plan, stack)
    gateway = nat.Gateway(
        "gateway", vpc_id=whole, subnet_id=service, nat_gateway_name=plan.name, billing_type="PostPaidByUsage",
        tags=[nat.GatewayTagArgs(key=key, value=value) for key, value in marks.items()], opts=opts,
    )  # fmt: skip
    address = eip.Address(
        "gateway-address", billing_type="PostPaidByTraffic", bandwidth=EGRESS_MBPS, isp="BGP", name=plan.name,
        tags=[eip.AddressTagArgs(key=key, value=value) for key, value in marks.items()], opts=opts,
    )  # fmt: skip
    bound = eip.Associate(
        "gateway-address", allocation_id=address.id, instance_id=gateway.id, instance_type="Nat", opts=opts
    )
    after = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[bound]))
    outs = [
        nat.SnatEntry(
            f"{name}-out", nat_gateway_id=gateway.id, eip_id=address.id, subnet_id=subnet, opts=after
        )
        for name, subnet in (("nodes", nodes), ("service", service))
    ]
    return gateway, address, [bound, *outs]


def forward_ssh(made: Network, private: pulumi.Input[str], opts: pulumi.ResourceOptions) -> None:
    """Port 22 of the gateway's address goes to the gate; its security group keeps others than ``ssh_from`` out."""
    if made.gateway is None or made.address is None:
        return
    after = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=made.ready))
    nat.DnatEntry(
        "ssh", nat_gateway_id=made.gateway.id, external_ip=made.address.eip_address, external_port=str(SSH),
        internal_ip=private, internal_port=str(SSH), protocol="tcp", opts=after,
    )  # fmt: skip


def provider(place: VolcenginePlatform, opts: pulumi.ResourceOptions) -> volcengine.Provider:
    """The explicit provider of all children; keys come from the environment and never into the state."""
    return volcengine.Provider("volcengine", region=place.region, opts=opts)
