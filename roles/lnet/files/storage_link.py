#!/usr/bin/python3
"""Gives one interface its address of the storage network, through systemd-networkd. Standard library only.

usage: storage_link.py SETTINGS [ROOT [WAIT_S]]

SETTINGS is JSON; of it ``link``: address with prefix length, interface (``auto``, ``rail-N``, an RDMA device or an interface)
and rails (RDMA devices of each). Exit status 1, with the reason: there is no such interface, others may be meant too, or it is
an Ethernet rail.

Over InfiniBand the interface is one of IPoIB in datagram mode. Its MTU is left to the kernel, which takes the multicast group's
of the subnet manager less 4 bytes (docs.kernel.org, infiniband/ipoib). The file is in /run: it is made anew at every boot, by
what the machine has then.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

PROGRAM_TIMEOUT_S = 60
WAIT_S = 60.0
"""For interfaces after their module was loaded, for links, and for the address."""
PAUSE_S = 0.5
SETTLE_S = 10.0
"""For links that come later than another one's: the first of two must not be taken for the only one."""
INFINIBAND = "32"
"""ARPHRD_INFINIBAND (linux/if_arp.h)."""
NETWORK = "run/systemd/network/04-railbed-storage.network"
"""Before what an installer writes (netplan: ``10-…``): of several files the first that fits is taken (systemd.network(5))."""
RAIL = "etc/systemd/network/05-railbed-{name}.network"
"""Of an Ethernet rail (role rails), with its address and routes: the file above would be taken instead of it."""
TEXT = """# Written by railbed (role lnet): the address by which LNet reaches Lustre's servers.
[Match]
Name={name}

[Link]
RequiredForOnline=no

[Network]
Address={address}
LinkLocalAddressing=no
IPv6AcceptRA=no
"""
IPOIB = """
[IPoIB]
Mode=datagram
"""


class Refused(Exception):
    """Why no interface gets the address."""


class NotYet(Refused):
    """The same, where a link or a driver may still come."""


@dataclass(frozen=True)
class Link:
    """One interface of an RDMA device."""

    name: str
    device: str
    infiniband: bool
    active: bool

    def __str__(self) -> str:
        return f"{self.name} ({self.device}, {'link' if self.active else 'no link'})"


def links(root: Path) -> list[Link]:
    """Interfaces with an RDMA device; not those of partitions, whose parent is meant."""
    found = []
    for path in sorted((root / "sys/class/net").glob("*")):
        devices = sorted((path / "device/infiniband").glob("*"))
        if not devices or (path / "parent").exists():
            continue
        port = int(read(path / "dev_port") or 0) + 1
        state = read(devices[0] / f"ports/{port}/state")
        found.append(Link(path.name, devices[0].name, read(path / "type") == INFINIBAND, "ACTIVE" in state))
    return found


def read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def chosen(found: list[Link], wanted: str, rails: list[list[str]], *, settled: bool = True) -> Link:
    """The interface of the storage network. Raises Refused where it is not there, or not the only one.

    ``settled``: whether links that are not there by now are not waited for.
    """
    if wanted != "auto":
        return _named(found, wanted, rails)
    of_rails = {device for rail in rails for device in rail}
    ports = [one for one in found if one.infiniband]
    others = [one for one in ports if one.device not in of_rails]
    if not ports:
        raise NotYet(
            "this machine has no InfiniBand interface, and its filesystem is mounted over @o2ib. With an Ethernet card that "
            "speaks RoCE to the servers, name it (`storage_interface`). A controller without either mounts over TCP: "
            "`storage_network: {controllers: false, …}`"
        )
    if rails and not of_rails:
        if len(ports) == 1:
            return ports[0]
        raise Refused(
            f"the rails of this node are not known, and the storage network may be on any of {_all(ports)}: {NAME}"
        )
    if not others:
        return _named(found, "rail-0", rails)
    up = [one for one in others if one.active]
    if not up:
        raise NotYet(f"of the cards that are no rail's none has a link: {_all(others)}")
    if len(others) > len(up) and not settled:
        raise NotYet(f"other cards may still get a link: {_all(others)}")
    if len(up) > 1:
        raise Refused(f"the storage network may be on any of {_all(up)}: {NAME}")
    return up[0]


NAME = "name one (`storage_interface` of the machine or of its pool)"


def _named(found: list[Link], wanted: str, rails: list[list[str]]) -> Link:
    names = {wanted}
    rail = wanted[len("rail-") :] if wanted.startswith("rail-") else ""
    if rail.isdecimal():
        if int(rail) >= len(rails) or not rails[int(rail)]:
            raise Refused(f"no card of rail {rail} is known on this machine")
        names = {rails[int(rail)][0]}
    for one in found:
        if names & {one.name, one.device}:
            return one
    raise NotYet(f"{', '.join(names)} is no interface with an RDMA device; there are {_all(found)}")


def _all(some: list[Link]) -> str:
    return ", ".join(map(str, some)) or "none"


def addresses() -> dict[str, list[str]]:
    """Interface → its IPv4 addresses with prefix length."""
    links = json.loads(run("ip", "-json", "-4", "address", "show"))
    return {
        link["ifname"]: [f"{one['local']}/{one['prefixlen']}" for one in link.get("addr_info", ())]
        for link in links
        if link
    }


def run(*argv: str) -> str:
    """A program that must succeed. Raises Refused with its words."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=PROGRAM_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as failed:
        raise Refused(f"{argv[0]}: {failed}") from None
    if done.returncode:
        raise Refused(f"{' '.join(argv)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def give(root: Path, link: Link, address: str, until: float) -> None:
    """Writes the file where it is not so already, and waits for the address. Raises Refused for an Ethernet rail."""
    if (root / RAIL.format(name=link.name)).exists():
        raise Refused(
            f"{link.name} is an Ethernet rail, a routed link to its leaf switch: it would lose the rail's address and routes. "
            "Name a card that is no rail's (`storage_interface`)"
        )
    holds = [name for name, own in addresses().items() if address in own and name != link.name]
    if holds:
        raise Refused(
            f"{holds[0]} has {address} already, and {link.name} should: boot the machine once no job is on it"
        )
    path, text = (
        root / NETWORK,
        TEXT.format(name=link.name, address=address) + (IPOIB if link.infiniband else ""),
    )
    if read(path) != text.strip():
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".new")
        beside.write_text(text)
        # The service that reads it is not root's.
        beside.chmod(0o644)
        beside.replace(path)
        run("networkctl", "reload")
    while address not in addresses().get(link.name, ()):
        if time.monotonic() > until:
            raise Refused(f"{link.name} did not get {address}: `networkctl status {link.name}` tells why")
        time.sleep(PAUSE_S)


def main(settings_file: Path, root: Path, wait_s: float = WAIT_S) -> int:
    """Chooses, as soon as there is something to choose from, and gives the address."""
    link = json.loads(settings_file.read_text())["link"]
    begun = time.monotonic()
    until = begun + wait_s
    while True:
        try:
            settled = time.monotonic() > begun + min(SETTLE_S, wait_s)
            one = chosen(links(root), link["interface"], link["rails"], settled=settled)
            give(root, one, link["address"], until + wait_s)
        except Refused as refused:
            if isinstance(refused, NotYet) and time.monotonic() < until:
                time.sleep(PAUSE_S)
                continue
            print(refused, file=sys.stderr)
            return 1
        print(f"{one} has {link['address']}")
        return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path((sys.argv[2:] or ["/"])[0]), float((sys.argv[3:] or [WAIT_S])[0])))
