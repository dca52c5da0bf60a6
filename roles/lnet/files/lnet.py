#!/usr/bin/python3
"""Gives LNet the networks that Lustre's servers are reached over. Standard library only.

usage: lnet.py SETTINGS [ROOT]

SETTINGS is JSON: networks (each with net, ``o2ib…`` or ``efa``, and servers), efa_interfaces, efa_peer_credits. What LNet has
already stays. Exit status 1, with the reason: a network has no interface here; over TCP instead nothing is configured.

The order over EFA is that of Amazon's own program (FSx for Lustre User Guide, "Configuring EFA clients"): modules, TCP, cards,
discovery, EFA preferred, and Lustre last.
"""

from __future__ import annotations

import ipaddress
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

PROGRAM_TIMEOUT_S = 120
ADDRESS = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
SHOWN = re.compile(r"^\s*(?:-\s+)?(net type|\d+):\s*(\S+)\s*$", re.M)
FIRST = "0"
"""Priority of EFA; smaller ones are preferred (lustre.org manual, user-defined selection policies)."""


class Refused(Exception):
    """What could not be configured."""


def run(*argv: str) -> str:
    """A program that must succeed. Raises Refused with its words."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=PROGRAM_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as failed:
        raise Refused(f"{argv[0]}: {failed}") from None
    if done.returncode:
        raise Refused(f"{' '.join(argv)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def configured() -> set[tuple[str, str]]:
    """Network and interface of what LNet has."""
    found, net = set(), ""
    for key, value in SHOWN.findall(run("lnetctl", "net", "show")):
        if key == "net type":
            net = value
        else:
            found.add((net, value))
    return found


def rdma(root: Path, name: str) -> bool:
    """Whether an interface, or the one that it lies on, has an RDMA device.

    The child of an InfiniBand partition has no device of its own in sysfs, but the number of its parent (Linux,
    drivers/infiniband/ulp/ipoib/ipoib_main.c, ipoib_get_iflink; ABI/testing/sysfs-class-net, iflink).
    """
    interfaces = root / "sys/class/net"
    below = number(interfaces / name / "iflink")
    own = [interfaces / name]
    own += [one for one in interfaces.glob("*") if below and number(one / "ifindex") == below]
    return any(any((one / "device/infiniband").glob("*")) for one in own)


def number(path: Path) -> int:
    """What a file of sysfs holds; 0 where it is not there."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def near(root: Path, servers: list[str]) -> list[str]:
    """Interfaces with RDMA that have an address in a server's network; else those that the way to a server takes."""
    wanted = [ipaddress.ip_address(one) for one in servers]
    found = []
    for link in json.loads(run("ip", "-json", "-4", "address", "show")):
        for one in link.get("addr_info", ()):
            own = ipaddress.ip_interface(f"{one['local']}/{one['prefixlen']}").network
            if any(server in own for server in wanted) and rdma(root, link["ifname"]):
                found.append(str(link["ifname"]))
    if not found:
        interfaces = {str(json.loads(run("ip", "-json", "route", "get", one))[0]["dev"]) for one in servers}
        found = sorted(way for way in interfaces if rdma(root, way))
        if not found:
            raise Refused(
                f"the way to {', '.join(servers)} is {', '.join(sorted(interfaces))}, which has no RDMA device: an InfiniBand "
                "interface (IPoIB) or a RoCE one needs an address of the servers' network"
            )
    return list(dict.fromkeys(found))


def efa_cards(root: Path, most: int) -> list[str]:
    """RDMA devices of EFA by PCI address, at most so many, at even distances."""
    cards = []
    for path in (root / "sys/class/infiniband").glob("*"):
        device = (path / "device").resolve()
        if (device / "driver").resolve().name == "efa":
            cards.append((device.name if ADDRESS.fullmatch(device.name) else path.name, path.name))
    names = [name for _, name in sorted(cards)]
    count = min(most, len(names))
    return [names[at * len(names) // count] for at in range(count)]


def default_way() -> str:
    """Interface of the default route."""
    routes = json.loads(run("ip", "-json", "route", "show", "default"))
    if not routes:
        raise Refused("there is no default route to reach the management server by")
    return str(routes[0]["dev"])


def over_o2ib(net: str, servers: list[str], root: Path, has: set[tuple[str, str]]) -> None:
    """Every near interface joins the network."""
    run("modprobe", "ko2iblnd")
    for name in near(root, servers):
        if (net, name) not in has:
            run("lnetctl", "net", "add", "--net", net, "--if", name)


def over_efa(settings: dict[str, Any], root: Path, has: set[tuple[str, str]]) -> None:
    """Cards beside TCP, and preferred to it."""
    cards = efa_cards(root, int(settings["efa_interfaces"]))
    if not cards:
        raise Refused("no EFA device is there: the driver is not loaded, or the machine has none")
    way = default_way()
    run("modprobe", "ksocklnd")
    run("modprobe", "kefalnd", f"ipif_name={way}")
    if not any(net == "tcp" for net, _ in has):
        run("lnetctl", "net", "add", "--net", "tcp", "--if", way)
    for card in cards:
        if ("efa", card) not in has:
            run(
                "lnetctl",
                "net",
                "add",
                "--net",
                "efa",
                "--if",
                card,
                "--peer-credits",
                str(settings["efa_peer_credits"]),
            )
    run("lnetctl", "set", "discovery", "1")
    if not re.search(r"src:\s*efa", run("lnetctl", "udsp", "show")):
        run("lnetctl", "udsp", "add", "--src", "efa", "--priority", FIRST)


def main(settings_file: Path, root: Path) -> int:
    """All networks; the first that cannot be had ends it."""
    settings = json.loads(settings_file.read_text())
    try:
        run("modprobe", "lnet")
        run("lnetctl", "lnet", "configure")
        has = configured()
        for one in settings["networks"]:
            if one["net"] == "efa":
                over_efa(settings, root, has)
            else:
                over_o2ib(one["net"], one["servers"], root, has)
            has = configured()
        run("modprobe", "lustre")
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    print(run("lnetctl", "net", "show"), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else Path("/")))
