"""Where an InfiniBand partition is in the tables of a node's cards. Pure.

A queue pair names its partition by a place in the port's table, which the subnet manager fills in an order of its own; NCCL takes
one place for all cards (NCCL_IB_PKEY; its net_ib.cc gives it to ``pkey_index``), and 0 by default. A limited member
reaches full members only, so that nodes that share a partition are full ones (InfiniBand Architecture 1.4, 10.9.3).
"""

from __future__ import annotations

from collections.abc import Sequence

from railbed.hardware.observation import Nic

FULL = 0x8000
"""Bit of a key that makes its port a full member."""


def place(nics: Sequence[Nic], pkey: int) -> tuple[int | None, str]:
    """The place at which every card is a full member of partition ``pkey``, or None and why there is none."""
    found: dict[str, int] = {}
    for nic in nics:
        at = [index for index, key in sorted(nic.pkeys.items()) if key == pkey | FULL]
        if not at:
            limited = pkey in nic.pkeys.values()
            membership = "is a limited member of" if limited else "is not in"
            return None, f"{nic.device} {membership} partition {pkey:#06x}"
        found[nic.device] = at[0]
    if len(set(found.values())) > 1:
        places = ", ".join(f"{device} at {index}" for device, index in found.items())
        return None, f"partition {pkey:#06x} is not at one place in the tables of all cards: {places}"
    return (next(iter(found.values())), "") if found else (None, "no card was mapped")
