"""What machines without an operating system are installed with: an installer image (ISO), or Ironic and a disk image."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from railbed.spec.model import SpecModel
from railbed.spec.scalars import AddressV4
from railbed.text import LINE_PATTERN

HttpsUrl = Annotated[str, Field(pattern=r"^https://[^\s@]+$", max_length=512)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Port = Annotated[int, Field(ge=1024, le=65535)]


class PublishedFile(SpecModel):
    """A file on a server."""

    url: HttpsUrl
    """Where it lies, over HTTPS only."""
    sha256: Sha256
    """Its digest; compared before any machine is touched."""


class IsoInstaller(SpecModel):
    """An Ubuntu autoinstall image, which each BMC shows to its machine beside a seed of its own."""

    kind: Literal["iso"] = "iso"
    url: HttpsUrl
    """An ISO image that the BMCs can reach, over HTTPS only: each BMC fetches it anew after it was compared."""
    sha256: Sha256
    """Of that image; compared before any machine boots it."""
    seed_address: AddressV4
    """This machine's address on the BMCs' network: each machine's seed is served there while it is installed."""
    seed_port: Port | None = None
    """Port of the seeds, for a firewall between; without it any free one."""
    seed_scheme: Literal["https", "http"] = "https"
    """``http`` only for BMCs that cannot fetch over HTTPS: a seed holds the machine's private host key."""
    nameservers: list[AddressV4] = Field(default=[], max_length=8)
    """Of the installed machines."""


class EmbeddedIronic(SpecModel):
    """An Ironic of railbed's own, which runs only while machines are installed."""

    address: AddressV4
    """This machine's address on the network that BMCs and machines reach while they are installed."""
    port: Port = 6385
    """Of its API, which the ramdisk calls."""
    files_port: Port = 6388
    """Of its file server, from which BMCs fetch the ramdisk."""


class AgentImages(SpecModel):
    """The ramdisk with ironic-python-agent that works on a machine's disks, and what boots it."""

    kernel: PublishedFile
    ramdisk: PublishedFile
    esp: PublishedFile
    """Image of an EFI system partition with a boot loader that reads ``EFI/BOOT/grub.cfg`` of the disc."""


class IronicInstaller(SpecModel):
    """Ironic writes a disk image: RAID, BIOS settings and erasure too."""

    kind: Literal["ironic"]
    embedded: EmbeddedIronic | None = None
    """An Ironic that railbed starts and ends."""
    url: HttpsUrl | None = None
    """The site's own Ironic instead; its user and password come from `.railbed/ironic.yaml` or the environment."""
    ca_file: Annotated[str, Field(max_length=255, pattern=LINE_PATTERN)] = ""
    """Authority that signed its certificate; empty: the system's own."""
    image: PublishedFile
    """The system's disk image (qcow2, UEFI, with cloud-init); machines must reach it."""
    agent: AgentImages | None = None
    """Named by the site, of the agent's release that its Ironic goes with. Without it, and with ``embedded``, railbed builds it
    on this machine, from Debian and PyPI."""
    nameservers: list[AddressV4] = Field(default=[], max_length=8)
    """Of the installed machines."""


def _kind(given: Any) -> Any:
    """Specs of before the second installer say no kind."""
    return {"kind": "iso", **given} if isinstance(given, dict) and "kind" not in given else given


Installer = Annotated[
    IsoInstaller | IronicInstaller,
    Field(discriminator="kind"),
    BeforeValidator(_kind, json_schema_input_type=IsoInstaller | IronicInstaller),
]
