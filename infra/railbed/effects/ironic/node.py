"""One machine's fields in Ironic, as JSON data. Pure."""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

from railbed.effects.bmc import disks
from railbed.effects.bmc.system import System

SERIAL, OWNER, ENROLLED, DESCRIBED, PREPARING, PREPARED, DEPLOYED, WRITTEN, KEY = (
    f"railbed_{name}"
    for name in (
        "serial",
        "owner",
        "enrolled",
        "described",
        "preparing",
        "prepared",
        "deployed",
        "written",
        "key",
    )
)
"""Keys of the node's ``extra``; the embedded Ironic's guard reads the first."""
MIRROR = {"name": "/dev/md0"}
"""The system disk where two are joined: the agent makes the first array under that name."""
ERASING = {"metadata": "erase_devices_metadata", "full": "erase_devices"}


@dataclass(frozen=True)
class Port:
    """The management network's way into a machine."""

    macs: Sequence[str]
    """One card, or those of a bond."""
    bond_mode: str = ""
    vlan: int = 0
    mtu: int = 0


@dataclass(frozen=True)
class Files:
    """Where Ironic reads what it boots machines from: URLs, or ``file://`` of its own."""

    kernel: str
    ramdisk: str
    esp: str


@dataclass(frozen=True)
class NodeSetup:
    """How Ironic sets one machine up."""

    pool: str
    image_url: str
    image_sha256: str
    port: Port
    disk: Mapping[str, str] = field(default_factory=dict)
    mirror: Sequence[Mapping[str, str]] = ()
    bios: Mapping[str, Any] = field(default_factory=dict)
    erase: str = "none"
    interface: str = "direct"
    """Ironic's deploy interface: ``direct`` writes the image to disk, ``ramdisk`` boots an ISO."""


def driver_info(
    address: str, system: str, user: str, password: str, verify: str | bool, files: Files
) -> dict[str, Any]:
    """How Ironic reaches the BMC, and with what it boots the machine."""
    return {
        "redfish_address": address, "redfish_system_id": system, "redfish_username": user, "redfish_password": password,
        "redfish_verify_ca": verify, "deploy_kernel": files.kernel, "deploy_ramdisk": files.ramdisk, "bootloader": files.esp,
    }  # fmt: skip


def way(address: str | None, system: str | None) -> tuple[str, str]:
    """BMC and system as one writes them, so that they can be compared; Ironic adds https:// where a site left it out."""
    if not address:
        return "", system or ""
    try:
        parts = urlsplit(address if "://" in address else f"https://{address}")
    except ValueError:
        return address, system or ""
    host, _, port = parts.netloc.lower().rpartition(":")
    if not port.isdigit():
        host, port = parts.netloc.lower(), {"https": "443", "http": "80"}.get(parts.scheme, "")
    return f"{parts.scheme}://{host}:{port}", f"/{system.strip('/')}" if system else ""


def digest(*said: Any) -> str:
    """Of plain data."""
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def digest_of(setup: NodeSetup, system: System, generation: int) -> str:
    """Of setup and system, without the host key, which is compared apart."""
    login = [
        system.name,
        system.address,
        list(system.authorized_keys),
        system.gateway,
        list(system.nameservers),
    ]
    return digest(generation, asdict(setup), login)


def preparation_digest(setup: NodeSetup, generation: int) -> str:
    """Of what cleaning steps do, and the disk that the system goes to."""
    return digest(generation, dict(setup.disk), raid(setup), steps(setup))


def described(setup: NodeSetup) -> dict[str, Any]:
    """Fields of the node beside its BMC, by path. What else the site wrote into ``properties`` stays."""
    return {
        "resource_class": setup.pool, "properties/capabilities": "boot_mode:uefi",
        "deploy_interface": setup.interface, "raid_interface": "agent" if setup.mirror or setup.erase in ERASING else "no-raid",
        "bios_interface": "redfish" if setup.bios else "no-bios",
    }  # fmt: skip


def raid(setup: NodeSetup) -> dict[str, Any]:
    """The target RAID configuration; empty without a mirror."""
    if not setup.mirror:
        return {}
    halves = [disks.root_device(hint) for hint in setup.mirror]
    disk = {
        "size_gb": "MAX", "raid_level": "1", "controller": "software", "is_root_volume": True, "physical_disks": halves,
    }  # fmt: skip
    return {"logical_disks": [disk]}


def steps(setup: NodeSetup) -> list[dict[str, Any]]:
    """Cleaning steps in their order: settings first, then the disks are emptied, then joined."""
    found: list[dict[str, Any]] = []
    if setup.bios:
        settings = [{"name": name, "value": value} for name, value in sorted(setup.bios.items())]
        found.append({"interface": "bios", "step": "apply_configuration", "args": {"settings": settings}})
    if setup.mirror or setup.erase in ERASING:  # the halves of an array that is still there cannot be erased
        found.append({"interface": "raid", "step": "delete_configuration"})
    if setup.erase in ERASING:
        found.append({"interface": "deploy", "step": ERASING[setup.erase]})
    if setup.mirror:
        found.append({"interface": "raid", "step": "create_configuration"})
    return found


def instance_info(setup: NodeSetup) -> dict[str, Any]:
    """The image, by the digest that the machine's ramdisk compares before it writes, and the disk: what a node's
    ``properties`` say of the disk comes second (docs.openstack.org/ironic, specifying the disk for deployment)."""
    disk = MIRROR if setup.mirror else disks.root_device(setup.disk)
    root = {"root_device": disk} if disk else {}
    if setup.interface == "ramdisk":
        return {"boot_iso": setup.image_url, "image_checksum": setup.image_sha256, **root}
    return {
        "image_source": setup.image_url, "image_os_hash_algo": "sha256", "image_os_hash_value": setup.image_sha256,
        "image_disk_format": "qcow2", "image_type": "whole-disk", **root,
    }  # fmt: skip


def network_data(system: System, port: Port) -> dict[str, Any]:
    """OpenStack's ``network_data.json`` (docs.openstack.org/nova, metadata; cloud-init's ConfigDrive source reads it)."""
    mtu = {"mtu": port.mtu} if port.mtu else {}
    links: list[dict[str, Any]] = [
        {"id": f"card{i}", "type": "phy", "ethernet_mac_address": mac, **mtu}
        for i, mac in enumerate(port.macs)
    ]
    if port.bond_mode:
        links.append({
            "id": "bond0", "type": "bond", "ethernet_mac_address": port.macs[0], "bond_mode": port.bond_mode,
            "bond_links": [link["id"] for link in links], "bond_miimon": 100, **mtu,
        })  # fmt: skip
    if port.vlan:
        links.append({
            "id": "vlan0", "type": "vlan", "vlan_link": links[-1]["id"], "vlan_id": port.vlan,
            "vlan_mac_address": port.macs[0], **mtu,
        })  # fmt: skip
    interface = ipaddress.ip_interface(system.address)
    way = {"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": system.gateway}  # noqa: S104 - the default route
    return {
        "links": links,
        "networks": [{
            "id": "management", "network_id": "management", "type": "ipv4", "link": links[-1]["id"],
            "ip_address": str(interface.ip), "netmask": str(interface.netmask), "routes": [way] if system.gateway else [],
        }],
        "services": [{"type": "dns", "address": one} for one in system.nameservers],
    }  # fmt: skip


def config_drive(system: System, port: Port) -> dict[str, Any]:
    """What the system reads at its first boot. Ironic makes the disc of it; user data is text, and JSON is YAML."""
    return {
        "meta_data": {
            "uuid": system.instance,
            "instance-id": system.instance,
            "hostname": system.name,
            "name": system.name,
        },
        "user_data": "#cloud-config\n" + json.dumps(system.first_boot()),
        "network_data": network_data(system, port),
    }
