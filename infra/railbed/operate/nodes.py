"""What state each node is in, put together from the contract, the scheduler and the record of accepted nodes."""

from __future__ import annotations

from railbed.contract import Contract, Node
from railbed.defaults import ACCEPTANCE_RESERVATION
from railbed.effects.scheduler import Scheduler
from railbed.effects.slurm_text import Job, NodeState
from railbed.effects.workspace import Workspace
from railbed.model.claims import Part


class NodeView(Part):
    """One node as `railbed node list --json` prints it."""

    name: str
    role: str
    pool: str
    machine: str
    gpus: int
    state: str
    """``healthy``, ``validating`` (held until it passes), ``draining`` (jobs still on it), ``drained``, ``unknown``."""
    reason: str
    jobs: list[str]
    """Jobs on the node: ``<id> of <user>``."""


def view(contract: Contract, work: Workspace, scheduler: Scheduler) -> list[NodeView]:
    """Every node of the contract. Raises CommandError when the scheduler does not answer: no guess instead."""
    states = scheduler.nodes()
    reservation = scheduler.reservation(ACCEPTANCE_RESERVATION)
    held = set(reservation.nodes) if reservation else set()
    jobs = scheduler.jobs()
    accepted = work.accepted.read()
    return [
        _view(
            node,
            states.get(node.name),
            node.name in held,
            [j for j in jobs if node.name in j.nodes],
            accepted,
        )
        for node in contract.nodes
    ]


def _view(
    node: Node, seen: NodeState | None, held: bool, jobs: list[Job], accepted: dict[str, str]
) -> NodeView:
    state, reason = _state(node, seen, held, bool(jobs), accepted)
    return NodeView(
        name=node.name, role=node.role, pool=node.pool, machine=node.machine, gpus=node.gpus, state=state, reason=reason,
        jobs=[f"{job.id} of {job.user}" for job in jobs],
    )  # fmt: skip


def _state(
    node: Node, seen: NodeState | None, held: bool, busy: bool, accepted: dict[str, str]
) -> tuple[str, str]:
    if node.role == "controller":
        return "healthy", "the scheduler answers on it"
    if seen is None:
        return "unknown", "the scheduler does not know it; run `railbed converge`"
    if not seen.responding:
        return "unknown", seen.reason or f"the scheduler says {seen.text}"
    if seen.drained:
        return ("draining" if busy else "drained"), seen.reason
    if held:
        return "validating", f"in reservation {ACCEPTANCE_RESERVATION} until it passes a full validation"
    if accepted.get(node.name) != node.identity.value:
        return "validating", "has not passed a full validation yet"
    return "healthy", ""
