"""Network of a cluster: VPC, subnets, security groups, the way out, and the HPC cluster that the RDMA cards are in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pulumi
from pulumi_volcengine import ecs, eip, nat, vpc

from railbed.platforms.ecs import fabric as shared
from railbed.platforms.ecs.fabric import GATE, SSH, Network, Rule
from railbed.platforms.volcengine.scope import Scope, pairs
from railbed.spec.platforms import VolcenginePlatform

EVERY_PORT = -1
EGRESS_MBPS = 200
"""Chosen here: packages come this way, data do not. The most that an address may have was not found."""


class Fabric(shared.Fabric[VolcenginePlatform]):
    """Tags are lists of keys with values here, of a type for each resource."""

    def cloud_network(self) -> pulumi.Output[str]:
        found: pulumi.Output[str] = vpc.Vpc(
            "network", vpc_name=self.scope.plan.name, cidr_block=self.scope.place.network_cidr,
            **self._common(vpc.VpcTagArgs),
        ).id  # fmt: skip
        return found

    def subnet(self, name: str, cidr: str, whole: pulumi.Input[str]) -> pulumi.Output[str]:
        found: pulumi.Output[str] = vpc.Subnet(
            name, vpc_id=whole, zone_id=self.scope.place.zone, cidr_block=cidr,
            subnet_name=f"{self.scope.plan.name}-{name}", **self._common(vpc.SubnetTagArgs),
        ).id  # fmt: skip
        return found

    def group(self, name: str, whole: pulumi.Input[str]) -> vpc.SecurityGroup:
        return vpc.SecurityGroup(
            name, vpc_id=whole, security_group_name=f"{self.scope.plan.name}-{name}",
            **self._common(vpc.SecurityGroupTagArgs),
        )  # fmt: skip

    def rules(self) -> Iterator[Rule]:
        """Without the gate's own way to itself: its members may go out to everything."""
        return (one for one in super().rules() if one.name != f"{GATE}-self-out")

    def rule(
        self, rule: Rule, group: vpc.SecurityGroup, source: vpc.SecurityGroup | None
    ) -> vpc.SecurityGroupRule:
        port = SSH if rule.ssh else EVERY_PORT
        return vpc.SecurityGroupRule(
            rule.name, security_group_id=group.id, direction=rule.direction, protocol="tcp" if rule.ssh else "all",
            port_start=port, port_end=port, cidr_ip=rule.cidr, source_group_id=source.id if source else None,
            opts=self.scope.options(),
        )  # fmt: skip

    def gateway(
        self, whole: pulumi.Input[str], service: pulumi.Input[str]
    ) -> tuple[nat.Gateway, eip.Address, pulumi.Resource]:
        name = self.scope.plan.name
        gateway = nat.Gateway(
            "gateway", vpc_id=whole, subnet_id=service, nat_gateway_name=name, billing_type="PostPaidByUsage",
            **self._common(nat.GatewayTagArgs),
        )  # fmt: skip
        address = eip.Address(
            "gateway-address", billing_type="PostPaidByTraffic", bandwidth=EGRESS_MBPS, isp="BGP", name=name,
            **self._common(eip.AddressTagArgs),
        )  # fmt: skip
        bound = eip.Associate(
            "gateway-address", allocation_id=address.id, instance_id=gateway.id, instance_type="Nat",
            opts=self.scope.options(),
        )  # fmt: skip
        return gateway, address, bound

    def way_out(
        self, name: str, gateway: nat.Gateway, address: eip.Address, subnet: pulumi.Input[str],
        opts: pulumi.ResourceOptions,
    ) -> nat.SnatEntry:  # fmt: skip
        return nat.SnatEntry(name, nat_gateway_id=gateway.id, eip_id=address.id, subnet_id=subnet, opts=opts)

    def forward(self, made: Network, private: pulumi.Input[str], opts: pulumi.ResourceOptions) -> None:
        nat.DnatEntry(
            "ssh", nat_gateway_id=made.gateway.id, external_ip=made.address.eip_address, external_port=str(SSH),
            internal_ip=private, internal_port=str(SSH), protocol="tcp", opts=opts,
        )  # fmt: skip

    def _common(self, tag: Any) -> dict[str, Any]:
        return {"tags": pairs(tag, self.scope.tags()), "opts": self.scope.options()}


def hpc_cluster(scope: Scope, bound: str) -> pulumi.Input[str] | None:
    """The HPC cluster of all pools: that of their reserved instances (``bound``), or a new one; None without a fabric."""
    if scope.plan.fabric is None:
        return None
    if bound:
        return bound
    made = ecs.HpcCluster(
        "fabric", zone_id=scope.place.zone, name=scope.plan.name, tags=pairs(ecs.HpcClusterTagArgs, scope.tags()),
        opts=scope.options(),
    )  # fmt: skip
    found: pulumi.Output[str] = made.id
    return found
