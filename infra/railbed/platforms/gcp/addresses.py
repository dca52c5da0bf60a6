"""Addresses of the cluster's networks: front ends out of ``network_cidr``, rails out of a range of their own. Pure."""

from __future__ import annotations

import ipaddress

from railbed.errors import SpecError
from railbed.plan import ClusterPlan
from railbed.platforms.cloud.addressing import PROVIDERS_OWN
from railbed.platforms.gcp.facts import facts
from railbed.spec.platforms import GcpPlatform

CIDR = "railbed:cluster.platform.network_cidr"


def frontend(plan: ClusterPlan, place: GcpPlatform, card: int) -> str:
    """Subnet of a front-end card: a quarter of ``network_cidr``; the last is for services. Raises SpecError where too small."""
    subnet = list(ipaddress.IPv4Network(place.network_cidr).subnets(prefixlen_diff=2))[card]
    nodes = sum(pool.size for pool in plan.pools) + plan.controllers
    if nodes > subnet.num_addresses - PROVIDERS_OWN:
        raise SpecError(
            f"{nodes} hosts do not fit into a quarter of the network",
            path=CIDR,
            found=place.network_cidr,
            allowed=f"a network whose quarter has {nodes + PROVIDERS_OWN} addresses",
            hint="give a shorter prefix, e.g. 10.64.0.0/12",
        )
    return str(subnet)


def services(plan: ClusterPlan, place: GcpPlatform) -> ipaddress.IPv4Network:
    """The last quarter: what Google's services take for the filesystems. Raises SpecError where it is too small."""
    quarter = list(ipaddress.IPv4Network(place.network_cidr).subnets(prefixlen_diff=2))[-1]
    wanted = sum(1 for one in plan.filesystems if not one.existing)
    if wanted << max(0, quarter.prefixlen - facts().lustre_prefix) > 1 << max(
        0, facts().lustre_prefix - quarter.prefixlen
    ):
        raise SpecError(
            f"{wanted} filesystems do not fit into a quarter of the network",
            path=CIDR,
            found=place.network_cidr,
            allowed=f"a network whose quarter holds {wanted} x /{facts().lustre_prefix}",
            hint="give a shorter prefix, e.g. 10.64.0.0/16",
        )
    return quarter


def rail(plan: ClusterPlan, place: GcpPlatform, index: int) -> str:
    """Subnet of one rail. Raises SpecError where ``network_cidr`` lies in the rails' range."""
    whole, own = ipaddress.IPv4Network(facts().rails_cidr), ipaddress.IPv4Network(place.network_cidr)
    if whole.overlaps(own):
        raise SpecError(
            "the network overlaps the rails' own range", path=CIDR, found=place.network_cidr,
            allowed=f"a network outside {whole}", hint="choose another, e.g. 10.64.0.0/16",
        )  # fmt: skip
    rails = plan.fabric.rails if plan.fabric else 0
    return str(list(whole.subnets(prefixlen_diff=(rails - 1).bit_length()))[index])
