"""The shapes of catalogue entries. Units are in the names; the source of every fact is in ``provenance``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Field(ge=0)


class Facts(BaseModel):
    """Base of catalogue entries: strict, frozen, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Source(Facts):
    """Where a fact was published, and when somebody last looked."""

    source: str = Field(min_length=8)
    checked: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    """ISO date."""


class Machine(Facts):
    """One machine type. From it come NIC blocks, rails, thresholds and on-node assertions."""

    key: str
    """``<vendor>/<shape>``: the file's place below ``machines/``."""
    title: str
    gpu_model: str
    """As nvidia-smi names it."""
    gpus: int = Field(ge=1)
    gpu_memory_mib: int = Field(ge=1)
    nvlink_generation: int = Field(ge=0)
    nvlink_links: int = Field(ge=0)
    """NVLink links of one GPU."""
    gpus_per_nvlink_domain: int = Field(ge=1)
    nodes_per_nvlink_domain: int = Field(ge=1)
    nvls_busbw_cap_gbytes_per_s: float | None = Field(default=None, gt=0)
    """Ceiling of all_reduce busbw inside a domain with in-switch reduction (NVLS); None: no such stage."""
    ring_busbw_cap_gbytes_per_s: float | None = Field(default=None, gt=0)
    """The same with rings."""
    rails: int = Field(ge=1)
    """A rail is all NICs of one GPU position."""
    nics_per_rail: int = Field(ge=1)
    nic_gbps: float = Field(gt=0)
    nic_kind: str
    transport: Literal["tcp", "roce", "infiniband", "efa"]
    mtu: int = Field(ge=1280)
    """MTU of the rail interfaces, bytes."""
    payload_fraction: float = Field(gt=0, le=1)
    """Share of the line rate that carries payload at that MTU."""
    netdevs: list[str] = []
    """Interface of each NIC, rail by rail; empty where they differ by maker: read from the node."""
    rdma_devices: list[str] = []
    """RDMA device of each NIC, rail by rail; empty as above, or where there is no RDMA."""
    collective_ranks_per_node: int = Field(ge=1)
    burst_kib: int | None = Field(default=None, ge=0)
    """Bucket of the shaper that makes the rate; None on real hardware."""
    cpus: int = Field(ge=1)
    """CPUs offered to the scheduler."""
    memory_mib: int = Field(ge=1)
    """Memory offered to the scheduler."""
    stands_for: str = ""
    """Key of the machine that this one simulates; empty for hardware."""
    scale: float = Field(default=1.0, ge=1)
    """This machine's rates times ``scale`` are those of ``stands_for``."""
    provenance: dict[str, Source]

    @property
    def vendor(self) -> str:
        """The first part of the key; equal to the kind of the platform that offers the machine."""
        return self.key.split("/", 1)[0]

    @property
    def node_gbps(self) -> float:
        """Line rate of all rails together, Gb/s."""
        return round(self.rails * self.nics_per_rail * self.nic_gbps, 9)


class FilesystemOffer(Facts):
    """One filesystem that a platform offers."""

    key: str
    title: str
    kind: Literal["moosefs", "lustre", "external"]
    min_capacity_tib: float = Field(gt=0)
    max_capacity_tib: float = Field(gt=0)
    default_copies: int = Field(ge=1)
    max_copies: int = Field(ge=1)
    max_per_cluster: int = Field(ge=1)
    data_path_root: str
    """Folder under which a data server keeps one folder per filesystem."""
    write_floor_mbytes_per_s: float = Field(gt=0)
    read_floor_mbytes_per_s: float = Field(gt=0)
    floor_reason: str
    """Why the floors are what they are."""
    capacity_enforced: bool
    """False where the size in the spec is a label and the disk below is the only limit."""
    provenance: dict[str, Source]


class Component(Facts):
    """One program of a release, exactly."""

    version: str = Field(min_length=1)
    """As the program reports it."""
    package: str = ""
    """Debian package that brings it; empty where it does not come from apt."""
    package_version: str = ""
    """Exact package version; empty where the distribution's point release may add to ``version``."""
    reason: str = Field(min_length=8)
    provenance: Source


class Release(Facts):
    """A set of versions that were run together."""

    key: str
    title: str
    os: str
    """``<id> <version id>`` of /etc/os-release."""
    training_stack_path: str
    components: dict[str, Component]
    other_versions: dict[str, list[Component]] = {}
    """Versions that a repository carries besides, e.g. the driver before; no converge installs them."""


Entry = Machine | FilesystemOffer | Release
