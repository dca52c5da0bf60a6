"""A plan as InfiniBand tools write a fabric: a net file for ibsim, and what `ibnetdiscover` would print."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from railbed.errors import UsageError
from railbed.fabric.cables import Cable, cables
from railbed.fabric.names import Names
from railbed.fabric.rule import Fabric

SWITCH_GUID = 0x5000_0000_0000_0000
CA_GUID = 0xC000_0000_0000_0000
FOUR_LANES_GBPS = {
    "SDR": 10.0, "DDR": 20.0, "QDR": 40.0, "FDR": 56.0,
    "EDR": 100.0, "HDR": 200.0, "NDR": 400.0, "XDR": 800.0,
}  # fmt: skip
"""Data rate of four lanes, Gb/s (InfiniBand Architecture Specification, vol. 1)."""
SIMULATED = ("SDR", "DDR", "QDR", "FDR", "EDR", "HDR")
"""Those that ibsim 0.10 knows; it refuses a net file with any other."""


@dataclass
class Device:
    """A switch, or one NIC of a node with its one port."""

    description: str
    is_switch: bool
    ports: dict[int, tuple[Device, int]] = field(default_factory=dict)
    guid: int = 0

    @property
    def id(self) -> str:
        """The name in an ibsim net file: the description without blanks."""
        return ("S-" if self.is_switch else "H-") + self.description.replace(" ", "-")


def ibsim(fabric: Fabric, names: Names, rate_gbps: float) -> Iterator[str]:
    """Lines of a net file for `ibsim -s`; speeds beyond ibsim's fastest are written as that one, and marked so."""
    speed = _simulated_speed(rate_gbps)
    real = f"{rate_gbps:g} Gb/s"
    yield f"# railbed fabric plan for ibsim: simulated; a link of {real} is written as 4x{speed}\n\n"
    for device in devices(fabric, names):
        if device.is_switch:
            yield f'Switch\t{fabric.request.radix} "{device.id}"\t\t# "{device.description}" enhanced port 0 lid 0 lmc 0\n'
        else:
            yield f'Ca\t1 "{device.id}"\t\t# "{device.description}"\n'
        for port, (peer, far) in sorted(device.ports.items()):
            own = "" if device.is_switch else f'lid 0 lmc 0 "{peer.description}" '
            other = own or f'"{peer.description}" '
            yield f'[{port}]\t"{peer.id}"[{far}]\t\t# {other}lid 0 4x{speed}\n'
        yield "\n"


def ibnetdiscover(fabric: Fabric, names: Names, rate_gbps: float) -> Iterator[str]:
    """Lines that `ibnetdiscover` would print of the built fabric; identifiers are made up from the order of devices."""
    speed = _speed(rate_gbps)
    yield "#\n# Topology file: planned by railbed, not discovered\n#\n"
    for device in devices(fabric, names):
        guid = f"{device.guid:016x}"
        yield f"\nvendid=0x0\ndevid=0x0\nsysimgguid=0x{guid}\n"
        if device.is_switch:
            yield f"switchguid=0x{guid}({guid})\n"
            yield f'Switch\t{fabric.request.radix} "S-{guid}"\t\t# "{device.description}" enhanced port 0 lid 0 lmc 0\n'
        else:
            yield f'caguid=0x{guid}\nCa\t1 "H-{guid}"\t\t# "{device.description}"\n'
        for port, (peer, far) in sorted(device.ports.items()):
            there = f'"{"S" if peer.is_switch else "H"}-{peer.guid:016x}"[{far}]'
            if device.is_switch:
                by = "" if peer.is_switch else f"({peer.guid + 1:x})"
                yield f'[{port}]\t{there}{by}\t\t# "{peer.description}" lid 0 4x{speed}\n'
            else:
                yield f'[{port}]({device.guid + 1:x})\t{there}\t\t# lid 0 lmc 0 "{peer.description}" lid 0 4x{speed}\n'


def devices(fabric: Fabric, names: Names) -> list[Device]:
    """Switches in the order of the map, then NICs; each knows what is at its ports."""
    switches: dict[str, Device] = {}
    nics: dict[str, Device] = {}
    for cable in cables(fabric, names):
        upper = switches.setdefault(cable.target, Device(cable.target, True))
        if cable.tier == "node_leaf":
            lower = nics.setdefault(described(cable), Device(described(cable), False))
            port = 1
        else:
            lower = switches.setdefault(cable.source, Device(cable.source, True))
            port = int(cable.source_port)
        lower.ports[port] = (upper, cable.target_port)
        upper.ports[cable.target_port] = (lower, port)
    for index, switch in enumerate(switches.values()):
        switch.guid = SWITCH_GUID + index
    for index, nic in enumerate(nics.values()):
        nic.guid = CA_GUID + 2 * index
    return [*switches.values(), *nics.values()]


def described(cable: Cable) -> str:
    """The node description of the NIC at the lower end, as drivers set it: host name, blank, device."""
    return f"{cable.source} {cable.source_port}"


def _speed(rate_gbps: float) -> str:
    """The name of a four-lane link of this rate. Raises UsageError for a rate that InfiniBand does not have."""
    for name, known in FOUR_LANES_GBPS.items():
        if known == rate_gbps:
            return name
    raise UsageError(
        "InfiniBand has no four-lane link of this rate",
        code="FABRIC_SPEED",
        path="--link-gbps",
        found=rate_gbps,
        allowed=", ".join(f"{rate:g} ({name})" for name, rate in FOUR_LANES_GBPS.items()),
    )


def _simulated_speed(rate_gbps: float) -> str:
    """The name that stands for this rate in ibsim: its own, or the fastest that ibsim has."""
    return next((n for n in SIMULATED if FOUR_LANES_GBPS[n] == rate_gbps), SIMULATED[-1])
