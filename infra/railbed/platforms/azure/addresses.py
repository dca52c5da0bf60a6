"""Subnets out of ``network_cidr``: nodes in the lower half, one for the gate, one for each filesystem. Pure."""

from __future__ import annotations

import ipaddress

from railbed.errors import SpecError
from railbed.plan import ClusterPlan
from railbed.platforms.azure.facts import facts
from railbed.platforms.cloud.addressing import Subnets, subnets
from railbed.spec.platforms import AzurePlatform

PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
"""Networks that no internet router carries (RFC 1918, 6598, 4193)."""


def own(plan: ClusterPlan, place: AzurePlatform) -> Subnets:
    """Subnets of nodes and gate. Raises SpecError where the nodes do not fit."""
    return subnets(plan, place)


def lustre_room(plan: ClusterPlan, place: AzurePlatform, index: int) -> ipaddress.IPv4Network:
    """The largest subnet that filesystem ``index`` may need. Raises SpecError where there is none left."""
    shortest, _ = facts().lustre_prefix
    _, upper = ipaddress.IPv4Network(place.network_cidr).subnets(prefixlen_diff=1)
    service = ipaddress.IPv4Network(own(plan, place).service)
    rooms = list(upper.subnets(new_prefix=shortest)) if upper.prefixlen <= shortest else []
    free = [room for room in rooms if not room.overlaps(service)]
    if index >= len(free):
        raise SpecError(
            "the network has no room for the filesystems",
            path="railbed:cluster.platform.network_cidr",
            found=place.network_cidr,
            allowed=f"a network whose upper half holds a /{shortest} for each filesystem, and one more",
            hint="give a shorter prefix, e.g. 10.64.0.0/16",
        )
    return free[index]


def lustre_subnet(room: ipaddress.IPv4Network, wanted: int) -> str:
    """The smallest subnet at the beginning of ``room`` that Azure's rule and ``wanted`` addresses allow.

    Raises SpecError where even the largest is too small.
    """
    shortest, longest = facts().lustre_prefix
    prefix = 32 - (wanted + facts().reserved_addresses - 1).bit_length()
    if prefix < shortest:
        raise SpecError(
            f"the filesystem needs {wanted} addresses, more than its largest subnet has",
            path="railbed:cluster.filesystems", found=wanted, allowed=f"a /{shortest}",
            hint="make two filesystems of it",
        )  # fmt: skip
    return f"{room.network_address}/{min(prefix, longest)}"


def public(networks: list[str]) -> list[str]:
    """Those that come in over the internet."""
    return [text for text in networks if not _private(text)]


def _private(text: str) -> bool:
    network = ipaddress.ip_network(text)
    return any(network.version == one.version and network.subnet_of(one) for one in PRIVATE)  # type: ignore[arg-type]
