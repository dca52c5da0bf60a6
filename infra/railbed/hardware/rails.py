"""Which network cards are which rail's: by distance on the PCIe tree, never by the order of names. Pure.

A rail is all cards of one GPU position, or of a few GPUs that share them (``Machine.rails``). Cards are candidates by what they
speak and how fast their link is, and each position takes the nearest. Where that leaves a choice, nothing is mapped and the
reason says what was seen: a rail that was guessed would pass every check of one node and mix up the rails between nodes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
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
KINDS = 256
"""Arrangements of GPUs and cards whose distances are remembered."""
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

    @property
    def gpus_per_rail(self) -> int:
        """GPUs that share the cards of one rail; 0 where the rails cannot be spread evenly over them."""
        return 0 if self.gpus % self.rails else self.gpus // self.rails


class Why(StrEnum):
    """Why nothing was mapped."""

    NONE = "none"
    """No RDMA device at all, or no GPU: drivers are not there yet, or this is a container."""
    FEW = "few"
    """Something is missing, or another thing than wanted."""
    AMBIGUOUS = "ambiguous"
    """Several answers are equally good."""


class MappedRail(FrozenModel):
    """One rail as it is on this node: rails have the order of their GPUs."""

    index: int
    gpus: list[int]
    """Numbers of the GPUs that the cards are nearest to, by PCI address."""
    nics: list[Nic]
    """By PCI address."""
    rank: Rank
    """The farthest of its cards from its GPUs."""


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
    each, share = wanted.nics_per_rail, wanted.gpus_per_rail
    if wanted.transport not in LAYERS or each is None or not share:
        raise _Unproven(Why.NONE, f"{wanted.machine}: {_unmappable(wanted)}")
    gpus, nics = _gpus(seen, wanted), candidates(seen, wanted)
    if not seen.nics:
        raise _Unproven(Why.NONE, "no RDMA device is there: the cards' driver is not loaded")
    if len(nics) < wanted.rails * each:
        reason = f"{len(nics)} of {wanted.rails * each} {_kind(wanted)} are there: {_listing(seen)}"
        raise _Unproven(Why.FEW, reason)
    found: list[tuple[list[int], list[Nic], Rank]] = []
    for members, chosen, rank in _groups(seen, gpus, nics, each, share):
        for at in range(len(members) // share):
            own = [nics[number] for number in chosen[at * each : (at + 1) * each]]
            found.append((members[at * share : (at + 1) * share], own, rank))
    found.sort(key=lambda one: one[0])
    return [
        MappedRail(index=at, gpus=own, nics=cards, rank=rank) for at, (own, cards, rank) in enumerate(found)
    ]


def _unmappable(wanted: Wanted) -> str:
    if wanted.transport not in LAYERS:
        return f"{wanted.transport} rails have no RDMA device to map"
    if wanted.nics_per_rail is None:
        return "nobody published how many cards a rail has"
    return f"{wanted.rails} rails cannot be shared evenly by {wanted.gpus} GPUs"


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


def _groups(
    seen: Observation, gpus: Sequence[Gpu], nics: Sequence[Nic], each: int, share: int
) -> list[Group]:
    """Every GPU is in one group, every card at most in one, and all are equally near: machines are built evenly.

    ``each`` cards belong to ``share`` GPUs.
    """
    nearest: dict[tuple[int, ...], list[int]] = defaultdict(list)
    ranks: dict[int, Rank] = {}
    places = tuple(_placed(seen, gpu.address, gpu.numa) for gpu in gpus)
    cards = tuple(_placed(seen, nic.address, nic.numa) for nic in nics)
    for at, (chosen, ranks[at]) in enumerate(_nearest_to_each(places, cards, each)):
        nearest[chosen].append(at)
    farthest = max(ranks.values(), key=lambda rank: rank.order)
    far = [f"gpu {at}" for at, rank in ranks.items() if rank is farthest]
    if len(far) < len(gpus):
        reason = f"{few(far)}: the nearest card is {farthest} away, nearer at the others: {_listing(seen)}"
        raise _Unproven(Why.FEW, reason)
    if any(count > 1 for count in Counter(number for chosen in nearest for number in chosen).values()):
        raise _Unproven(Why.AMBIGUOUS, f"GPUs share some of their nearest cards: {_listing(seen)}")
    for chosen, members in nearest.items():
        _refuse_choice([nics[number] for number in chosen], members, farthest, each, share)
    return [(members, chosen, farthest) for chosen, members in nearest.items()]


def _refuse_choice(cards: Sequence[Nic], gpus: Sequence[int], rank: Rank, each: int, share: int) -> None:
    """Raises where the distance leaves a choice.

    The cards of several rails behind one switch go to their GPUs in the order of the PCI addresses: each pair is as near as any
    other, and slots are the same on every machine of a kind. Without a switch it is unknown what joins which.
    """
    names = f"gpu {', '.join(map(str, gpus))}"
    devices = few([f"{nic.device} ({nic.address})" for nic in cards])
    rails, odd = divmod(len(gpus), share)
    if odd:
        reason = (
            f"{names}: {len(gpus)} GPUs are equally near ({rank}) to {devices}, and a rail serves {share}"
        )
        raise _Unproven(Why.FEW, reason)
    if len(cards) != rails * each:
        reason = f"{len(cards)} cards are equally near ({rank}) to {names}, where {rails * each} are wanted: {devices}"
        raise _Unproven(Why.AMBIGUOUS if len(cards) > rails * each else Why.FEW, reason)
    if rails > 1 and not rank.behind_one_switch:
        raise _Unproven(
            Why.AMBIGUOUS,
            f"{names} and {devices} are all {rank} apart, and no PCIe switch pairs them: where a provider hides its switches, "
            "its topology file (NCCL_TOPO_FILE) tells",
        )


Placed = tuple[tuple[str, ...], int | None]
"""Bridges above a device, and its NUMA node."""


def _placed(seen: Observation, address: str, numa: int | None) -> Placed:
    return seen.paths.get(address, ()), numa


@lru_cache(KINDS)
def _nearest_to_each(
    gpus: tuple[Placed, ...], cards: tuple[Placed, ...], each: int
) -> tuple[tuple[tuple[int, ...], Rank], ...]:
    """For each GPU as `_nearest`. Nodes of one kind are alike."""
    return tuple(
        _nearest([pci.distance(above, other, numa, node) for other, node in cards], each)
        for above, numa in gpus
    )


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
