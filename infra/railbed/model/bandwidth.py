"""What a collective can, should and must reach: bound, expected and floor of its bus bandwidth, each derived.

Signs: k NVLink domains touched, n ranks, r ranks per domain, W network GB/s of a domain, B = W/r of one rank.
Bus bandwidth is that of nccl-tests (NVIDIA/nccl-tests doc/PERFORMANCE.md). Bounds count the bytes that must
leave a domain; no published healthy result lies above them. They use the line rate; what the headers leave of
it (``payload_fraction``) goes into what is expected.
"""

from __future__ import annotations

from railbed.catalog import Machine
from railbed.defaults import GATING_SIZE_BYTES, RAIL_GATE_FRACTION
from railbed.errors import UsageError
from railbed.model import published
from railbed.model.claims import Expectation, Part
from railbed.units import gbytes_per_s

COLLECTIVES = ("all_reduce", "all_gather", "reduce_scatter", "alltoall", "broadcast", "reduce")
ALGORITHMS = ("ring", "hierarchical", "tree", "nvls", "nvlstree", "collnet")
"""NCCL's names in lower case; ``hierarchical``: NVLink inside the domain, one ring per rail outside."""

LINE_FLOOR = 0.95
"""Of the line, what railbed's own all_reduce, all_gather and reduce_scatter must hold on all rails."""
ALLTOALL_FLOOR = 0.85
"""The same for alltoall: declared, every pair talks in its own round and waits for the slower side."""
MAX_NODES = 1_000_000


class BandwidthMachine(Part):
    """What the laws need of a machine type; rates are per node unless named otherwise."""

    key: str
    gpus: int
    gpus_per_domain: int
    nodes_per_domain: int
    rails: int
    nic_gbps_per_rail: float
    """Gb/s of all NICs of one rail together, one direction."""
    payload_fraction: float
    """Share of the line rate that carries payload at the rail's MTU."""
    collective_ranks_per_node: int
    """1 where one process drives all rails of a node, else one rank per GPU."""
    nvls_busbw_cap_gbytes_per_s: float | None = None
    """all_reduce inside one full domain with in-switch reduction."""
    ring_busbw_cap_gbytes_per_s: float | None = None
    """The same with rings."""
    in_network_reduction: bool = False
    """True where the switches may reduce (InfiniBand SHARP)."""

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
    """The same machine as the catalogue knows it."""
    return BandwidthMachine(
        key=facts.key,
        gpus=facts.gpus,
        gpus_per_domain=facts.gpus_per_nvlink_domain,
        nodes_per_domain=facts.nodes_per_nvlink_domain,
        rails=facts.rails,
        nic_gbps_per_rail=facts.nics_per_rail * facts.nic_gbps,
        payload_fraction=facts.payload_fraction,
        collective_ranks_per_node=facts.collective_ranks_per_node,
        nvls_busbw_cap_gbytes_per_s=facts.nvls_busbw_cap_gbytes_per_s,
        ring_busbw_cap_gbytes_per_s=facts.ring_busbw_cap_gbytes_per_s,
        in_network_reduction=facts.transport == "infiniband",
    )


class Group(Part):
    """The ranks of one collective on one machine type."""

    domains: int
    ranks: int
    ranks_per_domain: int
    domain_gbytes_per_s: float


def group(machine: BandwidthMachine, nodes: int) -> Group:
    """How ``nodes`` split into NVLink domains. Raises UsageError below two ranks and for a partial domain."""
    if not 1 <= nodes <= MAX_NODES:
        raise UsageError(
            "the number of nodes is out of range", path="--nodes", found=nodes, allowed=f"1 to {MAX_NODES}"
        )
    per_domain = min(nodes, machine.nodes_per_domain)
    if nodes % per_domain:
        raise UsageError(
            f"{nodes} nodes leave an NVLink domain of {machine.key} partial", path="--nodes", found=nodes,
            allowed=f"a multiple of {machine.nodes_per_domain}",
        )  # fmt: skip
    ranks = nodes * machine.collective_ranks_per_node
    if ranks < 2:
        raise UsageError(
            "a collective needs at least two ranks", path="--nodes", found=nodes, allowed="2 or more"
        )
    return Group(
        domains=nodes // per_domain,
        ranks=ranks,
        ranks_per_domain=per_domain * machine.collective_ranks_per_node,
        domain_gbytes_per_s=per_domain * machine.node_gbytes_per_s,
    )


def _normal(collective: str, algorithm: str | None) -> str | None:
    if collective not in COLLECTIVES:
        raise UsageError(
            "unknown collective", path="--collective", found=collective, allowed=list(COLLECTIVES)
        )
    if algorithm is None:
        return None
    name = algorithm.lower().replace("_", "")
    name = {"sharp": "collnet", "collnetdirect": "collnet", "collnetchain": "collnet"}.get(name, name)
    if name not in ALGORITHMS:
        raise UsageError("unknown algorithm", path="--algorithm", found=algorithm, allowed=list(ALGORITHMS))
    if collective != "all_reduce" and name not in ("ring", "hierarchical"):
        raise UsageError(
            f"{collective} has no bound for {name}",
            path="--algorithm",
            found=algorithm,
            allowed=["ring", "hierarchical"],
        )
    return name


def _network_bounds(machine: BandwidthMachine, g: Group, collective: str) -> dict[str, tuple[float, str]]:
    """Per algorithm: the most that the network between domains allows, and the formula."""
    k, n, w = g.domains, g.ranks, g.domain_gbytes_per_s
    b = w / g.ranks_per_domain
    if collective == "alltoall":
        return {
            "ring": (
                b * (n - 1) / (n - g.ranks_per_domain),
                f"B(n-1)/(n-r) with B = {b:g}, n = {n}, r = {g.ranks_per_domain}",
            )
        }
    bounds = {"ring": (w, f"flat rings: W = {w:g}")}
    if collective in ("broadcast", "reduce"):
        return bounds
    bounds["hierarchical"] = (
        b * (n - 1) / (k - 1),
        f"ring per rail: B(n-1)/(k-1) with B = {b:g}, n = {n}, k = {k}",
    )
    if collective == "all_reduce":
        twice = 2 if k == 2 else 1
        tree = twice * w * (n - 1) / n
        bounds["tree"] = bounds["nvlstree"] = (
            tree,
            f"tree: {'2' if k == 2 else ''}W(n-1)/n with W = {w:g}, n = {n}",
        )
        if machine.in_network_reduction:
            bounds["collnet"] = bounds["nvls"] = (
                2 * w * (n - 1) / n,
                f"reduced in the switches: 2W(n-1)/n with W = {w:g}, n = {n}",
            )
    return bounds


def _in_domain_cap(
    machine: BandwidthMachine, g: Group, collective: str, algorithm: str
) -> tuple[float, str] | None:
    """The most that the stage inside a domain allows, where it is known."""
    if g.ranks_per_domain == 1:
        return None
    nvls, ring = machine.nvls_busbw_cap_gbytes_per_s, machine.ring_busbw_cap_gbytes_per_s
    if algorithm == "ring" and collective != "alltoall":
        return None if ring is None else (ring, f"rings inside a domain: {ring:g}")
    if collective == "all_reduce" and nvls is not None:
        full = machine.gpus_per_domain
        algbw = nvls * full / (2 * (full - 1))
        why = f"in-switch reduction inside a domain: algorithm bandwidth {algbw:.4g}"
        return algbw * 2 * (g.ranks - 1) / g.ranks, why
    return None


def bound(
    machine: BandwidthMachine, nodes: int, collective: str, algorithm: str | None = None
) -> tuple[float | None, list[str]]:
    """Most bus bandwidth in GB/s and why; without ``algorithm`` the highest that the machine supports.

    None where nobody published the ceiling inside a domain. Raises UsageError for unknown names and counts.
    """
    wanted = _normal(collective, algorithm)
    g = group(machine, nodes)
    if g.domains == 1:
        tried = (wanted,) if wanted else ("nvls", "ring")
        caps = [cap for a in tried if (cap := _in_domain_cap(machine, g, collective, a)) is not None]
        if not caps:
            return None, [f"nobody published what {collective} reaches inside one domain of {machine.key}"]
        best = max(caps)
        return best[0], [best[1]]
    network = _network_bounds(machine, g, collective)
    if wanted is not None and wanted not in network:
        raise UsageError(
            f"{machine.key} has no {wanted} for {collective}",
            path="--algorithm",
            found=algorithm,
            allowed=sorted(network),
        )
    candidates: list[tuple[float, list[str]]] = []
    for name in (wanted,) if wanted else tuple(network):
        value, why = network[name]
        cap = _in_domain_cap(machine, g, collective, name)
        if cap is not None and cap[0] < value:
            candidates.append((cap[0], [why + f" = {value:.5g}", "capped by " + cap[1] + f" = {cap[0]:.5g}"]))
        else:
            candidates.append((value, [why + f" = {value:.5g}"]))
    return max(candidates, key=lambda c: c[0])


def expect(
    machine: BandwidthMachine, nodes: int, collective: str, size_bytes: int, algorithm: str | None = None
) -> Expectation:
    """Bound, expected and floor of the bus bandwidth (GB/s) of ``collective`` at ``size_bytes``.

    ``floor`` is the lowest healthy reference less a slack: it proves "not worse than the worst published
    healthy", no more. Absent numbers were published by nobody. Raises UsageError for unknown names, counts.
    """
    if size_bytes <= 0:
        raise UsageError("the size must be positive", path="--size", found=size_bytes, allowed="1 or more")
    most, why = bound(machine, nodes, collective, algorithm)
    if most is None:
        return Expectation(unit="GB/s", basis="none", derivation=why)
    if not gates(size_bytes):
        why = [
            *why,
            f"{size_bytes} B is below {GATING_SIZE_BYTES} B: such a size informs and does not gate",
        ]
        return Expectation(unit="GB/s", bound=most, basis="none", derivation=why)
    if machine.network_only:
        return _shaped_line(machine, collective, most, why)
    return _published(machine, nodes, collective, size_bytes, algorithm, most, why)


def _shaped_line(machine: BandwidthMachine, collective: str, most: float, why: list[str]) -> Expectation:
    """One rank drives all rails: only the headers stand between the line and the result."""
    if collective in ("broadcast", "reduce"):
        return Expectation(unit="GB/s", bound=most, basis="none", derivation=why)
    even = collective != "alltoall"
    share = LINE_FLOOR if even else ALLTOALL_FLOOR
    return Expectation(
        unit="GB/s", bound=most, expected=most * machine.payload_fraction, floor=most * share,
        basis="derived" if even else "declared",
        derivation=[
            *why,
            f"expected: the line's payload, {machine.payload_fraction:g} of it",
            f"floor: {share:g} of the line" + ("" if even else ", declared for pairwise exchange"),
        ],
    )  # fmt: skip


def _published(
    machine: BandwidthMachine,
    nodes: int,
    collective: str,
    size_bytes: int,
    algorithm: str | None,
    most: float,
    why: list[str],
) -> Expectation:
    found = published.references(machine.key, nodes, collective, _normal(collective, algorithm), size_bytes)
    if not found.points:
        return Expectation(unit="GB/s", bound=most, basis="none", derivation=[*why, found.reason])
    shares: list[float] = []
    for point in found.points:
        at_point, _ = bound(machine, point.nodes, collective, algorithm)
        if at_point is not None:
            shares.append(point.busbw_gbytes_per_s / at_point)
    lowest = min(shares)
    return Expectation(
        unit="GB/s", bound=most, expected=most * sum(shares) / len(shares),
        floor=most * lowest * (1 - found.slack), basis=found.basis,
        derivation=[
            *why,
            *(f"{p.busbw_gbytes_per_s:g} GB/s at {p.nodes} nodes: {p.source}" for p in found.points),
            f"floor: lowest healthy share of the bound {lowest:.3f} less {found.slack:.1%} ({found.reason})",
        ],
    )  # fmt: skip


def gates(size_bytes: int) -> bool:
    """True for sizes that decide; smaller ones inform."""
    return size_bytes >= GATING_SIZE_BYTES * published.SIZE_SLACK


def expect_rail(machine: BandwidthMachine) -> Expectation:
    """What one direction of one rail must carry, Gb/s of payload: the gate of ``fabric.rail.i.bandwidth``."""
    payload = machine.nic_gbps_per_rail * machine.payload_fraction
    return Expectation(
        unit="Gb/s", bound=machine.nic_gbps_per_rail, expected=payload, floor=payload * RAIL_GATE_FRACTION,
        basis="derived",
        derivation=[
            f"line {machine.nic_gbps_per_rail:g} Gb/s, payload {machine.payload_fraction:g} of it",
            f"floor: {RAIL_GATE_FRACTION:g} of the payload",
        ],
    )  # fmt: skip
