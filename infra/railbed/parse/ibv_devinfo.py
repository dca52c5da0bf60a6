"""Reads ibv_devinfo (rdma-core), also with -v: each RDMA device, its ports and GIDs. Never raises on any text."""

from __future__ import annotations

import re
from typing import Any

from railbed.parse.lines import bare_lines, bounded
from railbed.parse.numbers import integer
from railbed.parse.rdma_names import rails

DEVICE = re.compile(r"^hca_id:\s*(\S+)$")
PORT = re.compile(r"^\s+port:\s*(\d{1,5})$")
GID = re.compile(r"^\s+GID\[\s*(\d{1,5})\]:\s*(\S+?)(?:,\s*(.*))?$")
FACT = re.compile(r"^\s+(\w[\w ]*?):\s*(.*)$")
CONTINUED = re.compile(r"^\s+[A-Z][A-Z0-9_]+$|^\s+Unknown flags: ")
SIZE = re.compile(r"^(\d{1,9})(?: \(\d+\))?$")
ERROR = re.compile(r"^(?:Failed|No IB devices|.*(?:not found|wasn't found))", re.IGNORECASE)
PORT_FACTS = ("state", "max_mtu", "active_mtu", "sm_lid", "port_lid", "port_lmc", "link_layer")
CODE = re.compile(r"^(\w+) \(\d+\)$")


def _value(name: str, text: str) -> Any:
    sized, coded = SIZE.match(text), CODE.match(text)
    if name in ("max_mtu", "active_mtu") and sized:
        return int(sized.group(1))
    if coded:  # "PORT_ACTIVE (4)", "InfiniBand (0)"
        return coded.group(1)
    as_integer = integer(text)
    return text if as_integer is None else as_integer


def plain(text: str) -> dict[str, Any]:
    """Devices as JSON data: ``transport``, ``fw_ver``, ``board_id``, ports with state, MTU in bytes, link layer, GIDs."""
    devices: list[dict[str, Any]] = []
    errors: list[str] = []
    unread: list[str] = []
    target: dict[str, Any] = {}
    for line in bare_lines(text):
        device, port, gid, fact = DEVICE.match(line), PORT.match(line), GID.match(line), FACT.match(line)
        if device:
            target = {"name": device.group(1), "ports": []}
            devices.append(target)
        elif port and devices:
            target = {"port": int(port.group(1)), "gids": []}
            devices[-1]["ports"].append(target)
        elif gid and "gids" in target:
            target["gids"].append(
                {"index": int(gid.group(1)), "gid": gid.group(2), "type": gid.group(3) or ""}
            )
        elif fact and devices and fact.group(1) not in ("ports", "gids", "name", "port"):
            target[fact.group(1)] = _value(fact.group(1), fact.group(2).strip())
        elif ERROR.match(line):
            errors.append(line)
        elif not (devices and CONTINUED.match(line)):
            unread.append(line)
    layers = [(d["name"], str(port.get("link_layer", ""))) for d in devices for port in d["ports"]]
    return {"devices": devices, "rails": rails(layers), "errors": bounded(errors), "unread": bounded(unread)}
