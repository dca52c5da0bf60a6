"""What each Ethernet switch of a fabric is: its number, addresses, and what is at each port. From the cable map.

Autonomous systems follow RFC 7938: every leaf has a number of its own, the spines of a pod share one, the cores of a
plane share one. A route that comes back to the tier that it left is then refused, and there is no path hunting.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv4Network

from railbed.errors import UsageError
from railbed.fabric import Cable, Fabric, Names
from railbed.fabric.cables import cables
from railbed.platforms.metal.switches.addresses import Networks, leaf_block, link, loopback
from railbed.platforms.metal.switches.facts import facts

PLANE_NUMBERS, SPINES_FROM, CORES_FROM = 1_000_000, 900_000, 990_000
"""Numbers of a plane, and where among them those of spines and cores begin."""


@dataclass(frozen=True)
class Port:
    """One cabled port."""

    number: int
    """As in the cable map, from 1."""
    peer: str
    """Node, or switch."""
    peer_port: str | int
    """NIC of a node, or the number of a switch's port."""
    address: IPv4Interface | None
    """Of the link to a node; links between switches have none (BGP unnumbered)."""

    @property
    def to_switch(self) -> bool:
        """Whether the other end is a switch too."""
        return self.address is None


@dataclass
class Switch:
    """One switch."""

    name: str
    tier: str
    plane: int
    index: int
    pod: int
    """Group of spines and their leaves; 0 where a plane has one."""
    asn: int
    loopback: IPv4Interface
    block: IPv4Network | None
    """Addresses behind a leaf."""
    ports: dict[int, Port] = field(default_factory=dict)


def switches(fabric: Fabric, names: Names, networks: Networks) -> list[Switch]:
    """All switches, plane by plane, leaves first. Raises UsageError where numbers or addresses do not suffice."""
    networks.checked()
    made = {switch.name: switch for switch in _unported(fabric, names, networks)}
    for cable in cables(fabric, names):
        _plug(made, cable)
    return list(made.values())


def _unported(fabric: Fabric, names: Names, networks: Networks) -> list[Switch]:
    request = fabric.request
    named = names.checked(request.planes)
    counts = {"leaf": fabric.leaf, "spine": fabric.spine, "core": fabric.core}
    found = []
    for plane in range(request.planes):
        for tier, count in counts.items():
            for index, name in enumerate(named.switch_names(tier, plane, count)):
                pod = _pod(fabric, tier, index)
                found.append(
                    Switch(
                        name, tier, plane, index, pod, _number(tier, plane, index, pod),
                        loopback(networks, tier, request.planes, plane, index),
                        leaf_block(fabric, networks, plane, index) if tier == "leaf" else None,
                    )
                )  # fmt: skip
    return found


def _pod(fabric: Fabric, tier: str, index: int) -> int:
    if not fabric.core or tier == "core":
        return 0
    return index // (fabric.half if tier == "leaf" else fabric.up)


def _number(tier: str, plane: int, index: int, pod: int) -> int:
    place = {"leaf": index, "spine": SPINES_FROM + pod, "core": CORES_FROM}[tier]
    bound = {"leaf": SPINES_FROM, "spine": CORES_FROM, "core": PLANE_NUMBERS}[tier]
    number = facts().asn_first + plane * PLANE_NUMBERS + place
    if place >= bound or number > facts().asn_last:
        raise UsageError(
            "there are not enough private autonomous system numbers for this fabric", code="FABRIC_RANGE",
            path="--planes", found=f"plane {plane}, {tier} {index}",
            allowed=f"{SPINES_FROM} leaves a plane, numbers up to {facts().asn_last}",
        )  # fmt: skip
    return number


def _plug(made: dict[str, Switch], cable: Cable) -> None:
    """Puts both ends of a cable into the switches. Raises UsageError for a port that has one already."""
    upper = made[cable.target]
    if cable.tier == "node_leaf":
        assert upper.block is not None, "a node's cable ends at a leaf"
        address = link(upper.block, cable.target_port)[0]
        _end(upper, Port(cable.target_port, cable.source, cable.source_port, address))
        return
    lower = made[cable.source]
    port = int(cable.source_port)
    _end(lower, Port(port, upper.name, cable.target_port, None))
    _end(upper, Port(cable.target_port, lower.name, port, None))


def _end(switch: Switch, port: Port) -> None:
    if port.number in switch.ports:
        raise UsageError(
            "two cables of the map end at one port", code="FABRIC_PORT_TWICE", path=switch.name, found=port.number,
        )  # fmt: skip
    switch.ports[port.number] = port
