"""How far apart two devices are on the PCIe tree, in the words of `nvidia-smi topo -m`."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache

ADDRESS = re.compile(r"([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])")
HOST_BRIDGE = re.compile(r"(?:pci[0-9a-f]{4,8}:[0-9a-f]{2})")
"""``pci0000:15`` in a path of sysfs: root complex and first bus."""

KEPT = 16_384
"""Answers that are remembered: the nodes of a cluster are alike, and ask the same."""


class Rank(StrEnum):
    """The legend of `nvidia-smi topo -m`, nearest first."""

    PIX = "PIX"
    """At most a single PCIe switch between them."""
    PXB = "PXB"
    """Several bridges, but not the host bridge."""
    PHB = "PHB"
    """One host bridge."""
    NODE = "NODE"
    """Several host bridges of one NUMA node."""
    SYS = "SYS"
    """The link between NUMA nodes, or nobody knows."""

    @property
    def order(self) -> int:
        """0 is nearest."""
        return ORDER[self]

    @property
    def behind_one_switch(self) -> bool:
        """Whether a PCIe switch joins them, so that data need not go through the CPU."""
        return self in (Rank.PIX, Rank.PXB)


ORDER = {rank: at for at, rank in enumerate(Rank)}


@lru_cache(KEPT)
def order(address: str) -> tuple[int, ...]:
    """Sort key of a PCI address: domain, bus, device, function. nvidia-smi numbers GPUs in this order."""
    found = ADDRESS.fullmatch(address)
    return tuple(int(part, 16) for part in found.groups()) if found else (2**32,)


@lru_cache(KEPT)
def is_address(text: str) -> bool:
    """Whether it is one, as sysfs writes it."""
    return ADDRESS.fullmatch(text) is not None


@lru_cache(KEPT)
def normal(address: str) -> str:
    """An address as sysfs writes it: nvidia-smi prints ``00000000:1B:00.0`` for ``0000:1b:00.0``."""
    found = ADDRESS.fullmatch(address.strip().lower())
    return f"{int(found[1], 16):04x}:{found[2]}:{found[3]}.{found[4]}" if found else ""


@lru_cache(KEPT)
def path(sysfs: str) -> tuple[tuple[str, ...], str]:
    """(host bridge and bridges above a device from the top down, its own address) of its path in sysfs.

    ``/sys/devices/pci0000:15/0000:15:01.0/…/0000:1b:00.0`` and what a driver hangs below it (``virtio2``). Empty where the
    device is not on the PCI bus.
    """
    steps = [part for part in sysfs.split("/") if ADDRESS.fullmatch(part) or HOST_BRIDGE.fullmatch(part)]
    hosts = [at for at, part in enumerate(steps) if HOST_BRIDGE.fullmatch(part)]
    if not hosts or not ADDRESS.fullmatch(steps[-1]):
        return (), ""
    # A Hyper-V or VMD host bridge hangs below another device: the last one is the device's own.
    return tuple(steps[hosts[-1] : -1]), steps[-1]


@lru_cache(KEPT)
def distance(
    one: tuple[str, ...], other: tuple[str, ...], one_numa: int | None, other_numa: int | None
) -> tuple[Rank, int]:
    """Rank of two devices by the bridges above them (``path``), and how many bridges lie on the way.

    A bridge that both have in common makes PIX or PXB, a host bridge PHB, else NUMA decides.
    """
    if not one or not other:
        return _by_numa(one_numa, other_numa), 0
    shared = 0
    while shared < min(len(one), len(other)) and one[shared] == other[shared]:
        shared += 1
    apart = len(one) + len(other) - 2 * shared
    if shared == 0:
        return _by_numa(one_numa, other_numa), apart
    if shared == 1:
        return Rank.PHB, apart
    # The two downstream ports of one switch are one bridge to nvidia-smi.
    single = max(len(one), len(other)) - shared <= 1
    return (Rank.PIX if single else Rank.PXB), apart


def _by_numa(one: int | None, other: int | None) -> Rank:
    return Rank.NODE if one is not None and one == other else Rank.SYS
