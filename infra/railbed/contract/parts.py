"""What a contract is made of: nodes with rails and how to reach them, machines, filesystems, software."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from railbed.claims import FrozenModel, Line
from railbed.contract import scalars
from railbed.contract.proxies import Proxy


class Nic(FrozenModel):
    """One network card of a rail."""

    device: scalars.Device
    """RDMA device name, e.g. ``mlx5_3``; where there is none (TCP rails) the interface; empty: read from the node."""
    netdev: scalars.Device
    """Linux interface name on the node; empty: read from the node."""
    rate_gbps: float
    switch: scalars.Port
    """Name of the leaf that it is cabled to; empty: not published by the provider."""
    port: scalars.Port
    pkey_place: int = 0
    """Place of the cluster's InfiniBand partition in the card's table, as it was observed; 0 without a partition."""


class Rail(FrozenModel):
    """All NICs of one GPU position of a node, or of a few GPUs that share them."""

    index: int
    address: scalars.Interface
    """IPv4 with prefix length, e.g. ``10.91.3.11/24``; empty for an InfiniBand or EFA rail without IP."""
    mtu: int
    """0 where nobody published it: read from the node."""
    rate_gbps: float
    nics: list[Nic]
    """Empty where the provider reports neither devices nor switches per node: the machine's facts apply."""


class Ssh(FrozenModel):
    """How a node is reached. Host keys are those made with the node; nothing is ever trusted on first use."""

    user: scalars.Login
    port: int = Field(default=22, ge=1, le=65_535)
    proxy: Proxy | None = None
    """None: directly."""
    host_keys: list[scalars.PublicKey]
    """Public host keys, ``ssh-ed25519 AAAA…``; none where nothing logs in to the node."""


class Identity(FrozenModel):
    """What must match before anything is done to a node."""

    kind: Literal["instance_id", "serial", "machine_id"]
    value: scalars.Id


class StorageLink(FrozenModel):
    """A node's interface on the storage network, by which LNet reaches Lustre's servers over RDMA."""

    address: scalars.Interface
    """IPv4 with prefix length."""
    interface: scalars.Word
    """``auto``, ``rail-N``, or the RDMA device or interface by its name."""
    pkey: Annotated[int, Field(ge=0, lt=0x7FFF)] = 0
    """Key of the InfiniBand partition, without the bit of full members; 0: the default one."""


class BmcTrust(FrozenModel):
    """How a BMC's TLS certificate is known; both empty: by public authorities."""

    ca_file: Line = ""
    """On the operator's machine."""
    fingerprint: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    """SHA-256 of the certificate."""


class Node(FrozenModel):
    """One host."""

    name: scalars.Name
    pool: scalars.Name
    role: Literal["controller", "compute", "spare", "storage"]
    machine: scalars.CatalogKey
    """Catalogue key."""
    gpus: int
    cpus: int
    """CPUs that the scheduler may offer; 0 where nobody published how many: read from the node."""
    memory_mib: int
    """0 as above."""
    address: scalars.Address
    """Management IPv4 address without prefix length."""
    ssh: Ssh
    rails: list[Rail]
    scalable_unit: int
    """Index of the scalable unit (leaf group) that the node's rails are cabled to; 0 for hosts without rails."""
    identity: Identity
    bmc: scalars.Redfish = ""
    """Redfish address, or empty."""
    bmc_trust: BmcTrust | None = Field(default=None, exclude_if=lambda trust: trust is None)
    """Left out where there is none, so that contracts of the time before keep their hash."""
    node_class: scalars.CatalogKey = ""
    """Name of one of the contract's ``classes``."""
    storage: StorageLink | None = Field(default=None, exclude_if=lambda link: link is None)
    """None where railbed gives no address. Left out then, so that contracts of the time before keep their hash."""
    api_name: scalars.HostOrNone = Field(default="", exclude_if=lambda name: not name)
    """Its name at the Kubernetes API; empty elsewhere, and left out as above."""


class Brought(FrozenModel):
    """A component that an image has, and where a node shows its version: by one of the four."""

    accepts: scalars.Range
    kernel: bool = False
    """By the running kernel."""
    module: scalars.Module = ""
    """By the file of a kernel module."""
    packages: list[scalars.PackagePattern] = Field(default_factory=list)
    """By the first installed package of these."""
    file: scalars.Path = ""
    """By the first number with a dot in a file."""


class NodeImage(FrozenModel):
    """The image that nodes start from, as the plan knows it by its profile."""

    profile: scalars.Word = "stock"
    brings: dict[scalars.Component, Brought] = Field(default_factory=dict)
    """Component → what the image has; nodes install none of it."""
    follows: dict[scalars.Component, scalars.Range] = Field(default_factory=dict)
    """Component that is installed in the version of the image's driver → that driver's range."""
    holds: list[scalars.PackagePattern] = Field(default_factory=list)
    """Packages of the image that must not move."""
    apt_sources: list[scalars.FileName] = Field(default_factory=list)
    """Files of ``/etc/apt/sources.list.d`` that stay."""
    apt_preferences: list[scalars.FileName] = Field(default_factory=list)
    """Files of ``/etc/apt/preferences.d`` that go."""
    services: list[scalars.Unit] = Field(default_factory=list)
    """Units of the image that must be enabled."""
    silenced: list[scalars.Unit] = Field(default_factory=list)
    """Units of the image that do nothing more."""
    names_devices: bool = False
    """Whether a service of the image names the RDMA devices."""
    stamp: scalars.Path = ""
    """File with the release of the image; empty: none."""
    mpi_home: scalars.FolderPattern = ""
    """Folder of the image's MPI."""
    boot_line: list[scalars.BootParameter] = Field(default_factory=list, exclude_if=lambda words: not words)
    """Words of its kernel's command line that stand in for one of the class's. Left out where there is none, so that contracts of
    the time before keep their hash."""


class NodeClass(FrozenModel):
    """What nodes that are alike get, as the plan worked it out."""

    name: scalars.CatalogKey
    """For people, e.g. ``compute/lab/rail8``."""
    groups: list[scalars.Component]
    """Groups of the inventory, by which roles are chosen."""
    components: dict[scalars.Component, scalars.Version]
    """Component of the release → exact version."""
    packages: dict[scalars.Package, scalars.Pin]
    """Package → version at which it is held, as apt takes it; empty: any."""
    parts: dict[scalars.PackagePattern, scalars.Pin] = Field(default_factory=dict)
    """Packages that come only with these → the version that apt takes them in."""
    boot_line: list[scalars.BootParameter] = Field(default_factory=list)
    """Words that the kernel's command line must have, beside what the image gives it."""
    huge_pages_gib: int = 0
    """Set aside at boot: the scheduler gives it to nobody."""
    image: NodeImage = NodeImage()
    """What its nodes start from."""


class Machine(FrozenModel):
    """The catalogue facts of one machine type that checks and roles need; nobody downstream opens the catalogue."""

    key: scalars.CatalogKey
    gpu_model: Line
    gpus: int
    gpu_memory_mib: int | None
    gpu_power_w: float | None = None
    """What one GPU may draw; None: its board's own default."""
    rails: int
    nics_per_rail: int | None
    nic_gbps: float | None
    payload_fraction: float | None
    """Share of the line rate that carries payload at the rail's MTU. Like its neighbours None where nobody published it:
    what depends on it is unproven."""
    transport: Literal["tcp", "roce", "infiniband", "efa"]
    rdma_write: bool = Field(default=True, exclude_if=bool)
    """False where cards only read from another node's memory. Left out else, so that contracts of the time before keep their
    hash."""
    collective_ranks_per_node: int
    stands_for: scalars.CatalogKey = ""
    """Key of the machine that this one simulates, or empty for real hardware."""
    scale: float = 1.0
    """Rates of the simulated machine times this are the real one's."""
    rdma_devices: list[scalars.Device] = Field(default_factory=list)
    """RDMA device of each NIC, rail by rail; empty: read from the nodes."""
    netdevs: list[scalars.Device] = Field(default_factory=list)
    """Interface of each NIC, rail by rail; empty as above."""
    nccl_environment: dict[scalars.EnvironmentName, scalars.EnvironmentValue] = Field(default_factory=dict)
    """NCCL settings that the provider publishes."""
    nvlink_links: int = 0
    """Of one GPU."""
    nvlink_gbytes_per_s: float = 0.0
    """One direction of one link."""
    nodes_per_nvlink_domain: int = 1
    """Nodes whose GPUs NVLink joins where all are there; 1: none but a node's own."""
    trains_on: Literal["cpu", "cuda"] = Field(default="cpu", exclude_if=lambda device: device == "cpu")
    """What ranks of the reference job compute on, one for each of ``collective_ranks_per_node``. Left out for processors, so that
    contracts of the time when the job had nothing else keep their hash."""
    slowdown: float = Field(default=1.0, ge=1, exclude_if=lambda times: times == 1)
    """How many times longer a program takes than on a processor of its own: time limits of what runs on the node are so many
    times as long. Over 1 only where processors are emulated (lab); left out else, so that contracts of the time before keep
    their hash."""


class Filesystem(FrozenModel):
    """One shared parallel filesystem."""

    name: scalars.Name
    kind: Literal["moosefs", "lustre", "beegfs", "ceph", "external"]
    mount: scalars.Path
    metadata_server: scalars.NameOrNone
    """Node name of the metadata server."""
    data_servers: list[scalars.Name]
    data_path: scalars.Path
    """Where a data server keeps its data."""
    copies: int
    capacity_tib: float
    source: scalars.Source = ""
    """What a client mounts, e.g. ``fs-0ab….fsx.us-east-2.amazonaws.com@tcp:/abcd``; empty where railbed serves it."""
    options: scalars.MountOptions = ""
    """Mount options that the provider asks for."""
    network: Literal["", "efa"] = ""
    """LNet network of its servers beside TCP, where its source does not name one."""


class Missing(FrozenModel):
    """Nodes of a pool that were asked for and are not there: a partial contract, not an error."""

    pool: scalars.Name
    asked: int
    found: int
    reasons: list[Line]
    """One for each cause, e.g. the provider's own words, or a host key that changed."""


class Repository(FrozenModel):
    """A signed repository of packages that nodes install from."""

    name: scalars.RepositoryName
    uri: scalars.Url
    suite: scalars.Suite
    components: list[scalars.Word]
    signed_by: scalars.SignedBy
    """The armoured public key; of a distribution's own archive the path of the keyring that every host of it has."""
    fingerprint: scalars.Fingerprint = ""
    """Of that key where a release pins it; whoever writes the contract has compared them."""
    packages: dict[scalars.Package, scalars.Pin] = Field(default_factory=dict)
    """Of the cluster's own: package → the one version that it carries."""
    wheels: Annotated[str, Field(pattern=r"^([0-9a-f]{12})?$")] = ""
    """Of the cluster's own: folder of the training stack's wheels, which controllers serve; empty: they serve none."""


class File(FrozenModel):
    """A file that comes from no repository, and by what a fetched copy is checked."""

    url: scalars.Url
    sha256: scalars.Sha256
    carried: Annotated[str, Field(pattern=r"^(sources/[a-z_]+/[A-Za-z0-9][A-Za-z0-9._+-]*)?$")] = ""
    """Where the cluster's own repository has it; empty where nodes fetch it."""


class ContainerImage(FrozenModel):
    """An image of a container: a squashfs file that every node reads."""

    path: scalars.Path
    sha256: scalars.Sha256


class Software(FrozenModel):
    """The locked release."""

    release: scalars.Word
    versions: dict[scalars.Component, scalars.Version]
    """Component → exact version, e.g. ``nvidia_driver: 570.124.06``."""
    packages: dict[scalars.Component, scalars.Package]
    """Component → package name that brings it, e.g. ``nvidia_driver: nvidia-open``."""
    repositories: list[Repository]
    training_stack_path: scalars.Path
    """Folder on the node that holds the training stack's Python packages."""
    wheels: scalars.UrlOrNone = ""
    """Page of the site's mirror that lists their wheels; empty: the index that the node is set to."""
    mirrored: bool = False
    """Whether repositories are a mirror of the site, which a node that was not converged yet does not know."""
    package_versions: dict[scalars.Component, scalars.Version] = Field(default_factory=dict)
    """Component → version of its package, where the release knows it to the last character."""
    files: dict[scalars.Component, File] = Field(default_factory=dict)
    """Component → its file, where the release has its hash."""
    nic_firmware: dict[scalars.Version, scalars.Version] = Field(default_factory=dict)
    """First number of a network card's firmware → the oldest version that goes with the release's drivers."""
    secure_boot: Literal["off", "mok", "signed"] = "off"
    """How the site lets kernels in secure boot load modules."""
    certificate_sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    """Of the site's own certificate, with ``mok``."""
    container_image: ContainerImage | None = None
    """What a validation starts as a job's container."""
    hpc_benchmarks: ContainerImage | None = Field(default=None, exclude_if=lambda image: image is None)
    """NVIDIA's HPC Benchmarks, whose HPL a validation starts on GPUs. Left out where the spec names none, so that contracts of
    the time before keep their hash."""
