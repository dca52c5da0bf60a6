"""Of an observation what nodes are configured with: small enough to be kept for thousands. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from pydantic import Field

from railbed.claims import FrozenModel
from railbed.hardware import pkeys
from railbed.hardware.ground import Ground, refused
from railbed.hardware.observation import Cpu, Gpu, Observation, Words
from railbed.hardware.rails import Wanted, Why, mapped

OF_SCHEDULER = ("cpu", "memory_mib", "gpu_cores", "block")
"""Facts that the scheduler's files are made of."""


class RailNames(FrozenModel):
    """How the cards of one rail are called."""

    devices: list[Words]
    """RDMA devices, by PCI address."""
    netdevs: list[Words]
    """Their interfaces; empty text where a card has none."""


class NodeFacts(FrozenModel):
    """One node."""

    identity: str
    """Of the contract: another machine under the same name is another node."""
    cpu: Cpu | None = None
    memory_mib: int | None = None
    gpu_cores: list[Words] = Field(default_factory=list)
    """For each GPU's device file, by its number, the cores near it, as Slurm numbers cores, e.g. ``0-55``; empty text where the
    firmware does not say. None at all where a device file's number is not known."""
    block: Words = ""
    """Innermost part of the provider's network that it is in; empty: unknown."""
    rails: list[RailNames] = Field(default_factory=list)
    """Empty where they could not be mapped."""
    unproven: Words = ""
    """Why the last observation could not map them."""
    pkey_place: int | None = None
    """Place of the rails' partition in the tables of all their cards; None where none is asked for, or it has no such place."""
    refused: list[Words] = Field(default_factory=list)
    """Why nothing may be installed: the last observation has what would stop the installation half-way, or make it useless."""
    no_devices: bool = False
    """The last observation has no RDMA device, or no GPU: drivers may be missing."""


def facts(seen: Observation, wanted: Wanted | None, identity: str, ground: Ground | None = None) -> NodeFacts:
    """What counts of an observation. ``wanted`` is None for a node without rails; ``ground`` what a node must bring."""
    found = mapped(seen, wanted) if wanted else None
    return NodeFacts(
        identity=identity,
        cpu=seen.cpu,
        memory_mib=seen.memory_mib,
        gpu_cores=_by_device_file(seen.gpus),
        block=seen.block,
        rails=[
            RailNames(devices=[nic.device for nic in rail.nics], netdevs=[nic.netdev for nic in rail.nics])
            for rail in (found.rails if found else [])
        ],
        unproven=found.unproven if found else "",
        refused=refused(seen, ground, wanted, found) if ground else [],
        pkey_place=pkeys.place(found.nics, wanted.pkey)[0] if found and wanted and wanted.pkey else None,
        no_devices=found is not None and found.why is Why.NONE and not (seen.nics and seen.gpus),
    )


def _by_device_file(gpus: Sequence[Gpu]) -> list[str]:
    at = {gpu.minor: ranges(gpu.cores) for gpu in gpus}
    return [at[minor] for minor in range(len(gpus))] if set(at) == set(range(len(gpus))) else []


def kept(before: NodeFacts | None, now: NodeFacts, *, settled: bool = False) -> NodeFacts:
    """``now``, with what counts of ``before``.

    Rails that cannot be mapped any more keep their names, as does a card that died. What the scheduler knows of a node that
    is ``settled`` stays as it is, unknown too: Slurm ends the jobs of a node whose sockets or cores are said otherwise.
    """
    same = before if before is not None and before.identity == now.identity else None
    stays: dict[str, object] = {}
    if same is not None and same.rails and not now.rails:
        stays["rails"] = same.rails
    if settled:
        stays |= {name: getattr(same or NodeFacts(identity=now.identity), name) for name in OF_SCHEDULER}
    elif same is not None:
        stays |= {name: getattr(same, name) for name in OF_SCHEDULER if not getattr(now, name)}
    return now.model_copy(update=stays)


def ranges(numbers: Sequence[int]) -> str:
    """``0-3,8`` of 0, 1, 2, 3, 8."""
    runs = [
        [number for _, number in run]
        for _, run in groupby(enumerate(sorted(set(numbers))), key=lambda pair: pair[1] - pair[0])
    ]
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
