"""Reads ibstat (infiniband-diags): each adapter and its ports. Never raises on any text."""

from __future__ import annotations

import re
from typing import Any

from railbed.parse.lines import bare_lines, bounded
from railbed.parse.numbers import number
from railbed.parse.rdma_names import rails

ADAPTER = re.compile(r"^CA '([^']+)'$")
PORT = re.compile(r"^\s+Port (\d{1,5}):$")
FACT = re.compile(r"^\s+([A-Z][\w ]*?):\s*(.*)$")
ERROR = re.compile(r"^(?:ibpanic|ibwarn|stat of|.*can't be found|.*No such)", re.IGNORECASE)
ADAPTER_FACTS = {
    "CA type": "type", "Firmware version": "firmware", "Hardware version": "hardware", "Node GUID": "node_guid",
    "System image GUID": "system_guid", "Number of ports": "number_of_ports",
}  # fmt: skip
PORT_FACTS = {
    "State": "state", "Physical state": "physical_state", "Rate": "rate_gbps", "Base lid": "lid", "SM lid": "sm_lid",
    "Port GUID": "guid", "Link layer": "link_layer", "LMC": "lmc", "Capability mask": "capability_mask",
}  # fmt: skip


def plain(text: str) -> dict[str, Any]:
    """Adapters as JSON data, and ``rails`` as ibdev2netdev's parser has them.

    A rate that ibstat does not know is null; ``IB`` and ``InfiniBand`` are the same layer.
    """
    devices: list[dict[str, Any]] = []
    errors: list[str] = []
    unread: list[str] = []
    target: dict[str, Any] = {}
    names: dict[str, str] = {}
    for line in bare_lines(text):
        adapter, port, fact = ADAPTER.match(line), PORT.match(line), FACT.match(line)
        if adapter:
            target, names = {"name": adapter.group(1), "ports": []}, ADAPTER_FACTS
            devices.append(target)
        elif port and devices:
            target, names = {"port": int(port.group(1))}, PORT_FACTS
            devices[-1]["ports"].append(target)
        elif fact and fact.group(1) in names:
            name = names[fact.group(1)]
            target[name] = _value(name, fact.group(2))
        elif ERROR.match(line):
            errors.append(line)
        else:
            unread.append(line)
    layers = [(d["name"], str(port.get("link_layer", ""))) for d in devices for port in d["ports"]]
    return {"devices": devices, "rails": rails(layers), "errors": bounded(errors), "unread": bounded(unread)}


def _value(name: str, text: str) -> Any:
    if name in ("rate_gbps", "lid", "sm_lid", "lmc", "number_of_ports"):
        found = number(text.split(" ")[0]) if text else None
        return (
            None
            if found is None or found != found or found < 0
            else int(found)
            if found == int(found)
            else found
        )
    return {"IB": "InfiniBand"}.get(text, text) if name == "link_layer" else text
