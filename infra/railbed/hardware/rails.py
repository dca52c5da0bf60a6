"""Which network cards are which rail's: by distance on the PCIe tree, never by the order of names. Pure.

A rail is all cards of one GPU position (``Machine.rails``). Cards are candidates by what they speak and how fast their link is,
and each position takes the nearest. Where that leaves a choice, nothing is mapped and the reason says what was seen: a rail that
was guessed would pass every check of one node and mix up the rails between nodes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from enum import StrEnum
from typing import Literal

from pydantic import Field

from railbed.claims import FrozenModel
from railbed.hardware import pci
from railbed.hardware.observation import Gpu, Nic, Observation
from railbed.hardware.pci import Rank
from railbed.text import few

Transport = Literal["tcp", "roce", "infiniband", "efa"]
LAYERS = {"roce": "ethernet", "infiniband": "infiniband", "efa": "efa"}
"""Transport → what its cards say of their link. TCP rails need no RDMA device, and are not mapped."""
RATE_TOLERANCE = 0.01
"""A link of another speed is at least a tenth away."""


class Wanted(FrozenModel):
    """What the contract says of the machine."""

    machine: str
    transport: Transport
    gpus: int
    rails: int
    nics_per_rail: int | None
    nic_gbps: float | None
    """None where nobody published it: cards of any rate are candidates."""
    pkey: int = 0
    """InfiniBand partition that every rail is a full member of; 0: none is asked for."""


class Why(StrEnum):
    """Why nothing was mapped."""

    NONE = "none"
    """No RDMA device at all, or no GPU: drivers are not there yet, or this is a container."""
    FEW = "few"
    """Something is missing, or another thing than wanted."""
    AMBIGUOUS = "ambiguous"
    """Several answers are equally good."""


class MappedRail(FrozenModel):
    """One rail as it is on this node: the cards of the GPU that has the rail's number."""

    index: int
    nics: list[Nic]
    """By PCI address."""
    rank: Rank
    """The farthest of its cards from its GPU."""


class Mapping(FrozenModel):
    """Rails, or the reason why there are none: all of a node's or none."""

    rails: list[MappedRail] = Field(default_factory=list)
    why: Why | None = None
    unproven: str = ""

    @property
    def nics(self) -> list[Nic]:
        """Rail by rail."""
        return [nic for rail in self.rails for nic in rail.nics]


def mapped(seen: Observation, wanted: Wanted) -> Mapping:
    """The rails of a node. Equal for any order of listing, and any names, of its devices."""
    try:
        return Mapping(rails=_rails(seen, wanted))
    except _Unproven as found:
        return Mapping(why=found.why, unproven=found.reason)


class _Unproven(Exception):
    def __init__(self, why: Why, reason: str) -> None:
        super().__init__(reason)
        self.why, self.reason = why, reason


def _rails(seen: Observation, wanted: Wanted) -> list[MappedRail]:
    each = wanted.nics_per_rail
    if wanted.transport not in LAYERS or each is None or wanted.rails != wanted.gpus:
        raise _Unproven(Why.NONE, f"{wanted.machine}: {_unmappable(wanted)}")
    gpus, nics = _gpus(seen, wanted), candidates(seen, wanted)
    if not seen.nics:
        raise _Unproven(Why.NONE, "no RDMA device is there: the cards' driver is not loaded")
    if len(nics) < wanted.rails * each:
        reason = f"{len(nics)} of {wanted.rails * each} {_kind(wanted)} are there: {_listing(seen)}"
        raise _Unproven(Why.FEW, reason)
    found: dict[int, MappedRail] = {}
    for members, chosen, rank in _groups(seen, gpus, nics, each):
        for at, gpu in enumerate(members):
            own = [nics[number] for number in chosen[at * each : (at + 1) * each]]
            found[gpu] = MappedRail(index=gpu, nics=own, rank=rank)
    return [found[index] for index in sorted(found)]


def _unmappable(wanted: Wanted) -> str:
    if wanted.transport not in LAYERS:
        return f"{wanted.transport} rails have no RDMA device to map"
    if wanted.nics_per_rail is None:
        return "nobody published how many cards a rail has"
    return f"{wanted.rails} rails are no rail for each of {wanted.gpus} GPUs"


def _gpus(seen: Observation, wanted: Wanted) -> list[Gpu]:
    gpus = sorted(seen.gpus, key=lambda gpu: pci.order(gpu.address))
    if not gpus:
        raise _Unproven(Why.NONE, "no GPU is on the PCI bus")
    if len(gpus) != wanted.gpus:
        raise _Unproven(Why.FEW, f"{len(gpus)} of {wanted.gpus} GPUs are on the PCI bus")
    return gpus


def candidates(seen: Observation, wanted: Wanted) -> list[Nic]:
    """Cards of the wanted kind and rate. Whether a link is up does not select: a rail that is down is still a rail."""
    # EFA's driver reports a rate of its own choice.
    rate = wanted.nic_gbps if wanted.transport != "efa" else None
    found = [
        nic
        for nic in seen.nics
        if nic.link_layer == LAYERS[wanted.transport]
        and not nic.virtual
        and (rate is None or nic.rate_gbps is None or abs(nic.rate_gbps - rate) <= RATE_TOLERANCE * rate)
    ]
    return sorted(found, key=lambda nic: (pci.order(nic.address), nic.port))


Group = tuple[list[int], tuple[int, ...], Rank]
"""Numbers of GPUs that are equally near to the same cards, numbers of these, both by PCI address, and how near."""


def _groups(seen: Observation, gpus: Sequence[Gpu], nics: Sequence[Nic], each: int) -> list[Group]:
    """Every GPU is in one group, every card at most in one, and all are equally near: machines are built evenly."""
    nearest: dict[tuple[int, ...], list[int]] = defaultdict(list)
    ranks: dict[int, Rank] = {}
    for at, gpu in enumerate(gpus):
        chosen, ranks[at] = _nearest([_distance(seen, gpu, nic) for nic in nics], each)
        nearest[chosen].append(at)
    farthest = max(ranks.values(), key=lambda rank: rank.order)
    far = [f"gpu {at}" for at, rank in ranks.items() if rank is farthest]
    if len(far) < len(gpus):
        reason = f"{few(far)}: the nearest card is {farthest} away, nearer at the others: {_listing(seen)}"
        raise _Unproven(Why.FEW, reason)
    if any(count > 1 for count in Counter(number for chosen in nearest for number in chosen).values()):
        raise _Unproven(Why.AMBIGUOUS, f"GPUs share some of their nearest cards: {_listing(seen)}")
    for chosen, members in nearest.items():
        _refuse_choice([nics[number] for number in chosen], members, farthest, each)
    return [(members, chosen, farthest) for chosen, members in nearest.items()]


def _refuse_choice(cards: Sequence[Nic], gpus: Sequence[int], rank: Rank, each: int) -> None:
    """Raises where the distance leaves a choice.

    Several GPUs and just as many cards behind one switch are paired in the order of their PCI addresses: each pair is as near as
    any other, and slots are the same on every machine of a kind. Without a switch it is unknown what joins which.
    """
    names = f"gpu {', '.join(map(str, gpus))}"
    devices = few([f"{nic.device} ({nic.address})" for nic in cards])
    if len(cards) != len(gpus) * each:
        reason = f"{len(cards)} cards are equally near ({rank}) to {names}, where {len(gpus) * each} are wanted: {devices}"
        raise _Unproven(Why.AMBIGUOUS if len(cards) > len(gpus) * each else Why.FEW, reason)
    if len(gpus) > 1 and not rank.behind_one_switch:
        raise _Unproven(
            Why.AMBIGUOUS,
            f"{names} and {devices} are all {rank} apart, and no PCIe switch pairs them: where a provider hides its switches, "
            "its topology file (NCCL_TOPO_FILE) tells",
        )


def _distance(seen: Observation, gpu: Gpu, nic: Nic) -> tuple[Rank, int]:
    above = seen.paths.get(gpu.address, ()), seen.paths.get(nic.address, ())
    return pci.distance(*above, gpu.numa, nic.numa)


def _nearest(distances: Sequence[tuple[Rank, int]], each: int) -> tuple[tuple[int, ...], Rank]:
    """Numbers of the cards nearest to a GPU: all of one distance, and of the next one of the same rank until it has enough."""
    keyed = sorted(((rank.order, apart), number) for number, (rank, apart) in enumerate(distances))
    first = keyed[0][0][0]
    chosen: list[int] = []
    last = keyed[0][0]
    for distance, number in keyed:
        if distance[0] != first or (distance != last and len(chosen) >= each):
            break
        chosen.append(number)
        last = distance
    return tuple(sorted(chosen)), list(Rank)[first]


def _kind(wanted: Wanted) -> str:
    rate = f" of {wanted.nic_gbps:g} Gb/s" if wanted.nic_gbps and wanted.transport != "efa" else ""
    return f"{wanted.transport} cards{rate}"


def _listing(seen: Observation) -> str:
    """What is there, for a person."""
    shown = []
    for nic in sorted(seen.nics, key=lambda nic: (pci.order(nic.address), nic.port)):
        rate = f"{nic.rate_gbps:g} Gb/s" if nic.rate_gbps is not None else nic.physical_state or "no link"
        function = ", virtual function" if nic.virtual else ""
        shown.append(f"{nic.device} ({nic.link_layer or 'unknown'}, {rate}{function})")
    return few(shown, most=16)
