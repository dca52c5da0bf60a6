"""The rails' network interfaces."""

from __future__ import annotations

import json
from typing import Any

from railbed.validate.node.probe import Finding, Probe, Symptom


def _symptoms(probe: Probe, rail: dict[str, Any], addresses: dict[str, list[str]]) -> list[Symptom]:
    name, subject = rail["netdev"], f"rail {rail['index']}"
    base = f"/sys/class/net/{name}"
    state = (probe.read(f"{base}/operstate") or "").strip()
    if not state:
        return [Symptom("nic-missing", subject, f"{name} does not exist")]
    found = []
    # "unknown" is what drivers without link detection report; the carrier then tells.
    carrier = (probe.read(f"{base}/carrier") or "").strip()
    if state not in ("up", "unknown") or carrier != "1":
        told = f"{name} is {state}, {'with' if carrier == '1' else 'no'} carrier"
        found.append(Symptom("nic-down", subject, told))
    mtu = (probe.read(f"{base}/mtu") or "").strip()
    if rail["mtu"] and mtu != str(rail["mtu"]):  # 0: nobody published it
        found.append(Symptom("nic-mtu", subject, f"{name} has MTU {mtu or 'unknown'}, not {rail['mtu']}"))
    if rail["address"] and rail["address"] not in addresses.get(name, []):
        held = ", ".join(addresses.get(name, [])) or "no address"
        found.append(Symptom("nic-address", subject, f"{name} has {held}, not {rail['address']}"))
    return found


def nics(probe: Probe, want: dict[str, Any]) -> Finding:
    """Every rail's interface exists, is up with carrier, and has its address and MTU."""
    rails = want["rails"]
    expected = len(rails)
    if not rails or any(not rail["netdev"] for rail in rails):
        return Finding("unproven", "nobody published what this machine's rail interfaces are called")
    answer = probe.run(["ip", "-j", "-4", "address", "show"])
    if answer.code != 0:
        return Finding("unproven", f"`ip address` failed: {answer.first_line}", expected=expected)
    try:
        links = json.loads(answer.out or "[]")
    except ValueError:
        return Finding("unproven", "`ip -j address` printed no JSON", expected=expected)
    addresses = {
        link["ifname"]: [f"{a['local']}/{a['prefixlen']}" for a in link.get("addr_info", [])]
        for link in links if "ifname" in link
    }  # fmt: skip
    symptoms = [one for rail in rails for one in _symptoms(probe, rail, addresses)]
    bad = tuple(dict.fromkeys(one.subject for one in symptoms))
    measured = expected - len(bad)
    if symptoms:
        told = "; ".join(one.text for one in symptoms)
        return Finding("fail", told, measured, "NICs", expected, bad, tuple(symptoms))
    return Finding("pass", "every rail is up with its address and MTU", measured, "NICs", expected)
