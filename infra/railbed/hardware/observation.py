"""What one node is made of. Facts that could not be read are None, or empty."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from railbed.claims import FrozenModel
from railbed.hardware.pci import Rank
from railbed.text import shown

Words = Annotated[str, AfterValidator(shown)]
"""Text of a node that may be shown."""
LinkLayer = Literal["infiniband", "ethernet", "efa", ""]


class Cpu(FrozenModel):
    """The processors that are on line, where every socket has as many cores, and every core as many threads."""

    sockets: int
    cores_per_socket: int
    threads_per_core: int

    @property
    def cpus(self) -> int:
        """Hardware threads."""
        return self.sockets * self.cores_per_socket * self.threads_per_core


class Gpu(FrozenModel):
    """One NVIDIA GPU of the PCI bus."""

    index: int
    """Its place in the order of PCI addresses, which is nvidia-smi's."""
    address: Words
    """PCI address, e.g. ``0000:1b:00.0``."""
    numa: int | None
    cores: list[int]
    """Numbers of the cores near it, as the scheduler counts cores: over the sockets, from 0."""
    minor: int | None = None
    """Number of its device file, ``/dev/nvidia<minor>``; None where the driver is not loaded."""
    uuid: Words = ""
    """As the driver has it; empty where it does not answer."""
    model: Words = ""
    memory_mib: int | None = None


class Near(FrozenModel):
    """A GPU that shares a PCIe switch with a card."""

    gpu: int
    rank: Rank


class Gid(FrozenModel):
    """One address of an RDMA port."""

    index: int
    gid: Words
    kind: Words
    """``IB/RoCE v1`` or ``RoCE v2``, as the kernel says."""


class Nic(FrozenModel):
    """One port of an RDMA device."""

    device: Words
    """RDMA device, e.g. ``mlx5_3``."""
    port: int
    netdev: Words
    """Interface; empty where it has none."""
    address: Words
    """PCI address."""
    link_layer: LinkLayer
    rate_gbps: float | None
    """Of the link; None while there is none."""
    state: Words
    """``ACTIVE``, ``DOWN``, …"""
    physical_state: Words
    """``LinkUp``, ``Polling``, …"""
    gids: list[Gid]
    pkeys: dict[int, int] = Field(default_factory=dict)
    """Place in the port's table of partition keys → key, with the bit of full members (0x8000); of InfiniBand only."""
    firmware: Words
    numa: int | None
    virtual: bool
    """An SR-IOV function of a card that this machine owns."""
    near: list[Near]


class Drive(FrozenModel):
    """One NVMe controller."""

    name: Words
    address: Words
    model: Words
    serial: Words
    gbytes: float
    """GB of all its namespaces."""


class Mount(FrozenModel):
    """One mounted filesystem."""

    source: Words
    path: Words
    kind: Words


class Observation(FrozenModel):
    """All of it."""

    cpu: Cpu | None
    memory_mib: int | None
    """MemTotal: what the kernel has left of the machine's memory."""
    numa_nodes: int
    gpus: list[Gpu]
    nics: list[Nic]
    paths: dict[str, tuple[str, ...]]
    """PCI address of each GPU and card → the bridges above it, from the host bridge down (``pci.Path``)."""
    drives: list[Drive]
    mounts: list[Mount]
    boot_line: Words
    secure_boot: bool | None
    """None: no UEFI, or it does not say."""
    enrolled: list[Words] = Field(default_factory=list)
    """SHA-256 of the certificates that a person enrolled (MOK), which the kernel trusts beside the firmware's."""
    signers: dict[str, Words] = Field(default_factory=dict)
    """Installed kernel module → who signed it; empty text: nobody."""
    headers: bool | None = None
    """Whether the running kernel's headers can be had; None: no package source was read yet."""
    os: Words
    """e.g. ``ubuntu 24.04``."""
    kernel: Words
    driver_said: Words
    """What nvidia-smi said in place of a table; empty where it listed GPUs."""
    block: Words = ""
    """Innermost part of the provider's network that the node is in, where only the node reports it."""
