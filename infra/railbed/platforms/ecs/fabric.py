"""Network of a cluster: its own VPC with two subnets, security groups, and a NAT gateway that is the way out and in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic

import pulumi

from railbed.plan import ClusterPlan
from railbed.platforms.cloud import addressing, jump
from railbed.platforms.cloud.scope import Place, Scope

SSH = 22
ANYWHERE = "0.0.0.0/0"
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
    groups: Mapping[str, Any]
    """Tenant → security group; ``gate`` is the one that SSH enters by."""
    gateway: Any
    address: Any
    """Public address of the gateway; None in a network that was there already."""
    ready: list[pulumi.Resource]
    """What must be there before a node boots: rules, and the way to the packages."""


@dataclass(frozen=True)
class Rule:
    """Who may talk to a group, or whom its members may talk to (``egress``): a network, or another group."""

    name: str
    group: str
    direction: str = "ingress"
    ssh: bool = False
    """Port 22 of TCP; else everything."""
    cidr: str | None = None
    source: str | None = None


class Fabric(ABC, Generic[Place]):
    """The network of one cluster; a cloud fills in how each of its parts is made."""

    def __init__(self, scope: Scope[Place]) -> None:
        self.scope = scope

    @abstractmethod
    def cloud_network(self) -> pulumi.Output[str]:
        """The cluster's own network."""

    @abstractmethod
    def subnet(self, name: str, cidr: str, whole: pulumi.Input[str]) -> pulumi.Output[str]:
        """A subnet of it."""

    @abstractmethod
    def group(self, name: str, whole: pulumi.Input[str]) -> Any:
        """A security group."""

    @abstractmethod
    def rule(self, rule: Rule, group: Any, source: Any) -> pulumi.Resource:
        """A rule of ``group``; ``source``: the other group, where the rule names one."""

    @abstractmethod
    def gateway(
        self, whole: pulumi.Input[str], service: pulumi.Input[str]
    ) -> tuple[Any, Any, pulumi.Resource]:
        """A NAT gateway, its one address, and what binds the two."""

    @abstractmethod
    def way_out(
        self, name: str, gateway: Any, address: Any, subnet: pulumi.Input[str], opts: pulumi.ResourceOptions
    ) -> pulumi.Resource:
        """Lets a subnet out through the gateway: nodes fetch packages through it, and have no address of their own."""

    @abstractmethod
    def forward(self, made: Network, private: pulumi.Input[str], opts: pulumi.ResourceOptions) -> None:
        """Forwards port 22 of the gateway's address."""

    def network(self) -> Network:
        """The cluster's own network, or security groups in the one that the spec names."""
        place, planned = self.scope.place, addressing.subnets(self.scope.plan, self.scope.place)
        whole: pulumi.Input[str] = place.network or self.cloud_network()
        nodes: pulumi.Input[str] = place.subnet or self.subnet("nodes", planned.nodes, whole)
        service: pulumi.Input[str] = place.subnet or self.subnet("service", planned.service, whole)
        groups = {name: self.group(name, whole) for name in group_names(self.scope.plan)}
        ready = [
            self.rule(one, groups[one.group], groups[one.source] if one.source else None)
            for one in self.rules()
        ]
        if place.network:
            return Network(whole, nodes, service, groups, None, None, ready)
        gateway, address, bound = self.gateway(whole, service)
        after = self.scope.options(depends_on=[bound])
        outs = [
            self.way_out(f"{name}-out", gateway, address, subnet, after)
            for name, subnet in (("nodes", nodes), ("service", service))
        ]
        return Network(whole, nodes, service, groups, gateway, address, [*ready, bound, *outs])

    def rules(self) -> Iterator[Rule]:
        """SSH enters by the gate; nodes of one tenant reach each other on every port; everything may go out."""
        plan = self.scope.plan
        for index, source in enumerate(jump.ssh_sources(plan)):
            yield Rule(f"ssh-{index}", GATE, ssh=True, cidr=source)
        for name in group_names(plan):
            yield Rule(f"{name}-out", name, "egress", cidr=ANYWHERE)
            yield Rule(f"{name}-self", name, source=name)
            yield Rule(f"{name}-self-out", name, "egress", source=name)
            if name == GATE:
                continue
            if plan.has_controller:
                yield Rule(f"{name}-from-controller", name, source=GATE)
                yield Rule(f"{name}-to-controller", GATE, source=name)
            else:
                yield Rule(f"{name}-ssh", name, ssh=True, source=GATE)

    def forward_ssh(self, made: Network, private: pulumi.Input[str]) -> None:
        """Port 22 of the gateway's address goes to the gate; its security group keeps others than ``ssh_from`` out."""
        if made.gateway is not None:
            self.forward(made, private, self.scope.options(depends_on=made.ready))


def tenant_group(tenant: str) -> str:
    """Name of the security group of a pool's nodes."""
    return f"tenant-{tenant}" if tenant else "cluster"


def group_names(plan: ClusterPlan) -> list[str]:
    """Of all security groups."""
    return [GATE, *dict.fromkeys(tenant_group(pool.tenant) for pool in plan.pools)]
