"""Reads a topology file of NCCL (NCCL_TOPO_FILE, NCCL_TOPO_DUMP_FILE): below which bridges each device hangs. Never raises.

A document with entities, attribute defaults or namespaces of its own is not read: NCCL writes none, and each can make a short
text long.
"""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from railbed.parse.lines import bounded
from railbed.parse.numbers import integer

REFUSED = ("<!ENTITY", "<!ATTLIST", "<!DOCTYPE", "xmlns")
MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 16
"""A card behind two cascaded switches has seven elements around it."""
BRIDGE = "0x0604"
"""PCI class of a bridge (PCI Code and ID Assignment)."""


def plain(text: str) -> dict[str, Any]:
    """``devices``: address, PCI class, NUMA node, and the bridges above it from the CPU down."""
    devices: list[dict[str, Any]] = []
    start = text.find("<system")
    if start < 0 or len(text) > MAX_BYTES or any(word in text for word in REFUSED):
        return {"devices": [], "unread": bounded([line for line in text.splitlines() if line.strip()])}
    parser: ElementTree.XMLPullParser[ElementTree.Element] = ElementTree.XMLPullParser(
        events=("start", "end")
    )
    above: list[str] = []
    numa: int | None = None
    try:
        parser.feed(text[start:])
        parser.close()
        for entry in parser.read_events():
            event, element = entry[0], entry[-1]
            if not isinstance(element, ElementTree.Element):
                continue
            if element.tag == "cpu":
                numa = integer(element.get("numaid", "")) if event == "start" else None
                above = [f"cpu{element.get('numaid', '')}"] if event == "start" else []
            elif element.tag == "pci" and element.get("class", "").startswith(BRIDGE):
                if event == "start":
                    above.append(element.get("busid", ""))
                else:
                    above.pop()
            elif element.tag == "pci" and event == "start":
                devices.append(
                    {
                        "address": element.get("busid", "").lower(),
                        "class": element.get("class", ""),
                        "numa": numa,
                        "above": above[:MAX_DEPTH],
                    }
                )
    except ElementTree.ParseError as broken:
        return {"devices": [], "unread": bounded([f"no XML: {broken}"])}
    return {"devices": devices, "unread": []}
