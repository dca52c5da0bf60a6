"""PCI ACS above GPUs and network cards: off, or GPUDirect RDMA takes the way over the root complex."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from railbed.validate.node import lockdown
from railbed.validate.node.acs import controls
from railbed.validate.node.probe import Finding, Probe


def acs(probe: Probe, _: dict[str, Any]) -> Finding:
    """No bridge above a GPU or a card redirects."""
    found = controls(probe.root or "/")
    unread = [address for address, value in found.items() if value is None]
    on = {address: value for address, value in found.items() if value}
    if on:
        shown = ", ".join(f"{address} ({value:#06x})" for address, value in sorted(on.items()))
        if why := lockdown.remedy(probe, "turn ACS off in the machine's firmware setup"):
            return Finding("unproven", f"ACS is on in {shown}; {why}", len(on), "bridges", 0)
        return Finding("fail", f"ACS is on in {shown}", len(on), "bridges", 0, ("pcie",))
    if unread:
        return Finding("unproven", f"registers of {', '.join(unread)} cannot be read", None, "bridges", 0)
    return Finding("pass", f"off in all {len(found)} bridges that have it", 0, "bridges", 0)


@pytest.mark.claim("node.acs")
def test_acs(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(acs(probe, want))
