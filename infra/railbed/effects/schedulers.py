"""What railbed asks of any scheduler, and which one a stack has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from railbed.contract import Contract
from railbed.defaults import ACCEPTANCE_RESERVATION
from railbed.effects.kubernetes.scheduler import KubernetesScheduler
from railbed.effects.remote import Remote
from railbed.effects.scheduler import TALK_TIMEOUT_S, Scheduler
from railbed.effects.workspace import Workspace
from railbed.parse.slurm import Job, NodeState, Reservation


class NodeScheduler(Protocol):
    """Nodes and the jobs on them, by the names of the contract. Every method raises CommandError where nobody answers.

    One conformance suite runs against each implementation (tests/support/scheduler_conformance.py).
    """

    def nodes(self) -> dict[str, NodeState]: ...

    def jobs(self, node: str | None = None) -> list[Job]: ...

    def drain(self, node: str, reason: str) -> list[str]: ...

    def resume(self, node: str, reason: str | None = None) -> bool: ...

    def reservation(self, name: str = ACCEPTANCE_RESERVATION) -> Reservation | None: ...

    def reservations(self) -> list[Reservation]: ...

    def reserve(self, nodes: Iterable[str], name: str = ACCEPTANCE_RESERVATION) -> None: ...

    def release(self, nodes: Iterable[str], name: str = ACCEPTANCE_RESERVATION) -> None: ...


def of(work: Workspace, contract: Contract, timeout_s: float = TALK_TIMEOUT_S) -> NodeScheduler:
    """The stack's scheduler. Raises ContractError ``NO_SCHEDULER`` where it has none."""
    if contract.kubernetes is not None:
        return KubernetesScheduler(contract)
    return Scheduler(Remote(work, contract), timeout_s)
