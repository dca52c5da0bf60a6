"""Switches, links and shaping of a lab, all inside network namespaces of its own."""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from railbed.effects.lab import names
from railbed.run import Result, run

NETNS_DIR = Path("/run/netns")
SHAPER_LATENCY = "50ms"
UNFINISHED = "-new"
MANAGEMENT = "mgmt0"
"""Interface of a host on the management network."""
CONTROL_HOST = 254
"""Last octet of railbed's own address on the management network."""


@dataclass(frozen=True)
class RailPort:
    """One rail of one host: ``address`` with prefix length, rate in Mbit/s (10⁶ bit/s), burst in KiB."""

    index: int
    address: str
    mtu: int
    rate_mbit: float
    burst_kib: int


def exists(namespace: str) -> bool:
    return (NETNS_DIR / namespace).exists()


def ip(namespace: str, *words: str, check: bool = True) -> Result:
    """``ip`` inside a namespace of the lab; never in the machine's own."""
    return run(["ip", "-n", namespace, *words], check=check)


def nft(namespace: str, *lines: str) -> None:
    """nftables' commands inside a namespace of the lab, all or none."""
    run(["ip", "netns", "exec", namespace, "nft", "-f", "-"], stdin="\n".join(lines) + "\n")


def ip_batch(namespace: str, lines: list[str]) -> None:
    """Several ``ip`` commands at once; stops at the first that fails."""
    run(["ip", "-n", namespace, "-batch", "-"], stdin="\n".join(lines) + "\n")


def ensure_namespace(name: str) -> None:
    """A namespace: made if missing, or if a kill left its name without one behind it."""
    if exists(name) and not os.path.ismount(NETNS_DIR / name):
        (NETNS_DIR / name).unlink()
    if not exists(name):
        run(["ip", "netns", "add", name])
    ip(name, "link", "set", "lo", "up")


def links(namespace: str) -> dict[str, dict[str, Any]]:
    """Interfaces of a namespace by name, as ``ip -json -details link`` lists them; empty where it is gone."""
    if not exists(namespace):
        return {}
    shown = ip(namespace, "-json", "-details", "link", "show", check=False)
    return {link["ifname"]: link for link in json.loads(shown.stdout or "[]") if "ifname" in link}


def ensure_bridge(fabric: str, name: str, mtu: int) -> None:
    """A switch: made if missing, brought to its MTU and up."""
    if name not in links(fabric):
        ip(fabric, "link", "add", name, "type", "bridge")
    ip(fabric, "link", "set", name, "mtu", str(mtu), "up")


def ensure_control(lab_id: str, management_cidr: str, mtu: int) -> None:
    """railbed's own place on the management network."""
    network = ipaddress.ip_network(management_cidr)
    control = names.control_namespace(lab_id)
    address = f"{network.network_address + CONTROL_HOST}/{network.prefixlen}"
    ensure_management(lab_id, control, address, CONTROL_HOST, mtu)


def ensure_management(
    lab_id: str, namespace: str, address: str, octet: int, mtu: int, *, beyond: bool = False
) -> None:
    """Cables a namespace to the management network; an existing cable is brought up.

    ``beyond``: the address is that of a virtual machine beyond the cable's end, which gets none.
    """
    if MANAGEMENT in links(namespace):
        ip(namespace, "link", "set", MANAGEMENT, "up")
    else:
        port = names.management_port(lab_id, octet)
        plug(names.fabric_namespace(lab_id), namespace, MANAGEMENT, port, names.MANAGEMENT_SWITCH,
             "" if beyond else address, mtu, mac(0, octet, end=beyond))  # fmt: skip


def mac(segment: int, octet: int, *, end: bool = False) -> str:
    """Locally administered, the same at every build: segment 0 is management, rail r is r + 1.

    ``end``: of a cable's end that a virtual machine's NIC is bridged to. A bridge keeps frames to its ports' own addresses,
    so it must be another than the NIC's.
    """
    return f"02:{91 if end else 90}:00:00:{segment:02x}:{octet:02x}"


def plug(
    fabric: str, host: str, interface: str, port: str, switch: str, address: str, mtu: int, hwaddr: str
) -> None:
    """Cables ``interface`` of a host to ``port`` of a switch, replacing what is left of a cable cut half-way. An empty
    ``address``: none.

    The interface gets its name last: whoever finds it finds a whole cable, also after a kill in between.
    """
    ip(fabric, "link", "del", port, check=False)
    unfinished = f"{interface}{UNFINISHED}"
    ip_batch(
        fabric,
        [
            f"link add {port} mtu {mtu} numtxqueues 1 type veth peer name {unfinished} mtu {mtu} address {hwaddr} "
            f"numtxqueues 1 netns {host}",
            f"link set {port} master {switch} up",
        ],
    )
    ip_batch(
        host,
        [
            *([f"addr add {address} dev {unfinished}"] if address else []),
            f"link set {unfinished} name {interface}",
            f"link set {interface} up",
        ],
    )


def shape(namespace: str, interface: str, rate_mbit: float, burst_kib: int) -> None:
    """Limits what leaves ``interface``."""
    run(
        [
            "ip", "netns", "exec", namespace, "tc", "qdisc", "replace", "dev", interface, "root", "handle", "1:", "tbf",
            "rate", f"{round(rate_mbit * 1000)}kbit", "burst", f"{burst_kib}kb", "latency", SHAPER_LATENCY,
        ]
    )  # fmt: skip


def shaped_mbit(namespace: str, interfaces: set[str]) -> dict[str, float]:
    """Rate in Mbit/s of each shaped interface; 0 for one without a shaper."""
    if not exists(namespace):
        return {}
    shown = run(["ip", "netns", "exec", namespace, "tc", "-json", "qdisc", "show"], check=False)
    rates = dict.fromkeys(interfaces, 0.0)
    for qdisc in json.loads(shown.stdout or "[]"):
        if qdisc.get("dev") in interfaces and qdisc.get("kind") == "tbf":
            rate = qdisc.get("options", {}).get("rate", 0)
            # Some releases of tc print tbf's rate in byte/s as a number, others as text with its unit.
            rates[qdisc["dev"]] = _mbit(rate) if isinstance(rate, str) else rate * 8 / 1e6
    return rates


def _mbit(text: str) -> float:
    match = re.fullmatch(r"([\d.]+)\s*([KMG]?)bit", text)
    return float(match[1]) * {"": 1e-6, "K": 1e-3, "M": 1.0, "G": 1e3}[match[2]] if match else 0.0


def ensure_rail(
    lab_id: str,
    host: str,
    octet: int,
    rail: RailPort,
    there: dict[str, dict[str, Any]],
    ports: Collection[str],
    *,
    beyond: bool = False,
) -> None:
    """Cables and shapes one rail of a host. ``there`` are the host's interfaces as seen before, ``ports`` the switches';
    ``beyond`` as above."""
    fabric, space = names.fabric_namespace(lab_id), names.namespace(lab_id, host)
    interface, port = f"rail{rail.index}", names.rail_port(octet, rail.index)
    if interface not in there or there[interface].get("mtu") != rail.mtu or port not in ports:
        if interface in there:
            ip(space, "link", "del", interface)
        plug(fabric, space, interface, port, names.rail_switch(rail.index), "" if beyond else rail.address, rail.mtu,
             mac(rail.index + 1, octet, end=beyond))  # fmt: skip
    else:
        ip(fabric, "link", "set", port, "up")
        ip(space, "link", "set", interface, "up")
    shape(space, interface, rail.rate_mbit, rail.burst_kib)
    shape(fabric, port, rail.rate_mbit, rail.burst_kib)


def observed_rails(lab_id: str, host: str, octet: int, rails: list[RailPort]) -> list[dict[str, Any]]:
    """Each rail as it is now: the lower of both ends' rates, MTU, and whether both ends are up."""
    fabric, space = names.fabric_namespace(lab_id), names.namespace(lab_id, host)
    near, far = links(space), links(fabric)
    ports = {rail.index: names.rail_port(octet, rail.index) for rail in rails}
    near_rates = shaped_mbit(space, {f"rail{rail.index}" for rail in rails})
    far_rates = shaped_mbit(fabric, set(ports.values()))
    seen = []
    for rail in rails:
        here, there = near.get(f"rail{rail.index}"), far.get(ports[rail.index])
        up = all(end is not None and "UP" in end.get("flags", []) for end in (here, there))
        rate = min(near_rates.get(f"rail{rail.index}", 0.0), far_rates.get(ports[rail.index], 0.0))
        seen.append(
            {
                "index": rail.index, "address": rail.address, "burst_kib": rail.burst_kib,
                "mtu": here.get("mtu", 0) if here else 0, "rate_mbit": round(rate, 3) if up else 0.0,
            }
        )  # fmt: skip
    return seen
