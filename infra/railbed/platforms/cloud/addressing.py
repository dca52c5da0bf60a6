"""Subnets of a cluster's own network: one for the nodes, one for gateway, controller and filesystems. Pure."""

from __future__ import annotations

import ipaddress

from railbed.claims import FrozenModel
from railbed.errors import SpecError
from railbed.plan import ClusterPlan
from railbed.spec.platforms import CloudPlatform

PROVIDERS_OWN = 8
"""Addresses of a subnet that a provider keeps for itself, at most, and the gateway."""
SERVICE_PREFIX = 24
"""Enough for gateway, controller and the servers of filesystems."""


class Subnets(FrozenModel):
    """Both within the cluster's network, without overlap."""

    nodes: str
    service: str


def subnets(plan: ClusterPlan, place: CloudPlatform) -> Subnets:
    """The lower half of ``network_cidr`` for nodes, the end of the upper half for services.

    Raises SpecError where the nodes do not fit.
    """
    network = ipaddress.IPv4Network(place.network_cidr)
    lower, upper = network.subnets(prefixlen_diff=1)
    service = list(upper.subnets(new_prefix=max(SERVICE_PREFIX, upper.prefixlen)))[-1]
    nodes, room = sum(pool.size for pool in plan.pools), lower.num_addresses - PROVIDERS_OWN
    if nodes > room:
        raise SpecError(
            f"{nodes} nodes do not fit into the nodes' half of the network",
            path="railbed:cluster.platform.network_cidr",
            found=place.network_cidr,
            allowed=f"a network whose half has {nodes + PROVIDERS_OWN} addresses",
            hint="give a shorter prefix, e.g. 10.64.0.0/12",
        )
    return Subnets(nodes=str(lower), service=str(service))


def require_network(place: CloudPlatform) -> None:
    """Raises SpecError for an existing subnet without its network."""
    if place.subnet and not place.network:
        raise SpecError(
            "a subnet needs its network", path="railbed:cluster.platform.network", allowed="the id of its VPC",
            hint="add `network:`",
        )  # fmt: skip
