"""Reads `ibnetdiscover` (infiniband-diags): the topology, or with -p its report of ports, which also names those down.

Never raises on any text. Devices go by their node description: identifiers change with a replaced part.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from railbed.parse.lines import LINE_KEPT, bounded

DEVICE = re.compile(
    r'^(Switch|Ca|Hca|Rt)\s+(\d{1,5})\s+"([^"]{1,128})"\s*(?:#\s*(?:"([^"]*)")?.*)?$', re.IGNORECASE
)
PORT = re.compile(
    r'^\[(\d{1,5})\](?:\[[^\]]*\])*(?:\([0-9a-fA-Fx]+\))?\s+"([^"]{1,128})"\s*\[(\d{1,5})\](?:\[[^\]]*\])*'
    r"(?:\([0-9a-fA-Fx]+\))?\s*(?:#\s*(.*))?$"
)
LINE_RATE = re.compile(r"\b(\d{1,2})x([A-Z]{3}[0-9]{0,2})\b")
NAME = re.compile(r'"([^"]*)"')
REPORT = re.compile(
    r"^(SW|CA|RT)\s+\d+\s+(\d{1,5})\s+0x[0-9a-f]+\s+(\d{1,2})x\s+(\S+)\s+"
    r"(?:-\s+(SW|CA|RT)\s+\d+\s+(\d{1,5})\s+0x[0-9a-f]+\s+\( '(.*)' \)|'(.*)')$"
)
HEADER = re.compile(r"^(#|vendid=|devid=|sysimgguid=|switchguid=|caguid=|rtguid=|DR path|Chassis |$)")
LANE_GBPS = {
    "SDR": 2.5, "DDR": 5.0, "QDR": 10.0, "FDR10": 10.0, "FDR": 14.0,
    "EDR": 25.0, "HDR": 50.0, "NDR": 100.0, "XDR": 200.0,
}  # fmt: skip
"""Data rate of one lane (InfiniBand Architecture Specification, volume 1)."""
MAX_LINE = 4096
KINDS = {"switch": "switch", "sw": "switch", "rt": "router"}


class End(NamedTuple):
    """One port of one device."""

    device: str
    port: int


class Fabric:
    """What has been read so far; the two lines of a link become one."""

    def __init__(self) -> None:
        self.devices: dict[str, dict[str, Any]] = {}
        self.links: dict[tuple[End, End], dict[str, Any]] = {}
        self.down: dict[End, None] = {}
        self.unread: list[str] = []

    def device(self, name: str, kind: str, ports: int | None) -> None:
        """Adds a device; a second one of the same description only makes its port count known."""
        known = self.devices.setdefault(
            name, {"device": name, "kind": KINDS.get(kind.lower(), "nic"), "ports": ports}
        )
        known["ports"] = known["ports"] or ports

    def link(self, one: End, other: End, width: int | None, speed: str | None) -> None:
        """Adds a link as one end reports it; of two reports the slower counts."""
        lane = LANE_GBPS.get(speed or "")
        rate = lane * width if lane and width else None
        ends = (one, other) if one <= other else (other, one)
        link = {"ends": [list(end) for end in ends], "width": width, "speed": speed, "gbps": rate}
        known = self.links.setdefault(ends, link)
        if known["gbps"] is None or (rate is not None and rate < known["gbps"]):
            self.links[ends] = link

    def plain(self, form: str) -> dict[str, Any]:
        """As JSON data."""
        return {
            "format": form,
            "devices": list(self.devices.values()),
            "links": list(self.links.values()),
            "down": [list(end) for end in self.down],
            "unread": bounded(self.unread),
            "unread_lines": len(self.unread),
        }

    def not_read(self, line: str) -> None:
        """Keeps a line that was not understood."""
        self.unread.append(line[: LINE_KEPT + 1])


def plain(text: str) -> dict[str, Any]:
    """The fabric as JSON data: devices, links (each once, with both ends), ports that are down, lines not understood.

    ``gbps`` is the data rate of a link, null where the speed is unknown.
    """
    found = Fabric()
    topology(text, found, report=True)
    return found.plain("ibnetdiscover")


def topology(text: str, found: Fabric, *, report: bool) -> None:
    """Reads a topology into ``found``; with ``report`` the lines of `ibnetdiscover -p` too."""
    lines = [line.rstrip() for line in text.splitlines()]
    names = _names(lines)
    current: str | None = None
    for line in lines:
        if len(line) > MAX_LINE:
            found.not_read(line)
        elif device := DEVICE.match(line):
            current = names[device[3]]
            found.device(current, device[1], int(device[2]))
        elif (port := PORT.match(line)) and current is not None:
            comment = port[4] or ""
            remote = names.get(port[2]) or next(iter(NAME.findall(comment)), port[2])
            width, speed = rate_of(comment)
            found.link(End(current, int(port[1])), End(remote, int(port[3])), width, speed)
        elif report and (report_line := REPORT.match(line)):
            _report(report_line, found)
        elif not HEADER.match(line):
            found.not_read(line)


def _names(lines: list[str]) -> dict[str, str]:
    """Identifier → description; a device without one goes by its identifier."""
    devices = [device for line in lines if len(line) <= MAX_LINE and (device := DEVICE.match(line))]
    return {device[3]: (device[4] or "").strip() or device[3] for device in devices}


def rate_of(text: str) -> tuple[int | None, str | None]:
    """``(lanes, speed name)`` of ``4xHDR`` at the end of a comment."""
    found = LINE_RATE.findall(text)
    return (int(found[-1][0]), found[-1][1]) if found else (None, None)


def _report(line: re.Match[str], found: Fabric) -> None:
    kind, port, width, speed, far_kind, far_port, names, alone = line.groups()
    if alone is not None:
        found.device(alone, kind, None)
        found.down[End(alone, int(port))] = None
        return
    name, between, far_name = names.rpartition("' - '")
    if not between:
        found.not_read(line.string)
        return
    found.device(name, kind, None)
    found.device(far_name, far_kind, None)
    found.link(End(name, int(port)), End(far_name, int(far_port)), int(width), speed)
