"""Network of a cluster: VPC, vSwitches, security groups, and the way out and in through a NAT gateway."""

from __future__ import annotations

import pulumi
from pulumi_alicloud import ecs, vpc

from railbed.platforms.ecs import fabric as shared
from railbed.platforms.ecs.fabric import SSH, Network, Rule
from railbed.spec.platforms import AlicloudPlatform

EVERY_PORT = "-1/-1"
EGRESS_MBPS = "200"
"""Most of an address billed by traffic (alicloud.ecs.EipAddress, bandwidth: 1 to 200): packages, not data, come this way."""


class Fabric(shared.Fabric[AlicloudPlatform]):
    """Subnets are vSwitches here."""

    def cloud_network(self) -> pulumi.Output[str]:
        plan, place = self.scope.plan, self.scope.place
        found: pulumi.Output[str] = vpc.Network(
            "network", vpc_name=plan.name, cidr_block=place.network_cidr, tags=self.scope.tags(),
            opts=self.scope.options(),
        ).id  # fmt: skip
        return found

    def subnet(self, name: str, cidr: str, whole: pulumi.Input[str]) -> pulumi.Output[str]:
        found: pulumi.Output[str] = vpc.Switch(
            name, vpc_id=whole, zone_id=self.scope.place.zone, cidr_block=cidr,
            vswitch_name=f"{self.scope.plan.name}-{name}", tags=self.scope.tags(), opts=self.scope.options(),
        ).id  # fmt: skip
        return found

    def group(self, name: str, whole: pulumi.Input[str]) -> ecs.SecurityGroup:
        """A basic group for the gate and up to GROUP_LIMIT nodes; the rules name members, which an advanced group cannot."""
        return ecs.SecurityGroup(
            name, vpc_id=whole, security_group_name=f"{self.scope.plan.name}-{name}", security_group_type="normal",
            inner_access_policy="Accept", tags=self.scope.tags(), opts=self.scope.options(),
        )  # fmt: skip

    def rule(
        self, rule: Rule, group: ecs.SecurityGroup, source: ecs.SecurityGroup | None
    ) -> ecs.SecurityGroupRule:
        return ecs.SecurityGroupRule(
            rule.name, security_group_id=group.id, type=rule.direction, ip_protocol="tcp" if rule.ssh else "all",
            port_range=f"{SSH}/{SSH}" if rule.ssh else EVERY_PORT, nic_type="intranet", policy="accept",
            cidr_ip=rule.cidr, source_security_group_id=source.id if source else None, opts=self.scope.options(),
        )  # fmt: skip

    def gateway(
        self, whole: pulumi.Input[str], service: pulumi.Input[str]
    ) -> tuple[vpc.NatGateway, ecs.EipAddress, pulumi.Resource]:
        name, marks, opts = self.scope.plan.name, self.scope.tags(), self.scope.options()
        gateway = vpc.NatGateway(
            "gateway", vpc_id=whole, vswitch_id=service, nat_gateway_name=name, nat_type="Enhanced",
            payment_type="PayAsYouGo", internet_charge_type="PayByLcu", tags=marks, opts=opts,
        )  # fmt: skip
        address = ecs.EipAddress(
            "gateway-address", address_name=name, payment_type="PayAsYouGo", internet_charge_type="PayByTraffic",
            bandwidth=EGRESS_MBPS, tags=marks, opts=opts,
        )  # fmt: skip
        bound = ecs.EipAssociation(
            "gateway-address",
            allocation_id=address.id,
            instance_id=gateway.id,
            instance_type="Nat",
            opts=opts,
        )
        return gateway, address, bound

    def way_out(
        self, name: str, gateway: vpc.NatGateway, address: ecs.EipAddress, subnet: pulumi.Input[str],
        opts: pulumi.ResourceOptions,
    ) -> vpc.SnatEntry:  # fmt: skip
        return vpc.SnatEntry(
            name, snat_table_id=gateway.snat_table_ids, snat_ip=address.ip_address, source_vswitch_id=subnet, opts=opts
        )  # fmt: skip

    def forward(self, made: Network, private: pulumi.Input[str], opts: pulumi.ResourceOptions) -> None:
        vpc.ForwardEntry(
            "ssh", forward_table_id=made.gateway.forward_table_ids, external_ip=made.address.ip_address,
            external_port=str(SSH), internal_ip=private, internal_port=str(SSH), ip_protocol="tcp", opts=opts,
        )  # fmt: skip
