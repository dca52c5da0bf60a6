"""The spec's own shape: unknown keys are refused, values are never converted, units are in the names."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from railbed.model.claims import Part
from railbed.spec.scalars import (
    CapacityTib,
    Key,
    Login,
    MountPoint,
    Name,
    Network,
    NetworkV4,
    NodeCount,
    PublicKey,
    RailCount,
    RateGbps,
    SpareCount,
)

VERSION = 1
PLATFORMS_BUILT = ("lab", "metal")
PLATFORMS_PLANNED = (
    "aws",
    "azure",
    "gcp",
    "oci",
    "volcengine",
    "alicloud",
    "tencentcloud",
    "nebius",
    "coreweave",
    "crusoe",
)
"""Kinds that no release has built yet: refused with ``Unsupported``, not as a typing error."""


class Wish(Part):
    """Base of the spec's parts: the docstrings of fields are their descriptions in the JSON Schema."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class LabPlatform(Wish):
    """A cluster of real programs on one machine; the hardware is simulated."""

    kind: Literal["lab"]
    management_cidr: NetworkV4 = "10.90.0.0/24"
    """Management network, a /24; the controller gets .10, other hosts follow from .11."""
    rails_cidr: NetworkV4 = "10.91.0.0/16"
    """Rail i gets the i-th /24 of it."""


class MetalMachine(Wish):
    """One physical machine and how its power is reached."""

    name: Name
    """Host name."""
    bmc: Annotated[str, Field(pattern=r"^https://[^\s@]+$", max_length=255)]
    """Redfish address, ``https://…``; never with a user or password in it."""
    serial: Annotated[str, Field(min_length=1, max_length=64)]
    """Serial number; checked before anything is done to the machine."""


class MetalPlatform(Wish):
    """Machines that are there already, named one by one."""

    kind: Literal["metal"]
    machines: list[MetalMachine] = Field(default=[], max_length=65_536)
    """Every machine of every pool."""


Platform = Annotated[LabPlatform | MetalPlatform, Field(discriminator="kind")]


class Pool(Wish):
    """Equal nodes of one machine type."""

    name: Name
    """Hosts are called ``<name>-0``, ``<name>-1``, …; RFC 1123."""
    machine: Key
    """Catalogue key, e.g. ``lab/rail8``."""
    nodes: NodeCount
    """Compute nodes, without spares."""
    spares: SpareCount | Literal["auto"] = 0
    """Hot spares beside them; ``auto`` computes them from failure rates."""


class Fabric(Wish):
    """The network that collectives run on."""

    rails: RailCount
    """Rails per node: one per GPU position."""
    node_gbps: RateGbps
    """All rails of a node together, Gb/s: rails × NICs per rail × NIC rate, checked."""


class FilesystemSpec(Wish):
    """One shared parallel filesystem."""

    name: Name
    """RFC 1123."""
    mount: MountPoint
    """Where every host mounts it, e.g. ``/scratch``."""
    offer: Key
    """Catalogue key, e.g. ``lab/moosefs``."""
    capacity_tib: CapacityTib
    """Size, TiB."""
    copies: Annotated[int, Field(ge=1, le=9)] | None = None
    """Copies of every chunk; without it the offer's own number, as far as there are data servers."""
    mbytes_per_s_per_tib: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Throughput bought per TiB, MB/s, where an offer sells it in steps."""
    keep_on_destroy: bool | None = None
    """Keep the data when the cluster is destroyed; without it the platform's own habit."""


class SoftwareSpec(Wish):
    """What is installed."""

    release: Key
    """A software release of the catalogue, e.g. ``"2026.11"`` (quoted: it is a name, not a number)."""


class Workload(Wish):
    """What the cluster is for; adds acceptance claims and planning."""

    kind: Literal["pretraining", "finetuning", "inference", "scientific"]
    """Which claims and which planning it adds."""
    gpus: Annotated[int, Field(ge=1, le=16 * 65_536)]
    """GPUs of one job."""
    days: Annotated[float, Field(gt=0, le=3650, allow_inf_nan=False)] | None = None
    """Length of the job."""
    checkpoint_gbytes: Annotated[float, Field(gt=0, le=10_000_000, allow_inf_nan=False)] | None = None
    """Size of one checkpoint, GB."""


class Access(Wish):
    """Who may log in, and from where."""

    ssh_from: list[Network] = Field(default=[], max_length=256)
    """Networks from which SSH is open; empty: none."""
    admins: dict[Login, PublicKey] = Field(default={}, max_length=256)
    """Login name → public SSH key."""


class ClusterSpec(Wish):
    """One cluster, as its owners want it."""

    version: Annotated[int, Field(ge=1, le=VERSION)]
    """Version of this format."""
    name: Name
    """RFC 1123."""
    service: Literal["hosts", "cluster", "metal"]
    """GPU hosts by themselves, an HPC cluster with a scheduler, or bare metal."""
    scheduler: Literal["slurm", "kubernetes", "none"]
    """``none`` for the services hosts and metal."""
    platform: Platform
    """Where the cluster is made."""
    pools: list[Pool] = Field(min_length=1, max_length=64)
    """Node pools; all take part in the one fabric."""
    fabric: Fabric
    """The network that collectives run on."""
    filesystems: list[FilesystemSpec] = Field(default=[], max_length=16)
    """Shared filesystems."""
    software: SoftwareSpec
    """What is installed."""
    workloads: list[Workload] = Field(default=[], max_length=16)
    """What the cluster is for."""
    access: Access = Access()
    """Who may log in."""

    @property
    def compute_nodes(self) -> int:
        """Compute nodes of all pools."""
        return sum(pool.nodes for pool in self.pools)
