"""Which RDMA devices are rails, and in which order.

A rail is known by its device number. Where InfiniBand and Ethernet devices mix, the InfiniBand ones are the rails and the
Ethernet ones the front-end. Whether a link is up does not select: a rail that is down is still a rail.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

INFINIBAND, ETHERNET = "InfiniBand", "Ethernet"
NUMBERS = re.compile(r"\d+|\D+")
IPOIB = re.compile(r"^ib(?:[ospxn]?\d|P\d)|^ib$")
"""Kernel and systemd name IPoIB interfaces ``ib0``, ``ibp26s0``, ``ibs6f1``, ``ibo2``, ``ibP1p2s0``."""


def link_layer(netdev: str) -> str:
    """What an interface's name says about the device under it; empty where it has none."""
    if not netdev:
        return ""
    return INFINIBAND if IPOIB.match(netdev) else ETHERNET


def device_order(name: str) -> list[tuple[int, int, str]]:
    """Sort key that puts mlx5_2 before mlx5_10."""
    return [
        (0, int(part[:18]), part) if part[0].isdecimal() and part.isascii() else (1, 0, part)
        for part in NUMBERS.findall(name)
    ]


def rails(devices: Iterable[tuple[str, str]]) -> list[str]:
    """Rails of (device, link layer) pairs, each once, in device-number order."""
    layers: dict[str, str] = {}
    for name, layer in devices:
        layers[name] = layers.get(name) or layer
    mixed = {INFINIBAND, ETHERNET} <= set(layers.values())
    chosen = [name for name, layer in layers.items() if not mixed or layer == INFINIBAND]
    return sorted(chosen, key=device_order)
