"""Rails that carry IP: their interfaces, addresses and classes of traffic, as sysfs, ip(8) and dcb(8) of iproute2 tell them."""

from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.replay.node import Machine

CLASSES = [[26, 3], [48, 6]]
"""DSCP → priority of data and of congestion notifications, as role `rails` sets them."""
PAUSED = 3
POINTS = ("roce_np", "roce_rp")
LINK_LOCAL = "fe80:0000:0000:0000:a288:c2ff:fe03:0001"


def interfaces(machine: Machine) -> dict[str, tuple[str, int]]:
    """RDMA device → its interface and rail, of the rails' cards; none where rails carry no IP."""
    if not machine.node.rails[0].address:
        return {}
    cards = [nic for switch in machine.kind["switches"] for nic in switch["nics"]]
    return {nic["rdma"]: (nic["netdev"], rail) for rail, nic in enumerate(cards)}


def write(machine: Machine) -> None:
    """The interfaces' files."""
    for device, (name, rail) in interfaces(machine).items():
        card = machine.facts["cards"][device]
        if card["there"]:
            up = card["state"].startswith("4:")
            base = f"/sys/class/net/{name}"
            machine.tree.write(f"{base}/operstate", "up\n" if up else "down\n")
            machine.tree.write(f"{base}/carrier", "1\n" if up else "0\n")
            machine.tree.write(f"{base}/mtu", f"{card['mtu'] or machine.node.rails[rail].mtu}\n")
            # As NVIDIA's driver shows it; the kernel's own shows nothing.
            for point in POINTS if card["congestion"] != "not shown" else ():
                machine.tree.write(f"{base}/ecn/{point}/enable/{PAUSED}", f"{card['congestion']}\n")
            _gids(machine, device, card["address"] or machine.node.rails[rail].address)


def _gids(machine: Machine, device: str, address: str) -> None:
    """The port's addresses for RDMA, of the link and of the rail (sysfs-class-infiniband): RoCE v1 and v2 of each."""
    mapped = ipaddress.IPv6Address(f"::ffff:{address.split('/')[0]}").exploded
    rows = [(LINK_LOCAL, kind) for kind in ("IB/RoCE v1", "RoCE v2")]
    if machine.facts["cards"][device]["gid"]:
        rows += [(mapped, kind) for kind in ("IB/RoCE v1", "RoCE v2")]
    for place, (gid, kind) in enumerate(rows):
        port = f"/sys/class/infiniband/{device}/ports/1"
        machine.tree.write(f"{port}/gids/{place}", gid + "\n")
        machine.tree.write(f"{port}/gid_attrs/types/{place}", kind + "\n")


def ip(machine: Machine) -> str:
    """`ip -j -4 address show`."""
    rows = []
    for device, (name, rail) in interfaces(machine).items():
        local, _, length = (
            machine.facts["cards"][device]["address"] or machine.node.rails[rail].address
        ).partition("/")
        rows.append(
            {"ifname": name, "addr_info": [{"family": "inet", "local": local, "prefixlen": int(length)}]}
        )
    return json.dumps(rows)


def dcb(machine: Machine, words: list[str]) -> str:
    """`dcb -j app|pfc show dev NAME WHAT`."""
    name = words[words.index("dev") + 1]
    card: dict[str, Any] = next(
        machine.facts["cards"][device] for device, (own, _) in interfaces(machine).items() if own == name
    )
    if "app" in words:
        return json.dumps({"dscp_prio": CLASSES if card["classes"] else []})
    return json.dumps({"prio_pfc": [priority == PAUSED and card["classes"] for priority in range(8)]})


def no_gid(machine: Machine, device: str, address: str) -> str:
    """What the probe of rails says of a card without its GID; empty where it has it, or needs none."""
    if not interfaces(machine) or machine.facts["cards"][device]["gid"]:
        return ""
    return f"{device} has no RoCE v2 GID of {address or 'IPv4'}"
