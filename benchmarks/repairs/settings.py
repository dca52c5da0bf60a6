"""What a simulation is told: the job, the times that work takes, and how faults behave. Published where anybody published it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from railbed.catalog import Remedies, RungName, load_remedies
from railbed.laws import longjob

HOUR_S, DAY_S = 3600.0, 86_400.0


@dataclass(frozen=True)
class Times:
    """Declared by railbed, s, unless a source is named; the same for both ways of working."""

    person: float = 900.0
    """Until a person orders what is to be done, day or night."""
    evidence: float = 120.0
    roles: float = 300.0
    validation: float = 1200.0
    """Of one node, all claims."""
    rungs: dict[RungName, float] = field(
        default_factory=lambda: {
            "roles": 0.0, "services": 60.0, "reset": 120.0, "reboot": 600.0, "power-cycle": 720.0,
        }
    )  # fmt: skip
    """Servers with much memory and many cards take 10 minutes to boot (playbooks/tasks/boot.yml). Roles run after each rung."""
    blocked_retry: float = HOUR_S
    """After a guard held a repair back."""
    breaker_reset: float = 4 * HOUR_S
    """Until a person has found the one cause, mended it, and resets the breaker: a leaf switch is replaced from stock."""
    host_away: float = 4 * HOUR_S
    """Unplanned work of the host's owner on it."""
    cable_days: float = 1.0
    """A cable or transceiver from stock."""


@dataclass(frozen=True)
class Faulty:
    """How a broken part behaves."""

    part_share: float = 0.415 / (0.415 + 0.195)
    """Of faults in a node, those that need a part; the others are gone after their rung. Crusoe H200 at GTC25
    (glennklockwood.com/garden/component-reliability): 41.5 % of failures replaced a host, 19.5 % were recoverable GPUs."""
    shows: float = 0.5
    """Declared: share of broken parts that show at once after a boot; the rest only under load."""
    found: float = 0.8
    """Declared: of those that do not show, the share that a validation finds."""
    again_s: float = 6 * HOUR_S
    """Declared: mean run time until a part that is still broken stops the job again."""
    leaf_share: float = 0.1
    """Declared: of failures of switch and cable, those that take a whole leaf."""


@dataclass(frozen=True)
class Setting:
    """One cluster and its job; every node of it has 8 GPUs."""

    nodes: int = 128
    days: float = 75.0
    spares: int = 7
    """As `spares: auto` gives for 128 nodes."""
    rate: str = "central"
    """Of `railbed job plan`: low, central, high."""
    rate_scale: float = 1.0
    """0: nothing ever fails."""
    leaf_nodes: int = 32
    strikes: int = 3
    """Reboots of a node for one fault after which people that only reboot take it out for its part."""
    stops_job: bool = True
    """Whether a fault of a node stops the job; else the node works on until the job ends, and is waited for."""
    times: Times = field(default_factory=Times)
    faulty: Faulty = field(default_factory=Faulty)
    remedies: Remedies = field(default_factory=load_remedies)

    @cached_property
    def plan(self) -> longjob.LongJob:
        """`railbed job plan` of this job: its rates, its checkpoints, the times of a restart."""
        return longjob.plan(longjob.JobRequest(gpus=8 * self.nodes, days=self.days))
