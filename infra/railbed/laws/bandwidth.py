"""What a collective can, should and must reach: bound, expected and floor of its bus bandwidth, each derived.

Bounds are those of ``laws.bounds``: no published healthy result lies above them. They use the line rate; what the headers
leave of it (``payload_fraction``) goes into what is expected of a rail and of a machine whose ranks drive all rails.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache

from railbed.claims import Expectation
from railbed.defaults import GATING_SIZE_BYTES, RDMA_SIZE_BYTES
from railbed.errors import UsageError
from railbed.laws import bounds, latency, published
from railbed.laws.machine import MAX_NODES, BandwidthMachine, Group, Point, group, of

RAIL_GATE_FRACTION = 0.95
"""A rail passes at or above this fraction of its wire payload (design §5)."""

__all__ = [
    "ALGORITHMS", "COLLECTIVES", "MAX_NODES", "BandwidthMachine", "Group", "bound", "expect", "expect_all_rails", "expect_rail",
    "expectations", "gates", "gating_size", "group", "normal", "of",
]  # fmt: skip

COLLECTIVES = ("all_reduce", "all_gather", "reduce_scatter", "alltoall", "broadcast", "reduce")
ALGORITHMS = ("ring", "hierarchical", "tree", "nvls", "nvlstree", "collnet")
"""NCCL's names in lower case; ``hierarchical``: NVLink inside the domain, one ring per rail outside."""
ALIASES = {"sharp": "collnet", "collnetdirect": "collnet", "collnetchain": "collnet"}

LINE_FLOOR = 0.90
"""Of the line, what railbed's own all_reduce, all_gather and reduce_scatter must hold on all rails. Declared: the ranks of a lab
share its host's processors. On two of them a healthy lab came to 0.935-0.989 (2026-11-29); without one of eight rails it cannot
exceed 0.875."""
ALLTOALL_FLOOR = 0.75
"""The same for alltoall, where every pair talks in its own round and waits for the slower side: 0.828-0.950."""


def normal(collective: str, algorithm: str | None) -> str | None:
    """The algorithm's name as in ALGORITHMS. Raises UsageError for unknown names and pairs without a bound."""
    if collective not in COLLECTIVES:
        raise UsageError(
            "unknown collective", path="--collective", found=collective, allowed=list(COLLECTIVES)
        )
    if algorithm is None:
        return None
    name = algorithm.lower().replace("_", "")
    name = ALIASES.get(name, name)
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


def _inside(machine: BandwidthMachine, collective: str) -> tuple[str, ...]:
    """Algorithms inside one domain, rings first."""
    if collective != "all_reduce":
        return ("ring", "hierarchical")
    return ("ring", "hierarchical", "tree", "nvls") if machine.nvls else ("ring", "hierarchical", "tree")


def bound(
    machine: BandwidthMachine, nodes: int, collective: str, algorithm: str | None = None
) -> tuple[float | None, list[str]]:
    """Most bus bandwidth in GB/s and why; without ``algorithm`` the highest that the machine supports.

    None where nobody published the ceiling inside a domain. Raises UsageError for unknown names and counts.
    """
    most, why = _bound(machine, nodes, collective, algorithm)
    return most, list(why)


@lru_cache(maxsize=4096)
def _bound(
    machine: BandwidthMachine, nodes: int, collective: str, algorithm: str | None
) -> tuple[float | None, tuple[str, ...]]:
    wanted = normal(collective, algorithm)
    g = group(machine, nodes)
    across = bounds.network(machine, g, collective) if g.domains > 1 else {}
    known = tuple(across) or _inside(machine, collective)
    if wanted is not None and wanted not in known:
        raise UsageError(
            f"{machine.key} has no {wanted} for {collective} over {nodes} nodes",
            path="--algorithm",
            found=algorithm,
            allowed=sorted(known),
        )
    candidates: list[tuple[float, list[str]]] = []
    for name in (wanted,) if wanted else known:
        inside = bounds.in_domain(machine, g, collective, name)
        if name not in across:
            candidates += [(inside[0], [inside[1]])] if inside else []
            continue
        value, why = across[name]
        if inside is not None and inside[0] < value:
            steps = [why + f" = {value:.5g}", "capped by " + inside[1] + f" = {inside[0]:.5g}"]
            candidates.append((inside[0], steps))
        else:
            candidates.append((value, [why + f" = {value:.5g}"]))
    if not candidates:
        return None, (f"nobody published what {collective} reaches inside one domain of {machine.key}",)
    most, why_most = max(candidates, key=lambda c: c[0])
    return most, (*why_most, *_spread(machine, g))


def _spread(machine: BandwidthMachine, g: Group) -> list[str]:
    """What an uneven split into domains does to a bound."""
    if g.domains > 1 and g.largest_domain_ranks * g.domains != g.ranks:
        per = machine.nodes_per_domain
        return [
            f"{g.domains} NVLink domains of up to {per} nodes, not all full: spread as evenly as can be; "
            "a smaller last domain lowers what is reached"
        ]
    return []


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
    found = published.references(machine, nodes, collective, normal(collective, algorithm), size_bytes)
    if machine.network_only and gates(size_bytes):
        return _shaped_line(machine, collective, most, why)
    if found.points and gates(size_bytes):
        return _published(machine, collective, algorithm, most, why, found)
    if algorithm is None and _modelled(machine, nodes, collective, size_bytes):
        return _model(machine, nodes, collective, size_bytes, most, [*why, found.reason])
    if not gates(size_bytes):
        step = f"{size_bytes} B is below {GATING_SIZE_BYTES} B: such a size informs and does not gate"
    else:
        step = found.reason
    return _ramp(machine, nodes, collective, size_bytes, algorithm, most, [*why, step])


def expectations(
    machine: BandwidthMachine, nodes: int, collective: str, algorithm: str | None = None
) -> Callable[[int], Expectation]:
    """``expect`` for many sizes: between two published sizes nothing changes, so each step is computed once."""
    known = published.alike(machine, nodes, collective, normal(collective, algorithm))
    steps = sorted({p.size_bytes * published.SIZE_SLACK for p in known})
    found: dict[tuple[int, int], Expectation] = {}

    def at(size_bytes: int) -> Expectation:
        step = bisect_right(steps, size_bytes)
        same = gates(size_bytes) and (step > 0 or machine.network_only)
        key = (step, 0) if same else (-1, size_bytes)
        if key not in found:
            found[key] = expect(machine, nodes, collective, size_bytes, algorithm)
        return found[key]

    return at


def _shaped_line(machine: BandwidthMachine, collective: str, most: float, why: list[str]) -> Expectation:
    """One rank drives all rails: only the headers stand between the line and the result."""
    if collective in ("broadcast", "reduce"):
        return Expectation(unit="GB/s", bound=most, basis="none", derivation=why)
    even = collective != "alltoall"
    share = LINE_FLOOR if even else ALLTOALL_FLOOR
    return Expectation(
        unit="GB/s", bound=most, expected=most * machine.payload_fraction, floor=most * share,
        basis="declared",
        derivation=[
            *why,
            f"expected: the line's payload, {machine.payload_fraction:g} of it",
            f"floor: {share:g} of the line, declared for ranks that share processors"
            + ("" if even else " and exchange in pairs"),
        ],
    )  # fmt: skip


def _modelled(machine: BandwidthMachine, nodes: int, collective: str, size_bytes: int) -> bool:
    """Whether the model has to say what is healthy: RDMA rails of which, and of whose relatives, nobody published a result."""
    few = group(machine, nodes).domains <= published.MODEL_DOMAINS
    large = size_bytes >= RDMA_SIZE_BYTES * published.SIZE_SLACK
    return machine.rdma and few and large and not published.alike(machine, nodes, collective, None)


def modelled(
    machine: BandwidthMachine, nodes: int, collective: str, size_bytes: int, most: float
) -> tuple[float, str]:
    """GB/s that the model expects, and why: the least that published healthy results support, and what latency leaves of it."""
    g, share = group(machine, nodes), published.MODEL_SHARE
    found = [(most * share, f"{share:g} of the bound")]
    rings = bounds.of_nccl(machine, g, collective)
    if rings is not None:
        share = published.RINGS_SHARE if machine.nvls else published.MODEL_SHARE
        words = f"{share:g} of what NCCL can reach without in-switch reduction ({rings[1]} = {rings[0]:.5g})"
        found.append((rings[0] * share, words))
    reduced = bounds.in_domain(machine, g, collective, "nvls") if collective == "all_reduce" else None
    if reduced is not None and machine.nvls and machine.nvls_busbw_cap_gbytes_per_s is None:
        share = published.NVLS_SHARE
        found.append((reduced[0] * share, f"{share:g} of what in-switch reduction can reach ({reduced[1]})"))
    large, words = min(found)
    reached = latency.busbw_gbytes_per_s(g, collective, size_bytes, large)
    # Over the ranks of two racks 1 GiB is no large message: GB200 reached 596 GB/s, and 810 at 16 GiB.
    return (large, words) if reached is None else (reached, f"{words}, less latency at {size_bytes} B")


def _model(
    machine: BandwidthMachine, nodes: int, collective: str, size_bytes: int, most: float, why: list[str]
) -> Expectation:
    """A floor from the bounds alone: it finds what is broken, and nothing of what is a little slow."""
    slack = published.MODEL_SLACK
    expected, of_what = modelled(machine, nodes, collective, size_bytes, most)
    return Expectation(
        unit="GB/s", bound=most, expected=expected, floor=expected * (1 - slack), basis="derived",
        derivation=[
            *why,
            f"expected: {of_what}; every published healthy result of other machines and collectives reached it",
            f"floor: less {slack:.0%}, the widest that an operator leaves between a healthy run and its gate",
        ],
    )  # fmt: skip


def _shares(
    machine: BandwidthMachine, points: tuple[Point, ...], collective: str, algorithm: str | None
) -> list[float]:
    """Of each point, its share of the bound at its own number of nodes."""
    most = [(p, bound(machine, p.nodes, collective, algorithm)[0]) for p in points]
    return [p.busbw_gbytes_per_s / value for p, value in most if value is not None]


def _published(
    machine: BandwidthMachine,
    collective: str,
    algorithm: str | None,
    most: float,
    why: list[str],
    found: published.Found,
) -> Expectation:
    shares = _shares(machine, found.points, collective, algorithm)
    # A machine whose ceiling is lower than that of the one that was measured cannot be expected to pass its own.
    expected, lowest = min(sum(shares) / len(shares), 1.0), min(*shares, 1.0)
    return Expectation(
        unit="GB/s", bound=most, expected=most * expected, floor=most * lowest * (1 - found.slack), basis=found.basis,
        derivation=[
            *why,
            *(f"{p.busbw_gbytes_per_s:g} GB/s at {p.nodes} nodes: {p.source}" for p in found.points),
            f"floor: lowest healthy share of the bound {lowest:.3f} less {found.slack:.1%} ({found.reason})",
        ],
    )  # fmt: skip


def _ramp(
    machine: BandwidthMachine,
    nodes: int,
    collective: str,
    size_bytes: int,
    algorithm: str | None,
    most: float,
    why: list[str],
) -> Expectation:
    """Below the sizes that somebody published: what latency leaves of what large messages reach. No floor."""
    nothing = Expectation(unit="GB/s", bound=most, basis="none", derivation=why)
    known = published.alike(machine, nodes, collective, normal(collective, algorithm))
    if machine.network_only or not known or size_bytes > max(p.size_bytes for p in known):
        return nothing
    g = group(machine, nodes)

    def healthy(size: int) -> float:
        large = published.references(machine, nodes, collective, normal(collective, algorithm), size)
        shares = _shares(machine, large.points, collective, algorithm)
        return most * min(sum(shares) / len(shares), 1.0)

    plateau = healthy(max(p.size_bytes for p in known))
    smallest = healthy(min(p.size_bytes for p in known))
    reached = latency.busbw_gbytes_per_s(g, collective, size_bytes, plateau)
    took = latency.time_us(g, collective, size_bytes, plateau)
    if reached is None or took is None:
        return nothing
    return nothing.model_copy(
        update={
            "expected": min(reached, smallest),
            "basis": "derived",
            "derivation": [
                *why,
                f"expected: NCCL's latency model, {took:.4g} us where large messages reach {plateau:.4g} GB/s "
                f"(published healthy runs take up to {latency.SLOWEST_HEALTHY:g} times as long); no floor",
                *(
                    [f"not above the smallest published size's {smallest:.4g} GB/s"]
                    if reached > smallest
                    else []
                ),
            ],
        }
    )


def gates(size_bytes: int) -> bool:
    """True for sizes that decide; smaller ones inform."""
    return size_bytes >= GATING_SIZE_BYTES * published.SIZE_SLACK


def gating_size(machine: BandwidthMachine, nodes: int, collective: str) -> int:
    """The message size in bytes at which a cluster is judged: the largest that a healthy result was published at.

    Without one RDMA_SIZE_BYTES; where one rank drives all rails, or rails carry TCP, GATING_SIZE_BYTES.
    Raises UsageError for unknown names and counts.
    """
    if machine.network_only:
        return GATING_SIZE_BYTES
    known = published.alike(machine, nodes, collective, normal(collective, None))
    usual = RDMA_SIZE_BYTES if machine.rdma else GATING_SIZE_BYTES
    return max((p.size_bytes for p in known), default=usual)


def expect_rail(machine: BandwidthMachine) -> Expectation:
    """What one direction of one rail must carry, Gb/s of payload: the gate of ``fabric.rail.i.bandwidth``."""
    return _line(machine, 1)


def expect_all_rails(machine: BandwidthMachine) -> Expectation:
    """What one direction of all rails of a node must carry at once, Gb/s of payload: the gate of ``fabric.all_rails``."""
    return _line(machine, machine.rails)


def _line(machine: BandwidthMachine, rails: int) -> Expectation:
    """Line, payload and floor of so many rails; where nobody published the headers of RDMA, what EFA was measured at.

    Raises Unpublished for TCP rails without a payload share.
    """
    rate = machine.nic_gbps_per_rail
    line = rails * rate
    known = machine.known_payload_fraction if machine.rdma else machine.payload_fraction
    share, gate = (
        (published.RAIL_SHARE, 1 - published.RAIL_SLACK) if known is None else (known, RAIL_GATE_FRACTION)
    )
    step = f"payload {share:g} of it; floor {gate:g} of the payload"
    if known is None:
        step = (
            f"nobody published its headers: {share:g} of the line, as EFA of p5en was measured (stas00/ml-engineering); floor "
            f"{gate:g} of that, the slack of a public gate (imbue-ai/cluster-health)"
        )
    return Expectation(
        unit="Gb/s", bound=line, expected=line * share, floor=line * share * gate, basis="derived",
        derivation=[f"{rails} × line {rate:g} Gb/s = {line:g} Gb/s, each direction", step],
    )  # fmt: skip
