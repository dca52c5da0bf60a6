"""Reads ibdev2netdev (Mellanox OFED), also with -v: RDMA device ↔ network interface, and the rails among them.

Never raises on any text.
"""

from __future__ import annotations

import re
from typing import Any

from railbed.parse.lines import bare_lines, bounded
from railbed.parse.rdma_names import link_layer, rails

LINK = re.compile(
    r"^(?:[0-9a-fA-F]{4}:\S+\s+)?(\S+)\s(?:.*\s)?port\s+(\d{1,5})\s+(?:\((\w+)\)\s+)?==>\s*(\S*?)\s*\(([^()]*)\)(?:\s+#.*)?$"
)
"""``mlx5_0 port 1 ==> ib0 (Up)``; with -v bus address, part number and port state stand before."""


def plain(text: str) -> dict[str, Any]:
    """Links in the order printed, and ``rails``: device names in device-number order.

    Where InfiniBand and Ethernet devices mix, the rails are the InfiniBand ones. Link state does not select.
    """
    links: list[dict[str, Any]] = []
    unread: list[str] = []
    for line in bare_lines(text):
        match = LINK.match(line.strip())
        if not match:
            unread.append(line)
            continue
        device, port, state, netdev, up = match.groups()
        links.append(
            {
                "device": device,
                "port": int(port),
                "netdev": netdev,
                "up": up.lower() == "up",
                "port_state": state or "",
                "link_layer": link_layer(netdev),
            }
        )
    return {
        "links": links,
        "rails": rails((link["device"], link["link_layer"]) for link in links),
        "unread": bounded(unread),
    }
