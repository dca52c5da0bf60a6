"""The spec's own shape. Every field has its unit in its name; unknown keys are refused; values are never converted."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

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
PLATFORMS_PLANNED = ("aws", "azure", "gcp", "oci", "volcengine", "alicloud", "tencentcloud", "nebius", "coreweave", "crusoe")  # fmt: skip
"""Kinds that the design names and no release has built yet: refused with ``Unsupported``, not as a typing error."""


class LabPlatform(Part):
    """A cluster of real programs on one machine; the hardware is simulated."""

    kind: Literal["lab"]
    management_cidr: NetworkV4 = "10.90.0.0/24"
    """Management network; the controller gets .10, other hosts follow from .11."""
    rails_cidr: NetworkV4 = "10.91.0.0/16"
    """Rail i gets the i-th /24 of it."""


class MetalMachine(Part):
    """One physical machine and how its power is reached."""

    name: Name
    bmc: Annotated[str, Field(pattern=r"^https://[^\s@]+$")]
    """Redfish address, ``https://…``; never with a user or password in it."""
    serial: Annotated[str, Field(min_length=1, max_length=64)]
    """Serial number; checked before anything is done to the machine."""


class MetalPlatform(Part):
    """Machines that are there already, named one by one."""

    kind: Literal["metal"]
    machines: list[MetalMachine] = Field(default=[], max_length=65_536)


Platform = Annotated[LabPlatform | MetalPlatform, Field(discriminator="kind")]


class Pool(Part):
    """Equal nodes of one machine type."""

    name: Name
    machine: Key
    """Catalogue key, e.g. ``lab/rail8``."""
    nodes: NodeCount
    """Compute nodes, without spares."""
    spares: SpareCount | Literal["auto"] = 0
    """Hot spares beside them; ``auto`` computes them from failure rates."""


class Fabric(Part):
    """The network that collectives run on."""

    rails: RailCount
    """Rails per node: one per GPU position."""
    node_gbps: RateGbps
    """All rails of a node together, Gb/s: rails × NICs per rail × NIC rate, checked."""


class FilesystemSpec(Part):
    """One shared parallel filesystem."""

    name: Name
    mount: MountPoint
    offer: Key
    """Catalogue key, e.g. ``lab/moosefs``."""
    capacity_tib: CapacityTib
    copies: Annotated[int, Field(ge=1, le=9)] | None = None
    """Copies of every chunk; without it the offer's own number, as far as there are data servers."""
    mbytes_per_s_per_tib: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Throughput bought per TiB, MB/s, where an offer sells it in steps."""
    keep_on_destroy: bool | None = None


class SoftwareSpec(Part):
    """What is installed."""

    release: Key
    """A file of the catalogue's ``software/``, e.g. ``"2026.11"`` (quoted: it is a name, not a number)."""


class Workload(Part):
    """What the cluster is for; adds acceptance claims and planning."""

    kind: Literal["pretraining", "finetuning", "inference", "scientific"]
    gpus: Annotated[int, Field(ge=1, le=16 * 65_536)]
    days: Annotated[float, Field(gt=0, le=3650, allow_inf_nan=False)] | None = None
    checkpoint_gbytes: Annotated[float, Field(gt=0, le=10_000_000, allow_inf_nan=False)] | None = None


class Access(Part):
    """Who may log in, and from where."""

    ssh_from: list[Network] = []
    admins: dict[Login, PublicKey] = {}
    """Login name → public SSH key."""


class ClusterSpec(Part):
    """One cluster, as its owners want it."""

    version: Literal[1]
    name: Name
    service: Literal["hosts", "cluster", "metal"]
    """GPU hosts by themselves, an HPC cluster with a scheduler, or bare metal."""
    scheduler: Literal["slurm", "kubernetes", "none"]
    platform: Platform
    pools: Annotated[list[Pool], Field(min_length=1, max_length=64)]
    fabric: Fabric
    filesystems: Annotated[list[FilesystemSpec], Field(max_length=16)] = []
    software: SoftwareSpec
    workloads: Annotated[list[Workload], Field(max_length=16)] = []
    access: Access = Access()

    @property
    def compute_nodes(self) -> int:
        """Compute nodes of all pools."""
        return sum(pool.nodes for pool in self.pools)

    @property
    def spare_nodes(self) -> int:
        """Spares of all pools that are given as a number."""
        return sum(pool.spares for pool in self.pools if isinstance(pool.spares, int))
