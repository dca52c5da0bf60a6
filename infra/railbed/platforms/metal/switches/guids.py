"""Identifiers of an InfiniBand fabric as `ibnetdiscover` printed it: which GUID is which switch, NIC and port."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from railbed.errors import UsageError
from railbed.fabric.observed import MANAGED

DEVICE = re.compile(r'^(Switch|Ca)\s+\d+\s+"[SH]-([0-9a-fA-F]{1,16})"\s+#\s*"([^"]*)"')
PORT = re.compile(r"^\[1\](?:\[[^\]]*\])*\(([0-9a-fA-F]{1,16})\)")
WIDTH = 16


@dataclass
class Guids:
    """Names → GUIDs, as ``0x`` and 16 digits."""

    switches: dict[str, str] = field(default_factory=dict)
    """Name of a switch → its GUID."""
    ports: dict[str, str] = field(default_factory=dict)
    """``host device`` → GUID of the NIC's port, which partitions are made of."""
    twice: list[str] = field(default_factory=list)
    """Names that two devices have."""


def read(text: str, where: str) -> Guids:
    """The identifiers in the output of `ibnetdiscover`. Raises UsageError where there are none."""
    found, nic = Guids(), ""
    for line in text.splitlines():
        if device := DEVICE.match(line):
            kind, guid, description = device.groups()
            nic = _name(description) if kind == "Ca" else ""
            if kind == "Switch":
                _keep(found, found.switches, _name(description), guid)
        elif nic and (port := PORT.match(line)):
            _keep(found, found.ports, nic, port[1])
            nic = ""
    if not found.switches and not found.ports:
        raise UsageError(
            "no GUID can be read from this file", code="FABRIC_NOT_READ", path=where,
            allowed="the output of `ibnetdiscover`",
        )  # fmt: skip
    return found


def _name(description: str) -> str:
    """``leaf1`` of ``MF0;leaf1:MQM9700/U1``; a host without its domain."""
    managed = MANAGED.match(description)
    host, blank, device = (managed[1] if managed else description.strip()).partition(" ")
    return f"{host.split('.', 1)[0]}{blank}{device}"


def _keep(found: Guids, into: dict[str, str], name: str, guid: str) -> None:
    if name in into:
        found.twice.append(name)
    into[name] = written(guid)


def written(guid: str) -> str:
    """A GUID as all files write it."""
    return f"0x{guid.lower().removeprefix('0x').rjust(WIDTH, '0')}"
