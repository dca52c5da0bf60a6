"""The document of ``validate/node/observe.py``, as a node prints it. A node may be broken or hostile: everything is bounded."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

LONGEST_TEXT = 65_536
MOST_CPUS = 4096
MOST_DEVICES = 256

Short = Annotated[str, Field(max_length=4096)]
Text = Annotated[str, Field(max_length=LONGEST_TEXT)]
Read = Short | None
"""Content of a file; None: absent, or not readable."""


class Printed(BaseModel):
    """Base: exact types; keys that nobody reads are let through."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False, extra="ignore")


class PciFunction(Printed):
    """One function of the PCI bus."""

    address: Short
    kind: Short = Field(alias="class")
    path: Short
    vendor: Read = None
    device: Read = None
    numa_node: Read = None
    local_cpulist: Read = None
    virtual: bool = False


class GidEntry(Printed):
    """One entry of a port's table of GIDs."""

    index: Short
    gid: Short
    type: Read = None


class PkeyEntry(Printed):
    """One entry of a port's table of partition keys."""

    index: Short
    pkey: Short


class Port(Printed):
    """One port of an RDMA device."""

    number: Short
    link_layer: Read = None
    state: Read = None
    phys_state: Read = None
    rate: Read = None
    gids: list[GidEntry] = Field(default_factory=list, max_length=MOST_DEVICES)
    pkeys: list[PkeyEntry] = Field(default_factory=list, max_length=MOST_DEVICES)


class RdmaDevice(Printed):
    """One RDMA device."""

    name: Short
    path: Short
    fw_ver: Read = None
    software: bool = False
    """Whether it is the kernel's own, on an interface."""
    ports: list[Port] = Field(default_factory=list, max_length=MOST_DEVICES)


class Interface(Printed):
    """One network interface that a device stands behind."""

    name: Short
    path: Short
    operstate: Read = None
    mtu: Read = None
    speed: Read = None
    dev_port: Read = None


class NvmeController(Printed):
    """One NVMe controller."""

    name: Short
    path: Short
    model: Read = None
    serial: Read = None
    sectors: list[Read] = Field(default_factory=list, max_length=MOST_DEVICES)


class Document(Printed):
    """All of it."""

    version: Literal[1]
    cpus: dict[Short, Annotated[list[Short], Field(max_length=MOST_CPUS)]] = Field(max_length=MOST_DEVICES)
    """Socket → the CPUs of each of its cores."""
    numa: dict[Short, Read]
    meminfo: Short
    pci: list[PciFunction] = Field(max_length=MOST_DEVICES)
    rdma: list[RdmaDevice] = Field(max_length=MOST_DEVICES)
    net: list[Interface] = Field(max_length=MOST_DEVICES)
    nvme: list[NvmeController] = Field(max_length=MOST_DEVICES)
    gpus: Text
    minors: dict[Short, Short] = Field(default_factory=dict, max_length=MOST_DEVICES)
    """GPU's PCI address → number of its device file."""
    mounts: list[list[Short]] = Field(max_length=MOST_DEVICES)
    cmdline: Read = None
    secure_boot: bool | None = None
    enrolled: list[Short] = Field(default_factory=list, max_length=MOST_DEVICES)
    """SHA-256 of certificates that a person enrolled."""
    signers: dict[Short, Short] = Field(default_factory=dict, max_length=MOST_DEVICES)
    headers: bool | None = None
    os_release: Short = ""
    kernel: Read = None
    topology: Text = ""
    block: Read = None
    """Innermost part of the provider's network, or NVLink domain."""
