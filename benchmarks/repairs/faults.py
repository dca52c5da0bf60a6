"""What stops a job, how often, and what ends it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import Enum

from railbed.catalog import RungName

from .settings import Setting


class Kind(Enum):
    """Whose fault it is."""

    JOB = "the job alone"
    NODE = "a node, and its health check says what"
    SILENT = "a node that does not answer any more"
    OWNER = "the host's owner works on it"
    CABLE = "a cable or transceiver of a node"
    LEAF = "a leaf switch"


@dataclass(frozen=True)
class Cause:
    """A row of the table."""

    name: str
    count: int
    kind: Kind
    code: str = ""
    """What the health check says, as `catalog.Remedies` has it."""
    mends: RungName | None = None
    """Rung that ends it, or any that disturbs more, where no part is broken. None: nothing but a part."""


CAUSES = (
    Cause("GPU", 148, Kind.NODE, "gpu-lost", "power-cycle"),
    Cause("HBM3 memory", 72, Kind.NODE, "gpu-row-pending", "reset"),
    Cause("software, dependency, NCCL timeout", 63, Kind.JOB),
    Cause("switch or cable", 35, Kind.CABLE, "nic-down"),
    Cause("host maintenance", 32, Kind.OWNER),
    Cause("SRAM", 19, Kind.NODE, "gpu-ecc", "reset"),
    Cause("GPU system processor", 17, Kind.NODE, "driver-hung", "reboot"),
    Cause("power, board, CPU, memory, disk", 14, Kind.SILENT),
    Cause("silent corruption, thermal", 12, Kind.NODE, "unknown"),
    Cause("NIC", 7, Kind.NODE, "nic-missing", "reboot"),
)
"""Llama 3, arXiv 2407.21783, table 5: 419 unexpected interruptions in 54 days on 16,384 GPUs, by root cause. Codes and rungs are
railbed's reading of it (docs/reference/health.md)."""


@dataclass
class Fault:
    """One that was drawn. The draws of number k are the same in every simulation of a seed, whatever was done before."""

    number: int
    gap_s: float
    """Run time since the one before."""
    cause: Cause
    kind: Kind
    victim: float
    """Which of the job's nodes: a share of their list."""
    broken: bool
    """Needs a part."""
    shows: bool
    found: bool
    part_days: float
    strikes: int = 0


def draw(setting: Setting, seed: int, number: int) -> Fault:
    """Number ``number`` of a seed. Failures are a Poisson process of the job's run time."""
    rng = random.Random(f"{seed}/{number}")
    faulty, plan = setting.faulty, setting.plan
    between_s = dict(plan.between_interruptions_s)[setting.rate]
    gap_s = rng.expovariate(1.0) * between_s / setting.rate_scale if setting.rate_scale else float("inf")
    cause = rng.choices(CAUSES, [one.count for one in CAUSES])[0]
    leaf, part, shows, found = (rng.random() for _ in range(4))
    kind = Kind.LEAF if cause.kind is Kind.CABLE and leaf < faulty.leaf_share else cause.kind
    return Fault(
        number, gap_s, cause, kind, rng.random(), broken=cause.mends is None or part < faulty.part_share,
        shows=shows < faulty.shows, found=found < faulty.found,
        part_days=setting.times.cable_days if kind is Kind.CABLE else plan.return_days,
    )  # fmt: skip


def again_s(setting: Setting, seed: int, fault: Fault) -> float:
    """Run time of the job until a part that is still broken stops it again."""
    rng = random.Random(f"{seed}/{fault.number}/{fault.strikes}")
    return rng.expovariate(1.0) * setting.faulty.again_s
