"""Physical machines as resources of the Pulumi program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import pulumi

TYPE = "railbed:metal:Machine"


@dataclass(frozen=True, kw_only=True)
class Installation:
    """What every installer gives a machine's system; the address's prefix length comes with the inputs."""

    kind: ClassVar[str]
    image_url: str
    image_sha256: str
    authorized_keys: Sequence[str]
    """Public keys that may log in as root."""
    prefix: int = 24
    """Prefix length of the management network."""
    gateway: str = ""
    nameservers: Sequence[str] = ()
    disk: Mapping[str, str] = field(default_factory=dict)
    """Hint of the system disk; empty: the installer's choice."""

    def inputs(self, address: str) -> dict[str, Any]:
        """Plain JSON data."""
        plain = asdict(self)
        prefix = plain.pop("prefix")
        lists = {name: list(value) for name, value in plain.items() if isinstance(value, tuple)}
        return {**plain, **lists, "kind": self.kind, "address": f"{address}/{prefix}"}


@dataclass(frozen=True, kw_only=True)
class IsoInstallation(Installation):
    """By an installer image and a seed; empty means the default of ``effects.bmc.iso.Iso``."""

    kind = "iso"
    seed_address: str
    """This machine's address on the BMCs' network; seeds are served there while an installation runs."""
    mac: str = ""
    """Of the management network card; empty where the machine has only one card."""
    seed_port: int = 0
    """0: any free one."""
    seed_scheme: Literal["https", "http"] = "https"


@dataclass(frozen=True, kw_only=True)
class IronicInstallation(Installation):
    """By Ironic, railbed's own (``where``) or the site's (``site``)."""

    kind = "ironic"
    pool: str
    owner: str
    """Stack that the machine belongs to."""
    agent: Mapping[str, Mapping[str, str]]
    """``kernel``, ``ramdisk``, ``esp`` → ``url`` and ``sha256``; empty: built on this machine."""
    root: str
    """The checkout."""
    where: Mapping[str, Any] = field(default_factory=dict)
    """``address``, ``port`` and ``files_port`` of railbed's own."""
    site: Mapping[str, str] = field(default_factory=dict)
    """``url``, ``ca_file`` and ``credentials`` (a file) of the site's."""
    macs: Sequence[str] = ()
    """Of the management network's cards; empty where the machine has only one card."""
    bond_mode: str = ""
    vlan: int = 0
    mtu: int = 0
    mirror: Sequence[Mapping[str, str]] = ()
    bios: Mapping[str, Any] = field(default_factory=dict)
    erase: str = "none"


@dataclass(frozen=True)
class Wanted:
    """One machine of the spec, and the paths that its effects work with."""

    name: str
    serial: str
    bmc: str
    address: str
    """Management IPv4 address without prefix length."""
    credentials: Path
    """File with the BMCs' users and passwords, 0600."""
    folder: Path
    """Records of installations; per stack."""
    secrets: Path
    """Holds the SSH host keys while machines are installed; per stack, 0700."""
    firmware: Mapping[str, str] = field(default_factory=dict)
    """Lock: ``bios``, ``bmc``, ``nic`` or the BMC's own component name → exact version."""
    bios: Mapping[str, Any] = field(default_factory=dict)
    """Lock of BIOS settings: the BMC's own attribute → value."""
    ca_file: str = ""
    fingerprint: str = ""
    """SHA-256 of the BMC's certificate, in place of an authority."""
    generation: int = 1
    """A higher one gives the installed system up and installs anew."""
    installation: Installation | None = None
    host_key: str = ""
    """Public host key of a machine that is not installed by railbed."""
    on_delete: Literal["leave", "off"] = "leave"

    def inputs(self) -> dict[str, Any]:
        """The resource's inputs; ``power``, ``replaced`` and the drifts are what a refresh compares."""
        return {
            "name": self.name, "serial": self.serial, "bmc": self.bmc, "address": self.address,
            "credentials": str(self.credentials), "folder": str(self.folder), "secrets": str(self.secrets),
            "firmware": dict(self.firmware), "bios": dict(self.bios),
            "trust": {"ca_file": self.ca_file, "fingerprint": self.fingerprint},
            "generation": self.generation, "host_key": self.host_key, "on_delete": self.on_delete,
            "install": self.installation and self.installation.inputs(self.address),
            "power": "on", "replaced": False, "firmware_drift": [], "bios_drift": [], "system_drift": [],
        }  # fmt: skip


class Machine(pulumi.CustomResource):
    """``railbed:metal:Machine``."""

    uuid: pulumi.Output[str]
    manufacturer: pulumi.Output[str]
    model: pulumi.Output[str]
    emulated: pulumi.Output[bool]
    """True behind the Redfish emulator: the contract must say ``simulated``."""
    inventory: pulumi.Output[dict[str, Any]]
    known_host_key: pulumi.Output[str]
    """The public host key that the machine has shown."""
    made_generation: pulumi.Output[int]

    def __init__(self, wanted: Wanted, options: pulumi.ResourceOptions | None = None) -> None:
        outputs = (
            "uuid",
            "manufacturer",
            "model",
            "emulated",
            "inventory",
            "known_host_key",
            "made_generation",
        )
        super().__init__(TYPE, wanted.name, {**wanted.inputs(), **dict.fromkeys(outputs)}, options)
