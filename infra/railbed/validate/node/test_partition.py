"""InfiniBand partition: every rail's port is a full member, at the one place in NCCL's settings (sysfs, `ports/*/pkeys`)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from railbed.validate.node.probe import Finding, Probe

RDMA, NCCL = "/sys/class/infiniband", "/etc/nccl.conf"
FULL = 0x8000
"""Bit of a key that makes its port a full member (InfiniBand Architecture 1.4, 10.9.3)."""
KEY = re.compile(r"0x[0-9a-f]{4}")
PKEY_LINE = re.compile(r"^NCCL_IB_PKEY=(\d+)\s*$", re.M)


def _table(probe: Probe, device: str) -> dict[int, int]:
    """Place → key, of the first port: a rail's card has one."""
    folder = f"{RDMA}/{device}/ports/1/pkeys"
    read = {
        name: (probe.read(f"{folder}/{name}") or "").strip()
        for name in probe.names(folder)
        if name.isdecimal()
    }
    return {int(name): int(key, 16) for name, key in read.items() if KEY.fullmatch(key)}


def partition(probe: Probe, want: dict[str, Any]) -> Finding:
    """One place for all cards: NCCL has one number for all of them, 0 by default."""
    pkey, rails = want["pkey"], [rail for rail in want["rails"] if rail.get("device")]
    expected = f"{pkey | FULL:#06x} on every rail"
    if not pkey or not rails:
        return Finding(
            "unproven", "nobody said which devices the rails are, or which partition", expected=expected
        )
    places: dict[int, int] = {}
    for rail in rails:
        table = _table(probe, rail["device"])
        if not table:
            there = probe.names(f"{RDMA}/{rail['device']}")
            why = f"the table of partition keys of {rail['device']} cannot be read"
            why = why if there else f"blocked by node.nics: {rail['device']} is not there"
            return Finding("unproven", why, expected=expected)
        at = [place for place, key in sorted(table.items()) if key == pkey | FULL]
        if not at:
            membership = "is a limited member of" if pkey in table.values() else "is not in"
            why = f"rail {rail['index']} ({rail['device']}) {membership} partition {pkey:#06x}"
            return Finding("fail", why, "", "", expected, (f"rail {rail['index']}",))
        places[rail["index"]] = at[0]
    if len(set(places.values())) > 1:
        membership = ", ".join(f"rail {index} at {place}" for index, place in places.items())
        return Finding(
            "fail", f"the partition has no one place: {membership}", membership, "", expected, ("rails",)
        )
    place = next(iter(places.values()))
    found = PKEY_LINE.search(probe.read(NCCL) or "")
    asked = int(found[1]) if found else 0
    if asked != place:
        why = f"NCCL takes place {asked} of the tables, and the partition is at {place}"
        return Finding("fail", why, asked, "", place, ("nccl",))
    return Finding("pass", f"at place {place} on {len(rails)} cards, which NCCL takes", place, "", expected)


@pytest.mark.claim("node.partition")
def test_partition(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(partition(probe, want))
