"""Reads `lnetctl net show`, also with -v: the node's own interfaces of each LNet network, with their counters. Never raises.

It is YAML whose indentation differs between Lustre's versions; each fact stands on a line of its own with its key, and only these
lines are read.
"""

from __future__ import annotations

import re
from typing import Any

from railbed.parse.lines import bounded

INTERFACE = re.compile(r"^\d{1,3}$")
COUNTS = ("send_count", "recv_count", "drop_count")
MOST_DIGITS = 20


def plain(text: str) -> dict[str, Any]:
    """``networks``: each with ``net`` (``o2ib``, ``tcp1`` …) and its ``nids``. A counter that is not printed is None."""
    networks: list[dict[str, Any]] = []
    unread: list[str] = []
    # Not as launchers' logs: what stands before the first colon of `0: ib0` is a fact here.
    for line in filter(str.strip, text.splitlines()):
        key, colon, value = (part.strip() for part in line.partition(":"))
        key = key.removeprefix("-").lstrip()
        if not colon:
            unread.append(line)
            continue
        nid = networks[-1]["nids"][-1] if networks and networks[-1]["nids"] else None
        if key == "net type":
            networks.append({"net": value, "nids": []})
        elif key == "nid" and networks:
            networks[-1]["nids"].append(
                {"nid": value, "status": "", "interfaces": [], **dict.fromkeys(COUNTS)}
            )
        elif nid is not None and key == "status":
            nid["status"] = value
        elif nid is not None and INTERFACE.match(key):
            nid["interfaces"].append(value)
        elif nid is not None and key in COUNTS and value.isdecimal() and len(value) <= MOST_DIGITS:
            nid[key] = int(value)
    return {"networks": networks, "unread": bounded(unread)}
