"""PCIe read requests of network cards, and whether what they write may overtake."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from railbed.validate.node import lockdown
from railbed.validate.node.probe import Finding, Probe
from railbed.validate.node.read_requests import read_cards

PART = "pcie"
ORDERING = re.compile(r"PCI_WR_ORDERING\s+(\S+)")


def _ordering(probe: Probe, address: str) -> str:
    """The firmware's own rule for writes, where its tool is installed: reported, no reason to fail. ``per_mkey`` leaves it to
    who registers the memory, which NCCL does."""
    match = ORDERING.search(probe.run(["mstconfig", "-d", address, "query", "PCI_WR_ORDERING"]).out)
    return f"; PCI_WR_ORDERING of {address} is {match[1]}" if match else ""


def read_requests(probe: Probe, want: dict[str, Any]) -> Finding:
    """Every card asks enough at once, and may order its writes freely."""
    least = int(want["read_request_bytes"])
    found = read_cards(probe.root or "/")
    expected = f"{least} bytes, relaxed ordering"
    if not found:
        return Finding("unproven", "no network card of a rail is there", expected=expected)
    small = {
        a: card.read_request_bytes for a, card in found.items() if card and card.read_request_bytes < least
    }
    strict = [address for address, card in found.items() if card and not card.relaxed]
    unread = [address for address, card in found.items() if card is None]
    sizes = sorted({card.read_request_bytes for card in found.values() if card})
    measured = ", ".join(map(str, sizes)) or None
    bad = [f"{address} asks {size} bytes at once" for address, size in small.items()]
    bad += [
        f"{address} may not order its writes freely: a setting of the machine's firmware"
        for address in strict
    ]
    why = lockdown.remedy(probe, f"set read requests of {least} bytes in the machine's firmware setup")
    # Whether cards may order freely is firmware's own in any case.
    if small and not strict and why:
        return Finding("unproven", f"{'; '.join(bad)}; {why}", measured, "bytes", expected)
    if bad:
        return Finding("fail", "; ".join(bad), measured, "bytes", expected, (PART,))
    if unread:
        return Finding(
            "unproven", f"registers of {', '.join(unread)} cannot be read", measured, "bytes", expected
        )
    reason = (
        f"{len(found)} cards ask {measured} bytes at once, and order freely{_ordering(probe, min(found))}"
    )
    return Finding("pass", reason, measured, "bytes", expected)


@pytest.mark.claim("node.read_requests")
def test_read_requests(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(read_requests(probe, want))
