"""The rails' network cards: interfaces where rails carry IP, RDMA ports where they do not."""

from __future__ import annotations

import json
import re
from typing import Any

from railbed.validate.node.probe import Finding, Probe, Symptom

RDMA = "/sys/class/infiniband"
RATE_TOLERANCE = 0.01
"""A link of another speed is at least a tenth away."""


def _port(probe: Probe, rail: dict[str, Any]) -> list[Symptom]:
    """A rail without an address of its own (InfiniBand, EFA): its port is active, and at the card's rate."""
    device, subject = rail["device"], f"rail {rail['index']}"
    port = f"{RDMA}/{device}/ports/1"
    state = (probe.read(f"{port}/state") or "").strip()
    if not state:
        return [Symptom("nic-missing", subject, f"{device} does not exist")]
    if not state.startswith("4:"):
        physical = (probe.read(f"{port}/phys_state") or "unknown").strip()
        state_text = f"{device} is {state.split(': ')[-1]} ({physical.split(': ')[-1]})"
        return [Symptom("nic-down", subject, state_text)]
    return _slow(probe, rail)


def _slow(probe: Probe, rail: dict[str, Any]) -> list[Symptom]:
    """A link that is slower than the card; one without an RDMA port has no rate."""
    device, subject, wanted = rail.get("device"), f"rail {rail['index']}", float(rail.get("rate_gbps") or 0)
    rate = re.match(r"([0-9.]+) Gb/sec", (probe.read(f"{RDMA}/{device}/ports/1/rate") or "").strip())
    if wanted and rate and float(rate[1]) < wanted * (1 - RATE_TOLERANCE):
        return [Symptom("nic-rate", subject, f"{device} runs at {rate[1]} Gb/s, not {wanted:g}")]
    return []


def _interface(probe: Probe, rail: dict[str, Any], addresses: dict[str, list[str]]) -> list[Symptom]:
    name, subject = rail["netdev"], f"rail {rail['index']}"
    base = f"/sys/class/net/{name}"
    state = (probe.read(f"{base}/operstate") or "").strip()
    if not state:
        return [Symptom("nic-missing", subject, f"{name} does not exist")]
    found = []
    # "unknown" is what drivers without link detection report; the carrier then decides.
    carrier = (probe.read(f"{base}/carrier") or "").strip()
    if state not in ("up", "unknown") or carrier != "1":
        reason = f"{name} is {state}, {'with' if carrier == '1' else 'no'} carrier"
        found.append(Symptom("nic-down", subject, reason))
    mtu = (probe.read(f"{base}/mtu") or "").strip()
    if rail["mtu"] and mtu != str(rail["mtu"]):  # 0: nobody published it
        found.append(Symptom("nic-mtu", subject, f"{name} has MTU {mtu or 'unknown'}, not {rail['mtu']}"))
    if rail["address"] and rail["address"] not in addresses.get(name, []):
        current = ", ".join(addresses.get(name, [])) or "no address"
        found.append(Symptom("nic-address", subject, f"{name} has {current}, not {rail['address']}"))
    return found or _slow(probe, rail)


def _addresses(probe: Probe) -> dict[str, list[str]]:
    """Interface → its IPv4 addresses. Raises ValueError where `ip` does not list them."""
    answer = probe.run(["ip", "-j", "-4", "address", "show"])
    if answer.code != 0:
        raise ValueError(f"`ip address` failed: {answer.first_line}")
    try:
        links = json.loads(answer.out or "[]")
    except ValueError:
        raise ValueError("`ip -j address` printed no JSON") from None
    return {
        link["ifname"]: [f"{a['local']}/{a['prefixlen']}" for a in link.get("addr_info", [])]
        for link in links if "ifname" in link
    }  # fmt: skip


def nics(probe: Probe, want: dict[str, Any]) -> Finding:
    """Every rail's card is up: its interface with carrier, address and MTU, or its port active and at its rate."""
    rails = want["rails"]
    expected = len(rails)
    if not rails or any(not (rail["netdev"] or rail.get("device")) for rail in rails):
        return Finding("unproven", "nobody published what this machine's rail cards are called")
    try:
        addresses = _addresses(probe) if any(rail["netdev"] for rail in rails) else {}
    except ValueError as silent:
        return Finding("unproven", str(silent), expected=expected)
    seen = [_interface(probe, rail, addresses) if rail["netdev"] else _port(probe, rail) for rail in rails]
    symptoms = [one for found in seen for one in found]
    bad = tuple(dict.fromkeys(one.subject for one in symptoms))
    measured = sum(not found for found in seen)
    if symptoms:
        reason = "; ".join(one.text for one in symptoms)
        return Finding("fail", reason, measured, "NICs", expected, bad, tuple(symptoms))
    ports = all(not rail["netdev"] for rail in rails)
    reason = (
        "every rail's port is active, at its rate" if ports else "every rail is up with its address and MTU"
    )
    return Finding("pass", reason, measured, "NICs", expected)
