"""How one machine is set up: disks, network card, BIOS settings, firmware baseline, and what is erased before."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from railbed.spec.model import SpecModel
from railbed.spec.scalars import Name

Mac = Annotated[str, Field(pattern=r"^[0-9a-f]{2}(:[0-9a-f]{2}){5}$")]
"""Of a network card, lower case with colons."""
Component = Annotated[str, Field(min_length=1, max_length=64)]
Version = Annotated[str, Field(min_length=1, max_length=128)]
BiosAttribute = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")]
BiosValue = bool | int | Annotated[str, Field(min_length=1, max_length=128)]
StorageInterface = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$")]
Erase = Literal["none", "metadata", "full"]


class DiskHint(SpecModel):
    """Which disk is meant; where several are said, all must hold."""

    serial: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] | None = None
    """Serial number of the disk."""
    wwn: Annotated[str, Field(pattern=r"^(0x[0-9a-f]{16}|(eui|nvme)\.[0-9a-f-]{16,64})$")] | None = None
    """World wide name, as the kernel shows it."""
    model: Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9 ._-]{0,62}[A-Za-z0-9._-])?$")] | None = None
    """Model of the disk."""
    path: Annotated[str, Field(pattern=r"^[a-z0-9][A-Za-z0-9:._-]{0,127}$")] | None = None
    """Its place: the name below ``/dev/disk/by-path``, e.g. ``pci-0000:01:00.0-nvme-1``."""

    def said(self) -> dict[str, str]:
        """Hint → value, of those that are given."""
        return {name: value for name in type(self).model_fields if (value := getattr(self, name))}


class Bond(SpecModel):
    """Two or more network cards that carry the management network together."""

    macs: list[Mac] = Field(min_length=2, max_length=8)
    """The cards."""
    mode: Literal["active-backup", "802.3ad"] = "active-backup"
    """``802.3ad`` (LACP) needs the switch's part; ``active-backup`` needs none."""


class ManagementPort(SpecModel):
    """How the management network comes to the machine; without it untagged, by the one card of ``mac``."""

    bond: Bond | None = None
    """Several cards instead of ``mac``."""
    vlan: Annotated[int, Field(ge=1, le=4094)] | None = None
    """802.1Q tag; without it untagged."""
    mtu: Annotated[int, Field(ge=1280, le=9216)] | None = None
    """Bytes; without it the card's own."""


class MachineSetup(SpecModel):
    """What a machine has, or all machines of a pool."""

    disk: DiskHint | None = None
    """The system disk. Without it the installer's choice: with the ISO the smallest SSD, with Ironic the smallest of 4 GiB
    or more."""
    mirror: list[DiskHint] | None = Field(default=None, min_length=2, max_length=2)
    """Two disks that become a software RAID 1 with the system on it, instead of ``disk``."""
    network: ManagementPort = ManagementPort()
    """Bond, VLAN and MTU of the management network."""
    bios: Name | None = None
    """Which of ``bios_settings``."""
    firmware: Name | None = None
    """Which of ``firmware_baselines``."""
    storage_interface: StorageInterface = "auto"
    """What carries the address in ``storage_network``: an RDMA device or interface by its name, or over InfiniBand ``rail-0``.
    ``auto``: the one InfiniBand port with a link that is no rail's; a machine that has only rails takes its first."""
    erase: Erase = "none"
    """What is erased on all disks before the system is written: ``metadata`` (partition tables and RAID signatures) or
    ``full`` (all that is on them)."""
