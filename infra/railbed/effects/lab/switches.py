"""A leaf switch of a lab: a bridge whose ports are its hosts' cables, and lldpd, which shows them where they are cabled to.

A bridge hands frames of LLDP to nobody but its own ports' readers (IEEE 802.1D keeps 01-80-C2-00-00-0E to one link), so each
host hears the port that its cable ends in, and no other.
"""

from __future__ import annotations

import time
from pathlib import Path

from railbed.effects.lab import cgroups, hosts, names, network
from railbed.run import run

SCRIPT = Path(__file__).with_name("switch.sh")
SPEAKS_EVERY_S = 5
"""A switch of a site speaks every 30 s (IEEE 802.1AB, msgTxInterval); a fault of a lab should show sooner."""

UNPLUGGED_S = 2.0
"""How long a cable that is moved is in no port: both ends must see that, or what they heard before stays until it is too old."""


def ensure(lab_id: str, lab_dir: Path, rail: int, mtu: int, image: Path) -> None:
    """The switch of a rail: made if missing, up, and telling its ports; ``image`` is a tree that has lldpd."""
    switch, fabric = names.rail_switch(rail), names.fabric_namespace(lab_id)
    network.ensure_bridge(fabric, switch, mtu)
    if speaks(lab_id, lab_dir, rail):
        return
    folder = _folder(lab_dir, rail)
    folder.mkdir(parents=True, exist_ok=True)
    group = names.switch_group(lab_id, rail)
    hosts.end_processes(group)
    run(
        [
            "sh", SCRIPT, group, switch, fabric, image, _pidfile(lab_dir, rail), folder / "console.log",
            names.rail_ports(rail), str(SPEAKS_EVERY_S), *(str(one) for one in cgroups.folders(group)),
        ]
    )  # fmt: skip


def speaks(lab_id: str, lab_dir: Path, rail: int) -> bool:
    """Whether its lldpd runs."""
    return hosts.leader(_pidfile(lab_dir, rail), names.switch_group(lab_id, rail)) is not None


def remove(lab_id: str, lab_dir: Path, rail: int) -> None:
    """Ends its lldpd and takes the bridge away; fine where either is gone."""
    fabric, switch = names.fabric_namespace(lab_id), names.rail_switch(rail)
    hosts.end_processes(names.switch_group(lab_id, rail))
    _pidfile(lab_dir, rail).unlink(missing_ok=True)
    if switch in network.links(fabric):
        network.ip(fabric, "link", "del", switch)


def swap(lab_id: str, octet: int, one: int, other: int) -> None:
    """Plugs the switch-side ends of two rails' cables of a host into each other's ports; a second time back."""
    fabric = names.fabric_namespace(lab_id)
    here, there, between = names.rail_port(octet, one), names.rail_port(octet, other), f"swap-{octet}"
    network.ip_batch(fabric, [f"link set {port} down" for port in (here, there)])
    time.sleep(UNPLUGGED_S)
    network.ip_batch(
        fabric,
        [
            f"link set {here} name {between}",
            f"link set {there} name {here} master {names.rail_switch(one)}",
            f"link set {between} name {there} master {names.rail_switch(other)}",
            f"link set {here} up",
            f"link set {there} up",
        ],
    )


def _folder(lab_dir: Path, rail: int) -> Path:
    return lab_dir / "switches" / names.rail_switch(rail)


def _pidfile(lab_dir: Path, rail: int) -> Path:
    return _folder(lab_dir, rail) / "pid"
