"""The contract: what was made, what to expect of it and how to reach it. Versioned JSON, the stack output ``contract``.

Everything after the platforms (inventory, configure, validate, operate) reads this and nothing else. It never holds a
secret value, and at most 2 KB a node.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, ValidationError

from railbed.errors import ContractError
from railbed.model.claims import Claim, OutOfScope, Part

SCHEMA = "railbed/contract/v1"


class Nic(Part):
    """One network card of a rail."""

    device: str
    """RDMA device name, e.g. ``mlx5_3``; where there is none (TCP rails) the interface; empty: read from the node."""
    netdev: str
    """Linux interface name on the node; empty: read from the node."""
    rate_gbps: float
    switch: str
    """Name of the leaf that it is cabled to; empty where the provider does not tell."""
    port: str


class Rail(Part):
    """All NICs of one GPU position of a node."""

    index: int
    address: str
    """IPv4 with prefix length, e.g. ``10.91.3.11/24``; empty for an InfiniBand or EFA rail without IP."""
    mtu: int
    """0 where nobody published it: read from the node."""
    rate_gbps: float
    nics: list[Nic]
    """Empty where the provider tells neither devices nor switches of single nodes: the machine's facts hold."""


class Ssh(Part):
    """How a node is reached. Host keys are those made with the node; nothing is ever trusted on first use."""

    user: str
    port: int = 22
    proxy: str = ""
    """An OpenSSH ProxyCommand (``%h`` and ``%p`` allowed) that prints to stdout, or one that passes a descriptor."""
    proxy_passes_fd: bool = False
    """True where ``proxy`` hands back a connected descriptor (OpenSSH ``ProxyUseFdpass``)."""
    host_keys: list[str]
    """Public host keys, ``ssh-ed25519 AAAA…``."""


class Identity(Part):
    """What must match before anything is done to a node."""

    kind: Literal["instance_id", "serial", "machine_id"]
    value: str


class Node(Part):
    """One host."""

    name: str
    pool: str
    role: Literal["controller", "compute", "spare", "storage"]
    machine: str
    """Catalogue key."""
    gpus: int
    cpus: int
    """CPUs that the scheduler may offer; 0 where nobody published how many: read from the node."""
    memory_mib: int
    """0 as above."""
    address: str
    """Management IPv4 address without prefix length."""
    ssh: Ssh
    rails: list[Rail]
    scalable_unit: int
    """Index of the scalable unit (leaf group) that the node's rails are cabled to; 0 for hosts without rails."""
    identity: Identity
    bmc: str = ""
    """Redfish address, or empty."""


class Machine(Part):
    """The catalogue facts of one machine type that checks and roles need; nobody downstream opens the catalogue."""

    key: str
    gpu_model: str
    gpus: int
    gpu_memory_mib: int | None
    rails: int
    nics_per_rail: int | None
    nic_gbps: float | None
    payload_fraction: float | None
    """Share of the line rate that carries payload at the rail's MTU. Like its neighbours None where nobody published it:
    what depends on it is unproven."""
    transport: Literal["tcp", "roce", "infiniband", "efa"]
    collective_ranks_per_node: int
    stands_for: str = ""
    """Key of the machine that this one simulates, or empty for real hardware."""
    scale: float = 1.0
    """Rates of the simulated machine times this are the real one's."""
    rdma_devices: list[str] = Field(default_factory=list)
    """RDMA device of each NIC, rail by rail; empty where nodes tell them."""
    netdevs: list[str] = Field(default_factory=list)
    """Interface of each NIC, rail by rail; empty as above."""
    nccl_environment: dict[str, str] = Field(default_factory=dict)
    """What the provider says NCCL needs to be told."""
    nodes_per_nvlink_domain: int = 1
    """Nodes whose GPUs NVLink joins where all are there; 1: none but a node's own."""


class Filesystem(Part):
    """One shared parallel filesystem."""

    name: str
    kind: Literal["moosefs", "lustre", "beegfs", "ceph", "external"]
    mount: str
    metadata_server: str
    """Node name of the metadata server."""
    data_servers: list[str]
    data_path: str
    """Where a data server keeps its data."""
    copies: int
    capacity_tib: float
    source: str = ""
    """What a client mounts, e.g. ``fs-0ab….fsx.us-east-2.amazonaws.com@tcp:/abcd``; empty where railbed serves it."""
    options: str = ""
    """Mount options that the provider asks for."""


class Missing(Part):
    """Nodes of a pool that were asked for and are not there: a partial contract, not an error."""

    pool: str
    asked: int
    found: int
    reasons: list[str]
    """One for each cause, e.g. the provider's own words, or a host key that changed."""


class Repository(Part):
    """A signed repository of packages (apt's, or dnf's on Rocky) that nodes install from."""

    name: str
    uri: str
    suite: str
    """Empty for dnf, as ``components``."""
    components: list[str]
    signed_by: str
    """The armoured public key; of a distribution's own archive the path of the keyring that every host of it has."""
    fingerprint: str = Field(default="", pattern=r"^([0-9A-F]{40})?$")
    """Of that key where a release pins it; whoever writes the contract has compared them."""
    signs: list[Literal["index", "packages"]] = Field(default=["index"], min_length=1)
    """What the key signs: the index with the hashes of all packages, each package, or both."""


class File(Part):
    """A file that comes from no repository, and by what a fetched copy is checked."""

    url: str
    sha256: str


class Software(Part):
    """The locked release."""

    release: str
    versions: dict[str, str]
    """Component → exact version, e.g. ``nvidia_driver: 570.124.06``."""
    packages: dict[str, str]
    """Component → package name that brings it, e.g. ``nvidia_driver: nvidia-open``."""
    repositories: list[Repository]
    training_stack_path: str
    """Folder on the node that holds the training stack's Python packages."""
    package_versions: dict[str, str] = Field(default_factory=dict)
    """Component → version of its package, where the release knows it to the last character."""
    files: dict[str, File] = Field(default_factory=dict)
    """Component → its file, where the release has its hash."""


class Contract(Part):
    """The whole contract of one stack."""

    schema_: Literal["railbed/contract/v1"] = Field(default="railbed/contract/v1", alias="schema")
    stack: str
    name: str
    service: Literal["hosts", "cluster", "metal"]
    scheduler: Literal["slurm", "kubernetes", "none"]
    platform: str
    """Platform kind, for people and reports only: nothing branches on it."""
    simulated: bool
    """True where hardware is stood in for: every report and certificate says so."""
    admins: dict[str, str]
    """Login name → public SSH key."""
    domain: str
    nodes: list[Node]
    machines: list[Machine]
    filesystems: list[Filesystem]
    software: Software
    claims: list[Claim]
    out_of_scope: list[OutOfScope]
    missing: list[Missing] = Field(default_factory=list)
    """Empty where every pool is whole."""
    imds: list[Annotated[str, Field(pattern=r"^[0-9a-f.:]+$", max_length=45)]] = Field(default_factory=list)
    """Addresses of the provider's instance metadata service, which only root may reach; empty where there is none."""
    spec_hash: str
    hash: str = ""
    """SHA-256 over the canonical JSON of everything else; set by ``sealed``."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)

    def node(self, name: str) -> Node:
        """The node of that name. Raises ContractError naming the ones there are."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise ContractError(
            f"no node named {name!r} in stack {self.stack}",
            code="NODE_UNKNOWN",
            found=name,
            allowed=[n.name for n in self.nodes],
        )

    def machine(self, key: str) -> Machine:
        """The machine facts of ``key``."""
        return next(m for m in self.machines if m.key == key)

    def nics(self, node: Node) -> list[tuple[Rail, Nic]]:
        """Every NIC of ``node``, rail by rail; from the machine's facts where the provider tells none of single nodes."""
        return [(rail, nic) for rail in node.rails for nic in (rail.nics or self._nics(node.machine, rail))]

    def _nics(self, machine: str, rail: Rail) -> list[Nic]:
        facts = self.machine(machine)
        count = facts.nics_per_rail or 0
        places = range(rail.index * count, (rail.index + 1) * count)
        return [
            Nic(
                device=facts.rdma_devices[place] if facts.rdma_devices else "",
                netdev=facts.netdevs[place] if facts.netdevs else "",
                rate_gbps=facts.nic_gbps or 0.0, switch="", port="",
            )
            for place in places
        ]  # fmt: skip

    def with_role(self, *roles: str) -> list[Node]:
        """Nodes of these roles, in the contract's order."""
        return [n for n in self.nodes if n.role in roles]

    def digest(self) -> str:
        """SHA-256 of the canonical JSON without ``hash``."""
        return _digest(self.as_json())

    def sealed(self) -> Self:
        """A copy whose ``hash`` matches its content."""
        return self.model_copy(update={"hash": self.digest()})

    def sealed_json(self) -> dict[str, Any]:
        """``sealed().as_json()`` in one pass."""
        body = self.as_json()
        return {**body, "hash": _digest(body)}

    def as_json(self) -> dict[str, Any]:
        """Plain JSON data. Rails that nodes share are one object in it: they would be most of a large contract."""
        body = self.model_dump(mode="json", by_alias=True, exclude={"nodes": {"__all__": {"rails"}}})
        rails: dict[tuple[int, ...], list[dict[str, Any]]] = {}
        for node, written in zip(self.nodes, body["nodes"], strict=True):
            those = tuple(map(id, node.rails))
            if those not in rails:
                rails[those] = [rail.model_dump(mode="json") for rail in node.rails]
            written["rails"] = rails[those]
        return body


LAST_BYTES = 200
LAST_WORDS = re.compile(rb'"hash": "([0-9a-f]{64})"\s*}\s*$')
"""How a contract ends that railbed wrote: for thousands of nodes, reading all of it takes a quarter of a second."""


def _digest(body: dict[str, Any]) -> str:
    rest = {key: value for key, value in body.items() if key != "hash"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def parse(data: Any, where: str) -> Contract:
    """The contract in ``data`` (decoded JSON). Raises ContractError for another schema, a bad field or a broken hash."""
    if not isinstance(data, dict) or not data:
        raise ContractError("the contract is empty", path=where, hint="run `railbed up` first")
    if data.get("schema") != SCHEMA:
        raise ContractError(
            "the contract has another schema", path=f"{where}:schema", found=data.get("schema"), allowed=SCHEMA,
            hint="run `railbed up` with this version of railbed",
        )  # fmt: skip
    try:
        contract = Contract.model_validate_json(json.dumps(data))
    except ValidationError as wrong:
        first = wrong.errors()[0]
        raise ContractError(
            f"the contract does not hold: {first['msg']}", path=f"{where}:{'.'.join(map(str, first['loc']))}",
            found=str(first.get("input"))[:120], hint="run `railbed up` again",
        ) from None  # fmt: skip
    if not contract.nodes:
        raise ContractError("the contract has no nodes", path=f"{where}:nodes", hint="run `railbed up` again")
    if contract.hash != contract.digest():
        raise ContractError(
            "the contract was changed after it was made", path=f"{where}:hash", found=contract.hash,
            allowed=contract.digest(), hint="never edit it; run `railbed up` again",
        )  # fmt: skip
    return contract


def load(path: Path) -> Contract:
    """The contract file of a stack. Raises ContractError where it is missing or cut short, and as `parse` does."""
    return parse(_read(path), str(path))


def hash_on_disk(path: Path) -> str:
    """The hash that a stack's contract file says it has, unchecked. Raises ContractError where it is missing or cut short."""
    if path.exists():
        with path.open("rb") as source:
            source.seek(max(0, path.stat().st_size - LAST_BYTES))
            if last := LAST_WORDS.search(source.read()):
                return last[1].decode()
    data = _read(path)
    return str(data.get("hash", "")) if isinstance(data, dict) else ""


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise ContractError(
            "this stack has no contract yet", path=str(path), hint="run `make up` (or `railbed up`) first"
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as broken:
        raise ContractError(
            f"the contract is not whole JSON ({broken})", path=str(path), hint="run `railbed up` again"
        ) from None
