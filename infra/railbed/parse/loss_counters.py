"""Counters of packets lost, paused and marked, of a node's rails: `grep -sH` of sysfs, then `ethtool -S` of each interface. Pure.

InfiniBand: ``counters/`` (Linux, ABI/stable/sysfs-class-infiniband). RoCE of mlx5 and EFA: ``hw_counters/`` of the same folder
(NVIDIA, "Understanding mlx5 Linux counters"; Linux, drivers/infiniband/hw/efa/efa_verbs.c). Ethernet: names of the driver.
"""

from __future__ import annotations

import re

from railbed.parse import ethtool_statistics

LINE = re.compile(
    r"^/sys/class/infiniband/(?P<device>[\w.-]+)/ports/\d+/(?:hw_)?counters/(?P<name>\w+):(?P<value>\d{1,20})$"
)
HEAD = re.compile(r"^=== ([\w.-]+)$", re.M)
Counts = dict[tuple[str, str], int]
"""Device or interface, and name of the counter → its value."""


def read(text: str) -> Counts:
    """Every counter that the text has."""
    first, *rest = HEAD.split(text)
    found: Counts = {}
    for line in first.splitlines():
        if match := LINE.match(line.strip()):
            found[match["device"], match["name"]] = int(match["value"])
    for netdev, said in zip(rest[::2], rest[1::2], strict=True):
        for name, value in ethtool_statistics.plain(said)["counters"].items():
            found[netdev, name] = value
    return found
