"""A stack at one moment: what contract, scheduler, records and journal say of its nodes; pure functions judge it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

from railbed.contract import Contract, Node
from railbed.defaults import ACCEPTANCE_RESERVATION
from railbed.effects import acceptance, places
from railbed.effects.journal import Journal
from railbed.effects.journal_index import Entry, Index
from railbed.effects.schedulers import NodeScheduler
from railbed.effects.workspace import Workspace
from railbed.operate import past
from railbed.parse.slurm import Job, NodeState, Reservation


@dataclass(frozen=True)
class Picture:
    """All of it; no node is asked."""

    contract: Contract
    states: Mapping[str, NodeState]
    jobs: Mapping[str, list[Job]]
    """Node → jobs that hold it."""
    reservations: tuple[Reservation, ...]
    accepted: Mapping[str, str]
    releases: Mapping[str, str]
    index: Index
    now: datetime
    spares: frozenset[str] = frozenset()
    """Nodes that stand at the place of a spare now."""
    standby: frozenset[str] = frozenset()
    """Of them those that take no user's job."""
    _pasts: dict[str, past.Past] = field(default_factory=dict)

    @cached_property
    def reserved(self) -> frozenset[str]:
        """Nodes in the acceptance reservation."""
        return frozenset(
            name for one in self.reservations if one.name == ACCEPTANCE_RESERVATION for name in one.nodes
        )

    @cached_property
    def set_aside(self) -> dict[str, list[str]]:
        """Node → other reservations that have it: for a run of months, say."""
        found: dict[str, list[str]] = {}
        for one in self.reservations:
            for name in one.nodes if one.name != ACCEPTANCE_RESERVATION else ():
                found.setdefault(name, []).append(one.name)
        return found

    @cached_property
    def retired(self) -> dict[str, Entry]:
        """Node → when it was sent to its vendor last."""
        found: dict[str, Entry] = {}
        for entry in self.index.kinds(["rma"]):
            found.setdefault(str(entry.event.get("node")), entry)
        return found

    @cached_property
    def _whole(self) -> Entry | None:
        return past.whole_pass(self.index.kinds(["validated"]))

    @property
    def has_roles(self) -> bool:
        """Whether railbed's roles configure the nodes; those of a Kubernetes cluster are their owners' to install."""
        return self.contract.kubernetes is None

    def past(self, name: str) -> past.Past:
        """What the journal says of a node."""
        if name not in self._pasts:
            self._pasts[name] = past.of(self.index.of(name), self.now, self._whole)
        return self._pasts[name]

    def is_accepted(self, node: Node) -> bool:
        return acceptance.is_accepted(node, self.accepted)


def holding(jobs: Iterable[Job]) -> dict[str, list[Job]]:
    """Node → the jobs that hold it."""
    found: dict[str, list[Job]] = {}
    for job in jobs:
        for name in job.nodes:
            found.setdefault(name, []).append(job)
    return found


def take(contract: Contract, work: Workspace, scheduler: NodeScheduler) -> Picture:
    """Asks the scheduler and reads the records. Raises CommandError where the scheduler does not answer: no guess instead."""
    return Picture(
        contract=contract, states=scheduler.nodes(), jobs=holding(scheduler.jobs()),
        reservations=tuple(scheduler.reservations()), accepted=acceptance.record(work), releases=work.releases.read(),
        index=Journal(work.journal_file).index(), now=datetime.now(UTC), spares=places.spares(contract, work),
        standby=places.standby(contract, work),
    )  # fmt: skip
