"""Machine types and the GPU boards in them."""

from __future__ import annotations

from typing import Literal, NoReturn

from pydantic import ConfigDict, Field

from railbed.catalog.facts import Facts, Published
from railbed.catalog.results import Results
from railbed.errors import UnprovenError

Architecture = Literal["ampere", "hopper", "blackwell", "blackwell-ultra"]

NicKind = Literal[
    "connectx-6", "connectx-7", "connectx-8", "connectx", "bluefield-3", "efa-v1", "efa-v2", "efa-v3", "efa-v4", "gvnic", "erdma",
    "veth", "rxe", "unnamed",
]  # fmt: skip


class Unpublished(UnprovenError):
    """A number was asked for that nobody published: what depends on it is neither passed nor failed."""

    code = "UNPUBLISHED"


class Gpus(Facts):
    """The facts of a GPU board: the same in every maker's machine."""

    gpu_architecture: Architecture
    gpu_model: str
    """As nvidia-smi names it."""
    gpus: int = Field(ge=1)
    """GPUs of one node."""
    gpu_memory_gbytes: float = Field(gt=0)
    """As the maker or provider names it, GB."""
    known_gpu_memory_mib: int | None = Field(default=None, ge=1, alias="gpu_memory_mib")
    """As nvidia-smi prints it."""
    gpu_power_w: float | None = Field(default=None, gt=0)
    """What one GPU may draw (TDP) as its maker names it, W; None: its board's own default."""
    gpu_bf16_tflops: float | None = Field(default=None, gt=0)
    """Peak of dense matrix products of one GPU as its maker names it, TFLOPS; None: nobody looked it up. So are the next."""
    gpu_fp8_tflops: float | None = Field(default=None, gt=0)
    gpu_fp64_tflops: float | None = Field(default=None, gt=0)
    """On tensor cores."""
    hpl_node_tflops: float | None = Field(default=None, gt=0)
    """HPL of a healthy node by itself, TFLOPS; None: nobody published it. So is the next."""
    hpl_gpu_tflops: float | None = Field(default=None, gt=0)
    """HPL over many nodes, TFLOPS for each GPU: the least that large systems published."""
    gpu_memory_gbytes_per_s: float | None = Field(default=None, gt=0)
    """Bandwidth of one GPU's own memory."""
    nvlink_generation: int = Field(ge=0)
    nvlink_links: int = Field(ge=0)
    """NVLink links of one GPU."""
    nvlink_gbytes_per_s: float = Field(ge=0)
    """Both directions of all NVLink links of one GPU together, as the maker names it."""
    nvls: bool
    """True where the NVLink switches can reduce (NVLink SHARP)."""
    gpus_per_nvlink_domain: int = Field(ge=1)
    nodes_per_nvlink_domain: int = Field(ge=1)
    nvls_busbw_cap_gbytes_per_s: float | None = Field(default=None, gt=0)
    """Ceiling of all_reduce busbw inside a full domain with in-switch reduction; None: no such stage or unknown."""
    ring_busbw_cap_gbytes_per_s: float | None = Field(default=None, gt=0)
    """The same with rings."""
    results: dict[str, Results] = Field(default_factory=dict)
    """Published results of healthy machines with this board, by a name that says which; a machine's come to its board's."""

    def caps_to_say(self) -> tuple[str, ...]:
        """Facts of the board that are published or named as unpublished; without NVLS there is no such ceiling."""
        always = ("gpu_memory_mib", "ring_busbw_cap_gbytes_per_s")
        return (*always, "nvls_busbw_cap_gbytes_per_s") if self.nvls else always


class Board(Gpus, Published):
    """A GPU board, e.g. HGX H100 8-GPU. A machine's file names it and may correct single facts."""

    model_config = ConfigDict(populate_by_name=True)

    def must_say(self) -> tuple[str, ...]:
        return self.caps_to_say()


class Machine(Gpus, Published):
    """One machine type. From it come NIC blocks, rails, thresholds and on-node assertions.

    A fact that may be unpublished is ``known_<fact>`` where None is an answer, and ``<fact>`` where it is not: reading
    the latter raises Unpublished.
    """

    model_config = ConfigDict(populate_by_name=True)

    board: str = ""
    """Key of the GPU board; empty where the file has all facts itself."""
    cpu_architecture: Literal["x86_64", "arm64"]
    bare_metal: bool = False
    """Whether its provider rents it whole, without a hypervisor: kernel, IOMMU and PCI bridges are the renter's. Not of machines
    of vendor ``metal``: there who provides one decides."""
    rails: int = Field(ge=1)
    """A rail is all NICs of one GPU position, or of a few neighbouring GPUs that share them (``gpus_per_rail``)."""
    known_nics_per_rail: int | None = Field(default=None, ge=1, alias="nics_per_rail")
    known_nic_gbps: float | None = Field(default=None, gt=0, alias="nic_gbps")
    known_fabric_gbps: float | None = Field(default=None, gt=0, alias="fabric_gbps")
    """All rails of a node together, as published for the whole node."""
    nic_kind: NicKind
    """Model of the rails' cards, by which rules choose drivers and libraries. ``connectx``: a ConnectX of a generation that
    nobody published; ``unnamed``: not even that."""
    transport: Literal["tcp", "roce", "infiniband", "efa"]
    rdma_write: bool = True
    """Whether the rails' cards write into another node's memory; EFA of the first generation only reads from it."""
    known_mtu: int | None = Field(default=None, ge=1280, alias="mtu")
    """MTU of the rail interfaces, bytes."""
    known_payload_fraction: float | None = Field(default=None, gt=0, le=1, alias="payload_fraction")
    """Share of the line rate that carries payload at that MTU."""
    netdevs: list[str] = Field(default_factory=list)
    """Interface of each NIC, rail by rail; empty where they differ by maker: read from the node."""
    rdma_devices: list[str] = Field(default_factory=list)
    """RDMA device of each NIC, rail by rail; empty as above, or where there is no RDMA."""
    rail_affinity: str = ""
    """Which rail's NIC is nearest to which GPU on the PCIe tree."""
    nccl_environment: dict[str, str] = Field(default_factory=dict)
    """What NCCL needs by the provider's documentation."""
    frontend_gbps: float | None = Field(default=None, gt=0)
    """Ethernet beside the rails, for storage and management."""
    collective_ranks_per_node: int = Field(ge=1)
    trains_on: Literal["cpu", "cuda"] = "cuda"
    """What a training program computes on; ``cpu`` where the GPUs are there only to be looked at."""
    burst_kib: int | None = Field(default=None, ge=0)
    """Bucket of the shaper that makes the rate; None on real hardware."""
    known_cpus: int | None = Field(default=None, ge=1, alias="cpus")
    """CPUs offered to the scheduler."""
    known_memory_mib: int | None = Field(default=None, ge=1, alias="memory_mib")
    """Memory offered to the scheduler."""
    nvme_drives: int | None = Field(default=None, ge=0)
    nvme_tbytes: float | None = Field(default=None, ge=0)
    """All local NVMe drives together, TB."""
    price_usd_per_hour: float | None = Field(default=None, ge=0)
    """On-demand list price of one node."""
    price_region: str = ""
    """Where that price holds."""
    stands_for: str = ""
    """Key of the machine that this one simulates; empty for hardware."""
    scale: float = Field(default=1.0, ge=1)
    """This machine's rates times ``scale`` are those of ``stands_for``."""
    declared: list[str] = Field(default_factory=list)
    """Facts that a spec declared because nobody published them; never in a file."""

    def must_say(self) -> tuple[str, ...]:
        return (
            *self.caps_to_say(), "nics_per_rail", "nic_gbps", "fabric_gbps", "mtu", "payload_fraction", "netdevs",
            "rdma_devices", "rail_affinity", "frontend_gbps", "cpus", "memory_mib", "nvme_drives", "nvme_tbytes",
            "price_usd_per_hour",
        )  # fmt: skip

    @property
    def exempt(self) -> bool:
        return bool(self.stands_for)

    @property
    def vendor(self) -> str:
        """The first part of the key; equal to the kind of the platform that offers the machine."""
        return self.key.split("/", 1)[0]

    @property
    def shape(self) -> str:
        """The rest of the key: the provider's own name of the machine type."""
        return self.key.split("/", 1)[1]

    @property
    def node_gbps(self) -> float:
        """Line rate of all rails together, Gb/s. Raises Unpublished."""
        return round(self.rails * self.nics_per_rail * self.nic_gbps, 9)

    @property
    def spoken(self) -> str:
        """The transport, and how cards use it where that decides what measures the rails."""
        return self.transport if self.rdma_write else f"{self.transport} that only reads"

    @property
    def gpus_per_rail(self) -> int:
        """GPUs that share the cards of one rail; 0 where rails cannot be spread evenly over the GPUs."""
        return 0 if self.gpus % self.rails else self.gpus // self.rails

    @property
    def rate_is_known(self) -> bool:
        """True where NICs and their rate are published or declared."""
        return self.known_nics_per_rail is not None and self.known_nic_gbps is not None

    def declare_rate(self, node_gbps: float) -> Machine:
        """This machine with the rate that a spec declares for a whole node, spread evenly over its rails."""
        nics = self.known_nics_per_rail or 1
        changed = {"known_nics_per_rail": nics, "known_nic_gbps": node_gbps / self.rails / nics}
        return self.model_copy(update={**changed, "declared": [*self.declared, "nic_gbps"]})

    @property
    def gpu_memory_mib(self) -> int:
        return self.known_gpu_memory_mib or self._refuse("gpu_memory_mib")

    @property
    def nics_per_rail(self) -> int:
        return self.known_nics_per_rail or self._refuse("nics_per_rail")

    @property
    def nic_gbps(self) -> float:
        return self.known_nic_gbps or self._refuse("nic_gbps")

    @property
    def mtu(self) -> int:
        return self.known_mtu or self._refuse("mtu")

    @property
    def payload_fraction(self) -> float:
        return self.known_payload_fraction or self._refuse("payload_fraction")

    @property
    def cpus(self) -> int:
        return self.known_cpus or self._refuse("cpus")

    @property
    def memory_mib(self) -> int:
        return self.known_memory_mib or self._refuse("memory_mib")

    def _refuse(self, fact: str) -> NoReturn:
        raise Unpublished(
            f"nobody published {fact} of {self.key}: {self.unpublished.get(fact, 'no source')}",
            path=f"machines/{self.key}.yaml:unpublished.{fact}",
            hint="measure it and put it, with its source, into a file of your own catalogue (RAILBED_CATALOG)",
        )
