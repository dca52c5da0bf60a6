"""GIDs of RoCE rails: the addresses that RDMA may use on a port (sysfs-class-infiniband, `ports/*/gids`)."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

import pytest

from railbed.validate.node.observe import gids
from railbed.validate.node.probe import Finding, Probe

RDMA = "/sys/class/infiniband"
KIND = "RoCE v2"
"""Routed over UDP, which leaf switches sort by DSCP; RoCE v1 stays in its Ethernet segment."""


def _addresses(probe: Probe, device: str) -> list[str]:
    """IPv4 addresses that the port has a RoCE v2 GID of; its first port, as a rail's card has one."""
    found = []
    for one in gids(probe, f"{RDMA}/{device}/ports/1"):
        try:
            mapped = ipaddress.IPv6Address(one["gid"]).ipv4_mapped
        except ValueError:
            continue
        if mapped is not None and one["type"] == KIND:
            found.append(str(mapped))
    return found


def rail_gids(probe: Probe, want: dict[str, Any]) -> Finding:
    """Every rail's port has a RoCE v2 GID of the rail's address; where the provider gives the address, of any IPv4 address."""
    rails = [rail for rail in want["rails"] if rail.get("device")]
    expected = len(want["rails"])
    if not rails or len(rails) < expected:
        return Finding("unproven", "nobody said which devices the rails are", expected=expected, unit="NICs")
    bad = {}
    for rail in rails:
        wanted, found = rail["address"].split("/")[0], _addresses(probe, rail["device"])
        if not found or (wanted and wanted not in found):
            has = f"has {', '.join(found)}" if found else "has none of IPv4"
            there = has if probe.names(f"{RDMA}/{rail['device']}") else "is not there"
            bad[f"rail {rail['index']}"] = (
                f"{rail['device']} {there}, not {wanted or 'a RoCE v2 GID of IPv4'}"
            )
    measured = expected - len(bad)
    if bad:
        reason = "; ".join(f"{part}: {why}" for part, why in bad.items())
        return Finding("fail", reason, measured, "NICs", expected, tuple(bad))
    return Finding("pass", "every rail has its RoCE v2 GID", measured, "NICs", expected)


@pytest.mark.claim("fabric.gid")
def test_rail_gids(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(rail_gids(probe, want))
