"""Reads ibdev2netdev (Mellanox OFED), also with -v: RDMA device ↔ network interface, and the rails among them.

Never raises on any text.
"""

from __future__ import annotations

import re
from typing import Any

from railbed.parse.lines import bare_lines, bounded
from railbed.parse.rdma_names import link_layer, rails

ARROW = "==>"
"""``mlx5_0 port 1 ==> ib0 (Up)``; with -v bus address, part number and port state stand before."""
BUS = re.compile(r"^[0-9a-fA-F]{4}:")
PORT = re.compile(r"^\d{1,5}$")
STATE = re.compile(r"^\((\w+)\)$")
NETDEV = re.compile(r"^(\S*?)\s*\(([^()]*)\)(?:\s+#.*)?$")


def _link(line: str) -> dict[str, Any] | None:
    """The link in a line; None where it holds none."""
    before, arrow, after = line.strip().partition(ARROW)
    words, end = before.split(), NETDEV.match(after.strip())
    if not arrow or not before[-1:].isspace() or end is None:
        return None
    state = STATE.match(words[-1]) if len(words) > 3 else None
    if state:
        words.pop()
    if len(words) < 3 or words[-2] != "port" or not PORT.match(words[-1]):
        return None
    device = words[1] if len(words) > 3 and BUS.match(words[0]) else words[0]
    return {
        "device": device,
        "port": int(words[-1]),
        "netdev": end.group(1),
        "up": end.group(2).lower() == "up",
        "port_state": state.group(1) if state else "",
        "link_layer": link_layer(end.group(1)),
    }


def plain(text: str) -> dict[str, Any]:
    """Links in the order printed, and ``rails``: device names in device-number order.

    Where InfiniBand and Ethernet devices mix, the rails are the InfiniBand ones. Link state does not select.
    """
    links: list[dict[str, Any]] = []
    unread: list[str] = []
    for line in bare_lines(text):
        link = _link(line)
        if link is None:
            unread.append(line)
        else:
            links.append(link)
    return {
        "links": links,
        "rails": rails((link["device"], link["link_layer"]) for link in links),
        "unread": bounded(unread),
    }
