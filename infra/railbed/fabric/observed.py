"""An observed fabric, whatever tool printed it: links between ports, named as the plan names them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from railbed.errors import UsageError
from railbed.parse import iblinkinfo, ibnetdiscover, ibsim_net, lldp

MANAGED = re.compile(r"^[A-Za-z0-9]{1,8};([^:;]+):[^/]*/\w+$")
"""How a managed NVIDIA switch describes itself: ``MF0;leaf1:MQM9700/U1``."""
AGGREGATION = "Mellanox Technologies Aggregation Node"
"""The reduction engine inside an InfiniBand switch: it shows as a device on a port of its own, and has no cable."""
SPLIT_PORT = re.compile(r"^swp(\d+)s(\d+)$")
LAST_NUMBER = re.compile(r"(\d{1,9})\D{0,64}$")


class Port(NamedTuple):
    """One end of a cable: a switch and the number of its port, or a node and its NIC."""

    device: str
    port: str

    def __str__(self) -> str:
        return f"{self.device} port {self.port}" if self.port.isdigit() else f"{self.device} {self.port}"


class Link(NamedTuple):
    """One link; width in lanes; unknown numbers are None."""

    one: Port
    other: Port
    width: int | None
    gbps: float | None


@dataclass
class Observed:
    """What was seen."""

    form: str
    links: list[Link] = field(default_factory=list)
    down: set[Port] = field(default_factory=set)
    devices: set[str] = field(default_factory=set)
    reporters: set[str] | None = None
    """Devices whose ports would all show; None: the file covers the whole fabric."""
    ignored: int = 0
    """Links that are no cables."""
    unread: int = 0
    """Lines that were not understood."""


READERS: tuple[tuple[str, Callable[[str], bool], Callable[[str], dict[str, Any]]], ...] = (
    ("lldp", lambda text: text.lstrip()[:1] in ("{", "["), lldp.plain),
    ("iblinkinfo", lambda text: "] ==(" in text, iblinkinfo.plain),
    ("ibnetdiscover", lambda text: "guid=0x" in text or " 0x" in text, ibnetdiscover.plain),
    ("ibsim", lambda text: re.search(r"^(Switch|Ca|Hca)\s", text, re.MULTILINE) is not None, ibsim_net.plain),
)


def read(text: str, where: str, devices: Collection[str]) -> Observed:
    """The fabric in ``text``; ``devices`` are the plan's, by which short names are matched to long ones.

    Raises UsageError for a text in which no reader finds a link or a port.
    """
    for _, fits, plain in READERS:
        if fits(text):
            document = plain(text)
            if document["links"] or document["down"]:
                return of(document, devices)
    raise UsageError(
        "no fabric can be read from this file",
        code="FABRIC_NOT_READ",
        path=where,
        allowed="ibnetdiscover, ibnetdiscover -p, iblinkinfo, lldpcli -f json with each host named, or an ibsim net file",
        hint="`railbed parse TOOL FILE` shows what could be read",
    )


def of(document: dict[str, Any], devices: Collection[str]) -> Observed:
    """What a reader's document says; ``devices`` as for ``read``."""
    planned = frozenset(devices)
    by_interface = document["format"] == "lldp"
    kinds = {device["device"]: device["kind"] for device in document["devices"]}
    found = Observed(document["format"], unread=document["unread_lines"])

    def port(end: list[Any]) -> Port:
        device, number = end
        if by_interface:
            return _ethernet(str(device), str(number), planned)
        return _infiniband(str(device), int(number), kinds.get(device), planned)

    for link in document["links"]:
        one, other = link["ends"]
        if AGGREGATION in (one[0], other[0]):
            found.ignored += 1
            continue
        found.links.append(Link(port(one), port(other), link["width"], link["gbps"]))
    found.down = {port(end) for end in document["down"]}
    found.devices = {end.device for end in _ends(found)}
    if by_interface:
        found.reporters = {_short(name, planned) for name in document["reporters"]}
    return found


def _ends(found: Observed) -> Iterator[Port]:
    yield from found.down
    for link in found.links:
        yield link.one
        yield link.other


def _infiniband(description: str, port: int, kind: str | None, planned: frozenset[str]) -> Port:
    managed = MANAGED.match(description)
    if managed:
        return Port(_short(managed[1], planned), str(port))
    host, blank, nic = description.partition(" ")
    if kind == "switch" or not blank or description in planned:
        return Port(_short(description, planned), str(port))
    return Port(_short(host, planned), nic if port == 1 else f"{nic}/{port}")


def _ethernet(device: str, port: str, planned: frozenset[str]) -> Port:
    """A switch port goes by its number: swp6, Ethernet6, Eth1/6 and 6 are the same; swp6s1 is not."""
    name = _short(device, planned)
    number = LAST_NUMBER.search(port)
    if (
        name in planned
        and not SPLIT_PORT.match(port)
        and number
        and (port.isdigit() or _SWITCHLIKE.match(port))
    ):
        return Port(name, number[1])
    return Port(name, port)


_SWITCHLIKE = re.compile(
    r"^(swp|etp|port|Ethernet|Eth|Et|et-|xe-|ge-|GigabitEthernet|FourHundredGigE|HundredGigE)[\d/:-]"
)


def _short(name: str, planned: frozenset[str]) -> str:
    """A host's name without its domain, where the plan knows it so."""
    short = name.split(".", 1)[0]
    return short if name not in planned and short in planned else name
