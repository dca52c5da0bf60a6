"""What a BMC shows less of than the catalogue says of the machine's kind. Pure; what a BMC does not show is no shortfall."""

from __future__ import annotations

from railbed.catalog.machines import Machine
from railbed.effects.bmc.inventory import Inventory

MIB_PER_GIB = 1024
KEPT = 0.02
"""Share of the memory that firmware may keep for itself: less than one module of 32."""


def gpus(have: Inventory, kind: Machine) -> str:
    """Too few GPUs, in words; empty where the count is right, or the BMC lists no GPUs at all."""
    if not have.gpus or have.gpus >= kind.gpus:
        return ""
    return f"{have.gpus} GPUs, {kind.key} has {kind.gpus}"


def memory(have: Inventory, kind: Machine) -> str:
    """Too little memory, in words; empty where it is enough, or where BMC or catalogue do not say."""
    if not have.memory_gib or not kind.known_memory_mib:
        return ""
    expected = kind.known_memory_mib / MIB_PER_GIB
    if have.memory_gib >= expected * (1 - KEPT):
        return ""
    return f"{have.memory_gib:g} GiB of memory, {kind.key} has {expected:g}"
