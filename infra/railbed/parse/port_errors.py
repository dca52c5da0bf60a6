"""Error counters of rails' ports, as `grep -sH` prints the kernel's files: ``PATH:VALUE``. Pure; other lines are left out.

InfiniBand and RoCE: ``/sys/class/infiniband/DEVICE/ports/PORT/counters/NAME`` (Linux, ABI/stable/sysfs-class-infiniband).
Ethernet: ``/sys/class/net/INTERFACE/carrier_down_count`` (Linux, ABI/testing/sysfs-class-net).
"""

from __future__ import annotations

import re

LINE = re.compile(
    r"^/sys/class/(?:infiniband/(?P<device>[\w.-]+)/ports/\d+/counters|net/(?P<netdev>[\w.-]+))/(?P<name>\w+):(?P<value>\d{1,20})$"
)
Key = tuple[str, str]
"""Device or interface, and name of the counter."""
Counts = dict[Key, int]


def files(device: str, netdev: str, names: tuple[str, ...], port: int = 1) -> list[str]:
    """The files of one card: of its RDMA device, or without one of its interface. The interface of an InfiniBand port also loses
    its carrier when the subnet manager restarts, which is no fault of the link."""
    if device:
        return [f"/sys/class/infiniband/{device}/ports/{port}/counters/{name}" for name in names]
    return [f"/sys/class/net/{netdev}/carrier_down_count"] if netdev else []


def read(text: str) -> Counts:
    """Every counter that the text has."""
    found: Counts = {}
    for line in text.splitlines():
        if match := LINE.match(line.strip()):
            found[match["device"] or match["netdev"], match["name"]] = int(match["value"])
    return found
