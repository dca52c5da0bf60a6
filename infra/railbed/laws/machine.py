"""What the laws of bandwidth need of a machine type, and how nodes split into NVLink domains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from railbed.catalog import Machine, Unpublished
from railbed.claims import FrozenModel
from railbed.errors import UsageError
from railbed.units import GIB, gbytes_per_s

MAX_NODES = 1_000_000


@dataclass(frozen=True)
class Point:
    """One published healthy result."""

    machine: str
    """Catalogue key of what was measured; may be empty."""
    fabric: str
    """As BandwidthMachine.fabric."""
    nodes: int
    domains: int
    collective: str
    algorithm: str | None
    """None where NCCL chose."""
    size_bytes: int
    busbw_gbytes_per_s: float
    source: str


class BandwidthMachine(FrozenModel):
    """One machine type; rates are per node unless named otherwise."""

    key: str
    gpus: int
    gpus_per_domain: int
    nodes_per_domain: int
    rails: int
    nic_gbps_per_rail: float
    """Gb/s of all NICs of one rail together, one direction."""
    known_payload_fraction: float | None = None
    """Share of the line rate that carries payload at the rail's MTU; None: nobody published it."""
    collective_ranks_per_node: int
    """1 where one process drives all rails of a node, else one rank per GPU."""
    nvls_busbw_cap_gbytes_per_s: float | None = None
    """all_reduce inside one full domain with in-switch reduction."""
    ring_busbw_cap_gbytes_per_s: float | None = None
    """The same with rings."""
    in_network_reduction: bool = False
    """True where the switches may reduce (InfiniBand SHARP)."""
    nvls: bool = False
    """True where the NVLink switches can reduce."""
    nvlink_gbytes_per_s: float | None = None
    """Line rate of all NVLinks of one GPU, one direction."""
    board: str = ""
    """GPU model and GPUs per NVLink domain: inside one domain such machines are alike."""
    fabric: str = ""
    """Rails, rate and transport: with the board, what makes machines alike across nodes."""
    rdma: bool = False
    """True where the rails carry RDMA, so that NCCL drives them."""
    results: tuple[Point, ...] = ()
    """What was published of machines with this board."""

    @property
    def payload_fraction(self) -> float:
        """Share of the line rate that carries payload. Raises Unpublished."""
        if self.known_payload_fraction is None:
            raise Unpublished(
                f"nobody published payload_fraction of {self.key}",
                path=f"machines/{self.key}.yaml:unpublished.payload_fraction",
                hint="measure it and put it, with its source, into a file of your own catalogue (RAILBED_CATALOG)",
            )
        return self.known_payload_fraction

    @property
    def node_gbytes_per_s(self) -> float:
        """Line rate of one node, one direction."""
        return gbytes_per_s(self.rails * self.nic_gbps_per_rail)

    @property
    def rail_gbytes_per_s(self) -> float:
        """Line rate of one rail, one direction."""
        return gbytes_per_s(self.nic_gbps_per_rail)

    @property
    def network_only(self) -> bool:
        """True where one rank drives all rails of a node, so that no in-node stage takes part."""
        return self.gpus > 1 and self.collective_ranks_per_node == 1


def of(facts: Machine) -> BandwidthMachine:
    """The same machine as the catalogue knows it. Raises Unpublished where nobody published its NICs' rate."""
    rate = round(facts.nics_per_rail * facts.nic_gbps, 9)
    return BandwidthMachine(
        key=facts.key,
        gpus=facts.gpus,
        gpus_per_domain=facts.gpus_per_nvlink_domain,
        nodes_per_domain=facts.nodes_per_nvlink_domain,
        rails=facts.rails,
        nic_gbps_per_rail=rate,
        known_payload_fraction=facts.known_payload_fraction,
        collective_ranks_per_node=facts.collective_ranks_per_node,
        nvls_busbw_cap_gbytes_per_s=facts.nvls_busbw_cap_gbytes_per_s,
        ring_busbw_cap_gbytes_per_s=facts.ring_busbw_cap_gbytes_per_s,
        in_network_reduction=facts.transport == "infiniband",
        nvls=facts.nvls,
        nvlink_gbytes_per_s=facts.nvlink_gbytes_per_s / 2 or None,
        board=f"{facts.gpu_model} × {facts.gpus_per_nvlink_domain}",
        fabric=f"{facts.rails} × {rate:g} Gb/s {facts.transport}",
        rdma=facts.transport != "tcp",
        results=tuple(_points(facts)),
    )


def _points(facts: Machine) -> Iterator[Point]:
    for one in facts.results.values():
        for rate in one.rates:
            yield Point(
                one.machine, one.fabric, one.nodes, one.domains, rate.collective, rate.algorithm,
                round(rate.size_gib * GIB), rate.busbw_gbytes_per_s, one.provenance.source,
            )  # fmt: skip


class Group(FrozenModel):
    """The ranks of one collective on one machine type."""

    domains: int
    ranks: int
    ranks_per_domain: int
    """Of the smallest domain, where the nodes are spread as evenly as can be: no other spread has a higher bound."""
    largest_domain_ranks: int
    """Of the largest domain, where full domains come first."""
    domain_gbytes_per_s: float
    """Network rate of the smallest domain, one direction."""

    @property
    def even(self) -> bool:
        """True where every domain has as many ranks."""
        return self.ranks == self.domains * self.ranks_per_domain


def group(machine: BandwidthMachine, nodes: int) -> Group:
    """How ``nodes`` split into NVLink domains: as few as hold them. Raises UsageError below two ranks."""
    if not 1 <= nodes <= MAX_NODES:
        raise UsageError(
            "the number of nodes is out of range", path="--nodes", found=nodes, allowed=f"1 to {MAX_NODES}"
        )
    domains = -(-nodes // machine.nodes_per_domain)
    smallest = nodes // domains
    ranks = nodes * machine.collective_ranks_per_node
    if ranks < 2:
        raise UsageError(
            "a collective needs at least two ranks", path="--nodes", found=nodes, allowed="2 or more"
        )
    return Group(
        domains=domains,
        ranks=ranks,
        ranks_per_domain=smallest * machine.collective_ranks_per_node,
        largest_domain_ranks=min(nodes, machine.nodes_per_domain) * machine.collective_ranks_per_node,
        domain_gbytes_per_s=smallest * machine.node_gbytes_per_s,
    )
