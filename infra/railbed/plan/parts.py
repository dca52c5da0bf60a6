"""The parts of a plan. It grows with the number of pools, not of nodes: hosts are made from it on demand."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from railbed.catalog import STOCK, Machine
from railbed.claims import Claim, FrozenModel, OutOfScope
from railbed.plan.work_parts import (
    PlannedFineTuning,
    PlannedInference,
    PlannedJob,
    PlannedScience,
    PlannedStorage,
)
from railbed.software.artefacts import Artefact
from railbed.spec.cluster import Capacity, OnDemand
from railbed.spec.platforms import Platform
from railbed.spec.site import Site
from railbed.spec.tenancy import Tenant, User


class PlannedPool(FrozenModel):
    """One pool and the facts of its machine."""

    name: str
    machine: Machine
    nodes: int
    spares: int
    rails: int
    node_gbps: float
    capacity: Capacity = OnDemand()
    image: str = ""
    """Machine image of these nodes; empty: the platform's."""
    profile: str = STOCK
    """Profile of the image that they start from."""
    brings: dict[str, str] = Field(default_factory=dict)
    """Component → versions that are taken as the image has them."""
    fills: list[str] = Field(default_factory=list)
    """Components that the release brings to the cluster's nodes beside."""
    huge_pages_gib: int = 0
    """Of each node, set aside at boot."""
    tenant: str = ""
    """Whose hosts these are; empty where the cluster is one tenant's."""
    formerly: str = ""
    """Its name before it was renamed."""
    spare_jobs: Literal["none", "last"] = "none"
    """Which users' jobs its spares take."""

    @property
    def keeps_spares(self) -> bool:
        """Whether its spares take no job until a swap."""
        return self.spares > 0 and self.spare_jobs == "none"

    @property
    def size(self) -> int:
        """Compute nodes and spares."""
        return self.nodes + self.spares


class Addresses(FrozenModel):
    """The networks of a platform that railbed addresses itself; on clouds the provider does."""

    management_cidr: str
    rail_cidrs: list[str]
    """One per rail."""


class PlannedFabric(FrozenModel):
    """Parameters of the compute fabric; the cable map follows from them."""

    rails: int
    nics_per_rail: int
    rail_gbps: float
    """All NICs of one rail of a node, Gb/s."""
    node_gbps: float
    mtu: int
    """0 where nobody published it: read from the node."""
    scalable_unit_nodes: int
    """Nodes whose rail i is on one and the same leaf switch; 0: not published by the provider."""
    leaf_names: list[str]
    """Leaf of rail i of the first scalable unit; empty: not published by the provider."""


class PlannedFilesystem(FrozenModel):
    """One shared filesystem; the fields of the contract's."""

    name: str
    kind: Literal["moosefs", "lustre", "external"]
    mount: str
    metadata_server: str
    data_servers: list[str]
    data_path: str
    copies: int
    capacity_tib: float
    offer: str
    """Catalogue key."""
    mbytes_per_s_per_tib: int | None = None
    """The step that is bought, where the offer sells steps."""
    keep_on_destroy: bool = True
    """Protected, and kept when the cluster is destroyed."""
    existing: str = ""
    """Identifier of one that is there already: mounted, never changed."""
    data_repository: str = ""
    formerly: str = ""


class PlannedFile(FrozenModel):
    """A file of the release, and by what a fetched copy is checked."""

    url: str
    sha256: str
    carried: str = ""
    """Where the cluster's own repository has it; empty where nodes fetch it."""


class PlannedRepository(FrozenModel):
    """Where packages come from."""

    name: str
    uri: str
    suite: str
    components: list[str]
    fingerprint: str = ""
    """Of the key; empty where the distribution's own keyring has it."""
    signed_by: str = ""
    """The armoured key, or the path of a keyring that hosts have; empty where the key is still to be fetched."""
    key_url: str = ""
    """Where its publisher has it."""


class PlannedImage(FrozenModel):
    """An image of a container: a file on a filesystem of the cluster."""

    path: str
    sha256: str


class PlannedSoftware(FrozenModel):
    """The locked release."""

    release: str
    versions: dict[str, str]
    packages: dict[str, str]
    package_versions: dict[str, str] = Field(default_factory=dict)
    files: dict[str, PlannedFile] = Field(default_factory=dict)
    training_stack_path: str
    nic_firmware: dict[str, str] = Field(default_factory=dict)
    """First number of a network card's firmware → the oldest version that goes with the release's drivers."""
    secure_boot: Literal["off", "mok", "signed"] = "off"
    """How the site lets kernels in secure boot load modules."""
    certificate_sha256: str = ""
    """Of the site's own certificate for that."""
    repositories: list[PlannedRepository] = Field(default_factory=list)
    """Of the release, or of the site's mirror; none in a lab, which has its own."""
    wheels: str = ""
    """Page of the site's mirror that lists the training stack's wheels; empty: the index that nodes are set to."""
    mirrored: bool = False
    """Whether repositories are a mirror of the site, which a node that was not converged yet does not know."""
    container_image: PlannedImage | None = None
    """What a validation starts as a job's container."""
    hpc_benchmarks: PlannedImage | None = Field(default=None, exclude_if=lambda image: image is None)
    """NVIDIA's HPC Benchmarks, whose HPL a validation starts on GPUs."""


class Price(FrozenModel):
    """What the cluster costs while it is there."""

    currency: str
    hourly: float
    monthly: float
    """730 hours."""
    note: str
    term: float | None = None
    """The whole term, where a workload says how long it is."""
    unknown: list[str] = Field(default_factory=list)
    """Parts that the catalogue has no price of: they are not in the sums."""

    def as_text(self) -> str:
        """For people: by the hour, for the term, and what is not in it."""
        known = f"{self.hourly:,.2f}" if self.hourly else f"{self.hourly:g}"
        term = f", {self.term:,.0f} {self.currency} for the term" if self.term else ""
        without = f" without {', '.join(self.unknown)}: price unknown" if self.unknown else ""
        return f"{known} {self.currency}/h{term} ({self.note}){without}"


class Purchase(FrozenModel):
    """Something bought that destroy cannot give back."""

    words: str
    """What ``acknowledge`` in the spec must say, word by word."""
    path: str
    """Key of the spec that asks for it."""
    acknowledged: bool
    """Whether the spec does say so."""


class Warned(FrozenModel):
    """Something that the user should know and that stops nothing."""

    code: str
    message: str
    path: str
    """Key of the spec that it is about."""


class ClusterPlan(FrozenModel):
    """Everything that the platforms need to know to make a cluster, and what it must then prove."""

    name: str
    service: Literal["hosts", "cluster", "metal"]
    scheduler: Literal["slurm", "kubernetes", "none"]
    job_topology: Literal["tree", "block"] = "tree"
    """How the scheduler keeps the nodes of a job close."""
    pkey: int = 0
    """InfiniBand partition that every rail is a full member of; 0: none is asked for."""
    scheduler_api: Literal["none", "socket", "loopback"] = "none"
    """Where the scheduler's REST interface listens on its hosts."""
    controllers: int
    """Hosts of the scheduler: none, one, or a pair."""
    platform: str
    simulated: bool
    """True where the platform stands in for hardware."""
    hosts: Literal["machine", "container"] = "machine"
    """Containers share clock, cgroups, kernel parameters and drives with their host."""
    spec_hash: str
    domain: str
    """DNS domain of the hosts."""
    admins: dict[str, str]
    users: dict[str, User] = Field(default_factory=dict)
    tenants: list[Tenant] = Field(default_factory=list)
    user_ca: list[str] = Field(default_factory=list)
    """The spec's own parts about people."""
    ntp: list[str] = Field(default_factory=list)
    """NTP servers of the controllers."""
    site: Site = Site()
    """The spec's own part about services of the site."""
    pools: list[PlannedPool]
    place: Platform
    """The spec's own platform part: region, zone, account, networks."""
    ssh_from: list[str]
    """Networks from which SSH is open."""
    host_keys: dict[str, str] = Field(default_factory=dict)
    """Instance id → public host key, where an operator had to read it."""
    profile: str = STOCK
    """Profile of the platform's image, which hosts that are in no pool start from."""
    addresses: Addresses | None
    """None where the provider addresses the nodes."""
    fabric: PlannedFabric | None
    """None for GPU hosts by themselves."""
    filesystems: list[PlannedFilesystem]
    software: PlannedSoftware
    archives: list[Artefact] = Field(default_factory=list)
    """What the cluster's own repository is made of; none where a lab or a site's mirror has it."""
    wheels: list[Artefact] = Field(default_factory=list)
    """Of the training stack, which controllers serve; none where a lab, a site's mirror or the image has it, or nodes fetch them
    from an index because there is no controller."""
    mirrored: bool = False
    """Whether a site's mirror is the only source of packages."""
    claims: list[Claim]
    out_of_scope: list[OutOfScope]
    spare_nodes: int
    price: Price | None
    """None: nobody published a price."""
    warnings: list[Warned]
    purchases: list[Purchase] = Field(default_factory=list)
    storage: list[PlannedStorage] = Field(default_factory=list)
    """One for each filesystem."""
    jobs: list[PlannedJob] = Field(default_factory=list)
    """One for each workload that is planned as a long job."""
    finetuning: list[PlannedFineTuning] = Field(default_factory=list)
    """The workload of the kind finetuning, where there is one."""
    inference: list[PlannedInference] = Field(default_factory=list)
    """One for each workload of the kind inference."""
    science: list[PlannedScience] = Field(default_factory=list)
    """One for each workload of the kind scientific."""

    @property
    def compute_nodes(self) -> int:
        return sum(pool.nodes for pool in self.pools)

    @property
    def has_controller(self) -> bool:
        """True where a scheduler needs a host of its own."""
        return self.controllers > 0

    def as_json(self) -> dict[str, Any]:
        """What `plan --json` prints; `storage`, `jobs`, `finetuning`, `inference`, `science`, `site` where there are any."""
        more: dict[str, Any] = {}
        if any(one.rates.basis != "none" or one.checkpoint_gbytes for one in self.storage):
            more["storage"] = [one.model_dump(mode="json") for one in self.storage]
        if self.purchases:
            more["purchases"] = [one.model_dump(mode="json") for one in self.purchases]
        if site := self.site.model_dump(mode="json", exclude_defaults=True, exclude={"ntp"}):
            more["site"] = site
        if self.tenants:
            more["tenants"] = [one.model_dump(mode="json") for one in self.tenants]
        if self.jobs:
            more["jobs"] = [one.model_dump(mode="json") for one in self.jobs]
        if self.finetuning:
            more["finetuning"] = [one.model_dump(mode="json") for one in self.finetuning]
        if self.inference:
            more["inference"] = [one.model_dump(mode="json") for one in self.inference]
        if self.science:
            more["science"] = [one.model_dump(mode="json") for one in self.science]
        return {
            "name": self.name,
            "service": self.service,
            "platform": self.platform,
            "pools": [
                {
                    "name": pool.name,
                    "machine": pool.machine.key,
                    "nodes": pool.nodes,
                    "spares": pool.spares,
                    **({"spare_jobs": pool.spare_jobs} if pool.spares else {}),
                    "rails": pool.rails,
                    "node_gbps": pool.node_gbps,
                    **({"image": pool.image} if pool.image else {}),
                    **(
                        {"image_profile": pool.profile, "brings": pool.brings, "fills": pool.fills}
                        if pool.profile != STOCK
                        else {}
                    ),
                }
                for pool in self.pools
            ],
            "filesystems": [f.model_dump(mode="json", exclude_defaults=True) for f in self.filesystems],
            "claims": [{**c.model_dump(mode="json"), "measured_by": c.measured_by} for c in self.claims],
            "out_of_scope": [o.model_dump(mode="json") for o in self.out_of_scope],
            "spare_nodes": self.spare_nodes,
            "price": self.price.model_dump(mode="json", exclude_defaults=True) if self.price else None,
            "warnings": [w.model_dump(mode="json") for w in self.warnings],
            **more,
        }


class PlannedNic(FrozenModel):
    """One network card of a rail; the fields of the contract's."""

    device: str
    netdev: str
    rate_gbps: float
    switch: str
    port: str


class PlannedRail(FrozenModel):
    """All NICs of one GPU position, or of a few GPUs that share them; the fields of the contract's."""

    index: int
    address: str
    """IPv4 with prefix length."""
    mtu: int
    rate_gbps: float
    nics: list[PlannedNic]


class PlannedHost(FrozenModel):
    """One host, before it exists."""

    name: str
    pool: str
    """Name of its pool; ``controller`` for the controller, which is in none."""
    role: Literal["controller", "compute", "spare"]
    machine: str
    """Catalogue key; empty for the controller."""
    gpus: int
    cpus: int
    memory_mib: int
    address: str
    """Management IPv4 address."""
    prefix: int
    """Prefix length of the management network."""
    scalable_unit: int
    rails: list[PlannedRail]
