"""Addresses of an Ethernet fabric: a /31 for each cable of a node, a block for each leaf, a loopback for each switch.

Every cable of a node is a routed link of its own. A rail then is no broadcast domain: a wrong cable answers for nobody,
ARP tables hold one entry, and a leaf announces one prefix. Two addresses a link are all that a /31 takes (RFC 3021).
Nothing depends on how many nodes there are, so that addresses never move when a cluster grows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import NamedTuple

from railbed.errors import UsageError
from railbed.fabric import Fabric, Names
from railbed.fabric.cables import cables

TIERS = ("leaf", "spine", "core")
RAILS, LOOPBACKS = IPv4Network("10.128.0.0/9"), IPv4Network("10.112.0.0/12")
"""Parts of 10/8 (RFC 1918), unless the operator has others."""
TIER_PARTS = 4
"""The loopbacks' network is cut in so many equal parts, one a tier."""


@dataclass(frozen=True)
class Networks:
    """Where addresses come from."""

    rails: IPv4Network = RAILS
    loopbacks: IPv4Network = LOOPBACKS

    def checked(self) -> Networks:
        """These networks. Raises UsageError where they overlap."""
        if self.rails.overlaps(self.loopbacks):
            raise UsageError(
                "rails and loopbacks would have the same addresses", code="FABRIC_NETWORKS",
                path="--rails-network", found=f"{self.rails} and {self.loopbacks}", allowed="networks apart",
            )  # fmt: skip
        return self


class RailAddress(NamedTuple):
    """One NIC of a node, or one extra endpoint: what the host is given, and where its cable ends."""

    node: str
    plane: int
    rail: int
    nic: str
    address: IPv4Interface
    gateway: IPv4Address
    leaf: str
    port: int


def leaf_block(fabric: Fabric, networks: Networks, plane: int, leaf: int) -> IPv4Network:
    """Addresses behind one leaf.

    Each rail of each plane has an equal, fixed part of the network, and in it each scalable unit a block, in order.
    Raises UsageError where the network has no room.
    """
    rails, planes = fabric.request.rails, fabric.request.planes
    unit, rail = divmod(leaf, rails)
    part = networks.rails.max_prefixlen - (2 * fabric.down - 1).bit_length()
    per_rail = networks.rails.prefixlen + (rails * planes - 1).bit_length()
    if part < per_rail or unit >= 1 << (part - per_rail):
        raise UsageError(
            f"a rail has no addresses for scalable unit {unit}", code="FABRIC_NETWORKS", path="--rails-network",
            found=str(networks.rails), allowed=f"{rails * planes} rails of at least {unit + 1} blocks of /{part}",
            hint="give a larger network",
        )  # fmt: skip
    index = plane * rails + rail
    start = int(networks.rails.network_address) + (index << (32 - per_rail)) + (unit << (32 - part))
    return IPv4Network((start, part))


def link(block: IPv4Network, port: int) -> tuple[IPv4Interface, IPv4Interface]:
    """``(switch, host)`` ends of the cable at this leaf port (from 1): even and odd address of a /31."""
    first = int(block.network_address) + 2 * (port - 1)
    return IPv4Interface((first, 31)), IPv4Interface((first + 1, 31))


def loopback(networks: Networks, tier: str, planes: int, plane: int, index: int) -> IPv4Interface:
    """The switch's own address. Raises UsageError where the network has no room."""
    room = networks.loopbacks.num_addresses // TIER_PARTS
    number = index * planes + plane + 1
    if number >= room:
        raise UsageError(
            f"the loopbacks' network has {room} addresses a tier", code="FABRIC_NETWORKS",
            path="--loopback-network", found=str(networks.loopbacks), allowed=f"room for {tier} {index}",
            hint="give a larger network",
        )  # fmt: skip
    start = int(networks.loopbacks.network_address) + TIERS.index(tier) * room
    return IPv4Interface((start + number, 32))


def rail_plan(fabric: Fabric, names: Names, networks: Networks) -> Iterator[RailAddress]:
    """Address, gateway, leaf and port of every NIC of every node, in the order of the cable map."""
    request = fabric.request
    leaves = {
        name: (plane, index)
        for plane in range(request.planes)
        for index, name in enumerate(names.checked(request.planes).switch_names("leaf", plane, fabric.leaf))
    }
    blocks: dict[str, IPv4Network] = {}
    for cable in cables(fabric, names):
        if cable.tier != "node_leaf" or cable.rail is None:
            continue
        if cable.target not in blocks:
            blocks[cable.target] = leaf_block(fabric, networks, *leaves[cable.target])
        switch, host = link(blocks[cable.target], cable.target_port)
        yield RailAddress(
            cable.source, cable.plane, cable.rail, str(cable.source_port), host, switch.ip, cable.target,
            cable.target_port,
        )  # fmt: skip
