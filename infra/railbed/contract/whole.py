"""The contract of one stack, and its hash."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field

from railbed.claims import Claim, FrozenModel, OutOfScope
from railbed.contract import scalars
from railbed.contract.finetuning import FineTuning
from railbed.contract.kubernetes import Kubernetes
from railbed.contract.parts import Filesystem, Machine, Missing, Nic, Node, NodeClass, Rail, Software
from railbed.contract.site import Services
from railbed.contract.tenancy import Tenancy
from railbed.errors import ContractError
from railbed.laws.serving import Service

SCHEMA = "railbed/contract/v1"


class Contract(FrozenModel):
    """The whole contract of one stack."""

    schema_: Literal["railbed/contract/v1"] = Field(default="railbed/contract/v1", alias="schema")
    stack: scalars.Name
    name: scalars.Name
    service: Literal["hosts", "cluster", "metal"]
    scheduler: Literal["slurm", "kubernetes", "none"]
    job_topology: Literal["tree", "block"] = "tree"
    """How the scheduler keeps the nodes of a job close: within switches, or in whole scalable units."""
    pkey: Annotated[int, Field(ge=0, lt=0x7FFF)] = 0
    """InfiniBand partition that every rail is a full member of; 0: none is asked for."""
    scheduler_api: Literal["none", "socket", "loopback"] = "none"
    """Where the scheduler's REST interface listens on its hosts."""
    platform: scalars.Word
    """Platform kind, for people and reports only: nothing branches on it."""
    simulated: bool
    """True where hardware is stood in for: every report and certificate says so."""
    admins: dict[scalars.Login, scalars.PublicKey]
    """Login name → public SSH key."""
    domain: scalars.Domain
    nodes: list[Node]
    machines: list[Machine]
    classes: list[NodeClass] = Field(default_factory=list)
    """What nodes get; each node names its class."""
    hosts: Literal["machine", "container"] = "machine"
    """A container shares clock, cgroups, kernel parameters and drives with its host."""
    filesystems: list[Filesystem]
    software: Software
    claims: list[Claim]
    out_of_scope: list[OutOfScope]
    missing: list[Missing] = Field(default_factory=list)
    """Empty where every pool is whole."""
    imds: list[Annotated[str, Field(pattern=r"^[0-9a-f.:]+$", max_length=45)]] = Field(default_factory=list)
    """Addresses of the provider's instance metadata service, which only root may reach; empty where there is none."""
    ntp: list[scalars.Host] = Field(default_factory=list)
    """NTP servers that the controllers follow; empty: the cluster keeps a time of its own."""
    services: Services = Field(default_factory=Services)
    """Of the site, beside time."""
    kubernetes: Kubernetes | None = Field(default=None, exclude_if=lambda place: place is None)
    """The cluster that is the scheduler; None where it is another. Left out then, so that contracts of the time before keep
    their hash."""
    tenancy: Tenancy | None = Field(default=None, exclude_if=lambda people: people is None)
    """Who uses the cluster; None where only admins do. Left out then, so that contracts of the time before keep their hash."""
    finetuning: FineTuning | None = Field(default=None, exclude_if=lambda jobs: jobs is None)
    """Small jobs that a validation submits; None where the spec has none. Left out then, so that contracts of the time before
    keep their hash."""
    serving: Service | None = Field(default=None, exclude_if=lambda service: service is None)
    """The inference service that claims are about; None without one. Left out then, as above."""
    standby_pools: list[scalars.Name] = Field(default_factory=list, exclude_if=lambda pools: not pools)
    """Pools whose spares take no user's job until a swap. Left out where there is none, so that contracts of the time before
    keep their hash."""
    spec_hash: scalars.Sha256
    hash: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    """SHA-256 over the canonical JSON of everything else; set by ``sealed``."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)

    def known_hosts(self) -> list[str]:
        """Lines of a known_hosts file, as ssh reads it: the keys made with the hosts."""
        return [f"{node.name},{node.address} {key}" for node in self.nodes for key in node.ssh.host_keys]

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

    def slowdown(self, node: Node) -> float:
        """How many times longer a program takes on the node than on a processor of its own."""
        return self.machine(node.machine).slowdown if node.machine else 1.0

    def class_of(self, node: Node) -> NodeClass:
        """What ``node`` gets. Raises ContractError where an earlier railbed wrote the contract, without classes."""
        for one in self.classes:
            if one.name == node.node_class:
                return one
        raise ContractError(
            f"the contract does not say what {node.name} gets", code="CONTRACT_CLASSES", found=node.node_class,
            allowed=[one.name for one in self.classes], hint="run `railbed up`: it makes the contract anew",
        )  # fmt: skip

    def nics(self, node: Node) -> list[tuple[Rail, Nic]]:
        """Every NIC of ``node``, rail by rail; from the machine's facts where the provider reports none per node."""
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
        return digest_of(self.as_json())

    def certified(self) -> str:
        """What a certificate names: the hash of everything but the people, who come and go while it stands."""
        return self.hash if self.tenancy is None else self.model_copy(update={"tenancy": None}).digest()

    def digest_as_read(self) -> str:
        """The same without what an earlier railbed did not write, for which today's defaults stand."""
        return digest_of(self.as_json(exclude_unset=True))

    def sealed(self) -> Self:
        """A copy whose ``hash`` matches its content."""
        return self.model_copy(update={"hash": self.digest()})

    def sealed_json(self) -> dict[str, Any]:
        """``sealed().as_json()`` in one pass."""
        body = self.as_json()
        return {**body, "hash": digest_of(body)}

    def as_json(self, *, exclude_unset: bool = False) -> dict[str, Any]:
        """Plain JSON data. Rails that nodes share are one object in it: they would be most of a large contract."""
        body = self.model_dump(
            mode="json", by_alias=True, exclude_unset=exclude_unset, exclude={"nodes": {"__all__": {"rails"}}}
        )
        rails: dict[tuple[int, ...], list[dict[str, Any]]] = {}
        for node, written in zip(self.nodes, body["nodes"], strict=True):
            those = tuple(map(id, node.rails))
            if those not in rails:
                rails[those] = [
                    rail.model_dump(mode="json", exclude_unset=exclude_unset) for rail in node.rails
                ]
            written["rails"] = rails[those]
        return body


def digest_of(body: dict[str, Any]) -> str:
    """SHA-256 of a contract's JSON data without ``hash``."""
    rest = {key: value for key, value in body.items() if key != "hash"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
