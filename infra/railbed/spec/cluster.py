"""The spec's own shape: unknown keys are refused, values are never converted, units are in the names."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from railbed.spec.finetuning import FineTuning
from railbed.spec.model import SpecModel
from railbed.spec.platforms import Id, Platform, PoolImageOrId
from railbed.spec.scalars import (
    CapacityTib,
    Day,
    Key,
    Login,
    MountPoint,
    Name,
    Network,
    NodeCount,
    PartitionKey,
    PublicKey,
    RailCount,
    RateGbps,
    SpareCount,
)
from railbed.spec.serving import Serving
from railbed.spec.site import Site
from railbed.spec.tenancy import Tenant, User
from railbed.spec.tuning import TunedCollectives

VERSION = 1


class OnDemand(SpecModel):
    """Bought by the hour, as far as the zone has any."""

    kind: Literal["on_demand"] = "on_demand"


class Spot(SpecModel):
    """Taken back by the provider at any moment: refused for pretraining."""

    kind: Literal["spot"]


class Reservation(SpecModel):
    """Capacity that is held for this account."""

    kind: Literal["reservation"]
    id: Id
    """The provider's name of it."""
    starts: Day | None = None
    """First day, YYYY-MM-DD; without it: held already."""
    ends: Day | None = None
    """Last day; without it: until it is given back."""


class Block(SpecModel):
    """Capacity bought ahead for a fixed time; it cannot be given back."""

    kind: Literal["block"]
    id: Id
    """The provider's name of it."""
    starts: Day
    """First day, YYYY-MM-DD."""
    ends: Day
    """Last day."""


Capacity = Annotated[OnDemand | Spot | Reservation | Block, Field(discriminator="kind")]


class Pool(SpecModel):
    """Equal nodes of one machine type."""

    name: Name
    """Hosts are called ``<name>-0``, ``<name>-1``, …; RFC 1123."""
    machine: Key
    """Catalogue key, e.g. ``lab/rail8``."""
    nodes: NodeCount
    """Compute nodes, without spares."""
    spares: SpareCount | Literal["auto"] = 0
    """Hot spares beside them; ``auto`` computes them from failure rates."""
    spare_jobs: Literal["none", "last"] = "none"
    """Users' jobs on its spares: ``none`` until `railbed node swap` puts one in a node's place, or ``last``, after all others."""
    capacity: Capacity = OnDemand()
    """How the nodes are bought."""
    image: PoolImageOrId | None = None
    """Machine image of these nodes, e.g. a baked one: its id, or ``{profile, id}``; without it the platform's."""
    huge_pages_gib: Annotated[int, Field(ge=0, le=16_384)] = 0
    """Memory of each node that is set aside at boot as huge pages of 1 GiB, for programs that ask for them; jobs get the rest."""
    tenant: Name | None = None
    """Whose hosts these are (service ``hosts``): tenants do not reach each other."""
    formerly: Name | None = None
    """Its name before it was renamed: nodes stay, nothing is replaced."""


class Fabric(SpecModel):
    """The network that collectives run on."""

    rails: RailCount
    """Rails per node: one per GPU position, or per few GPUs that share a card."""
    node_gbps: RateGbps
    """All rails of a node together, Gb/s: rails × NICs per rail × NIC rate, checked."""
    pkey: PartitionKey | None = None
    """Key of the InfiniBand partition that every rail is a full member of, e.g. ``0x12``, as `fabric switches` was given it;
    without it NCCL takes what is first in each port's table."""


Existing = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^/?[A-Za-z0-9][A-Za-z0-9._:/@,-]*$")]
"""An identifier that the provider gave, or what clients mount; servers may have several addresses, with commas."""


class FilesystemSpec(SpecModel):
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
    existing: Existing | None = None
    """Identifier of a filesystem that is there already: mounted, never changed, never destroyed."""
    data_repository: Annotated[str, Field(pattern=r"^[a-z0-9]+://[^\s@]+$", max_length=255)] | None = None
    """Object store that it is filled from, e.g. ``s3://bucket/prefix``, where the offer knows such."""
    formerly: Name | None = None
    """Its name before it was renamed."""


Place = Annotated[
    str, Field(pattern=r"^(https://[A-Za-z0-9._~:\[\]-]+|file:///)[A-Za-z0-9._~:/?#+,=%-]*$", max_length=512)
]
"""Where packages lie: ``https://…``, or ``file:///…`` for a folder that every host has."""


class MirrorSpec(SpecModel):
    """A folder made by `railbed software mirror`, signed and served by the site: vendors' repositories are not asked then."""

    url: Place
    """Where that folder is: the part before ``apt/``."""
    key: Annotated[str, Field(max_length=65_536, pattern=r"^\s*-----BEGIN PGP PUBLIC KEY BLOCK-----\s")]
    """The armoured public key that signed it. GnuPG reads it before anything is made, not the spec."""
    fingerprint: Annotated[str, Field(pattern=r"^[0-9A-F]{40}$")]
    """Of that key, 40 digits: compared with the key before anything is made."""
    distribution: Place | None = None
    """The site's mirror of the distribution's own archive, with its suites; without it that archive itself is asked. It keeps
    the distribution's own signatures."""


class UnsignedModules(SpecModel):
    """Secure boot is turned off in the machines' firmware; a node that has it on is refused."""

    kind: Literal["off"] = "off"


class SiteSignedModules(SpecModel):
    """Modules that are built on nodes are signed with a key of the site, which is enrolled on every node (MOK)."""

    kind: Literal["mok"]
    certificate_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Of the certificate in DER. The pair lies in the stack's secrets, as `mok.pem` (certificate) and `mok.key`."""


class DistributionModules(SpecModel):
    """The image brings the driver's modules signed by the distribution; none is built on nodes."""

    kind: Literal["signed"]


ModuleSigning = Annotated[
    UnsignedModules | SiteSignedModules | DistributionModules, Field(discriminator="kind")
]


class ContainerImage(SpecModel):
    """An image of a container as a squashfs file, such as `enroot import -o FILE docker://…` makes."""

    path: Annotated[str, Field(max_length=1024, pattern=r"^/[A-Za-z0-9._/+-]+$")]
    """Of the file on a filesystem of the cluster, e.g. ``/scratch/images/pytorch.sqsh``; users must be able to read it."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Of the file: another one is not started."""


class SoftwareSpec(SpecModel):
    """What is installed."""

    release: Key
    """A software release of the catalogue, e.g. ``"2026.11"`` (quoted: it is a name, not a number)."""
    os: Annotated[str, Field(pattern=r"^[a-z]+ [0-9.]+$", max_length=32)] | None = None
    """Operating system of the hosts' image, as ID and VERSION_ID of /etc/os-release, e.g. ``debian 12``; without it the first
    that the release has for the machine."""
    mirror: MirrorSpec | None = None
    """The site's own copy of its packages; without it they come from their vendors."""
    module_signing: ModuleSigning = UnsignedModules()
    """How kernels in secure boot come to modules that they load."""
    container_image: ContainerImage | None = None
    """What a validation starts on every node with GPUs as a job's container; without it nobody shows that containers start."""
    hpc_benchmarks: ContainerImage | None = None
    """NVIDIA's HPC Benchmarks (`nvcr.io/nvidia/hpc-benchmarks`), whose HPL proves a workload `scientific` on GPUs."""


class Workload(SpecModel):
    """What the cluster is for; adds acceptance claims and planning."""

    kind: Literal["pretraining", "finetuning", "inference", "scientific"]
    """Which claims and which planning it adds."""
    gpus: Annotated[int, Field(ge=1, le=16 * 65_536)]
    """GPUs of one job."""
    days: Annotated[float, Field(gt=0, le=3650, allow_inf_nan=False)] | None = None
    """Length of the job."""
    checkpoint_gbytes: Annotated[float, Field(gt=0, le=10_000_000, allow_inf_nan=False)] | None = None
    """Size of one checkpoint, GB."""
    finetuning: FineTuning | None = Field(default=None, exclude_if=lambda part: part is None)
    """Of the kind ``finetuning``, which needs it: how many jobs, their base model, how soon each must train."""
    serving: Serving | None = Field(default=None, exclude_if=lambda service: service is None)
    """Of the kind inference: replicas, load and goals."""


class Access(SpecModel):
    """Who may log in, and from where."""

    ssh_from: list[Network] = Field(default=[], max_length=256)
    """Networks from which SSH is open; empty: none."""
    admins: dict[Login, PublicKey] = Field(default={}, max_length=256)
    """Login name → public SSH key."""
    user_ca: list[PublicKey] = Field(default=[], max_length=8)
    """Public keys of the authorities that sign SSH certificates of ``users`` and of the directory's people, never of admins or
    root. A certificate's principal is the login."""
    host_keys: dict[Id, PublicKey] = Field(default={}, max_length=65_536)
    """Instance id → public host key, read at the provider's console: for providers without a channel to read it by."""


class Budget(SpecModel):
    """Limits that the plan refuses to go over. What has no published price is said, and not counted."""

    hourly_usd: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Most that the cluster may cost an hour."""
    term_usd: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Most that the longest workload's whole term may cost."""


class ClusterSpec(SpecModel):
    """One cluster, as its owners want it."""

    version: Annotated[int, Field(ge=1, le=VERSION)]
    """Version of this format."""
    name: Name
    """RFC 1123."""
    service: Literal["hosts", "cluster", "metal"]
    """GPU hosts by themselves, an HPC cluster with a scheduler, or bare metal."""
    scheduler: Literal["slurm", "kubernetes", "none"]
    """``none`` for the services hosts and metal."""
    job_topology: Literal["auto", "tree", "block"] = "auto"
    """How the scheduler keeps the nodes of a job close: within switches (``tree``), or in whole blocks, which larger jobs do not
    break up (``block``). ``auto``: a tree, as scalable units are no NVLink domains."""
    scheduler_api: Literal["none", "socket", "loopback"] = "none"
    """Slurm's REST interface (slurmrestd) on the controllers, for who shows a token: at a socket, ``loopback`` also at port 6820
    of the controller itself. Neither is reached from elsewhere; TLS and a way in are the site's."""
    platform: Platform
    """Where the cluster is made."""
    pools: list[Pool] = Field(min_length=1, max_length=64)
    """Node pools; all take part in the one fabric."""
    fabric: Fabric | None = None
    """The network that collectives run on; only service ``hosts`` may do without."""
    filesystems: list[FilesystemSpec] = Field(default=[], max_length=16)
    """Shared filesystems."""
    software: SoftwareSpec
    """What is installed."""
    workloads: list[Workload] = Field(default=[], max_length=16)
    """What the cluster is for."""
    access: Access = Access()
    """Who may log in."""
    users: dict[Login, User] = Field(default={}, max_length=4096)
    """Login name → who uses the cluster without being in the site's directory."""
    tenants: list[Tenant] = Field(default=[], max_length=256)
    """Who shares the cluster; with one, only members of a tenant and admins may submit jobs."""
    tuning: list[TunedCollectives] = Field(default=[], max_length=16, exclude_if=lambda some: not some)
    """Settings of NCCL that `railbed tune collectives` found, each with what was measured; nodes get them."""
    site: Site = Site()
    """What the site serves."""
    budget: Budget = Budget()
    """Limits on its price."""
    acknowledge: list[Annotated[str, Field(max_length=255)]] = Field(default=[], max_length=64)
    """Purchases that destroy cannot give back, each as the plan words it."""

    @property
    def compute_nodes(self) -> int:
        """Compute nodes of all pools."""
        return sum(pool.nodes for pool in self.pools)
