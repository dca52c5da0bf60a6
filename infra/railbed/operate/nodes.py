"""What state each node is in, put together from the contract, the scheduler and the record of accepted nodes."""

from __future__ import annotations

from railbed.claims import FrozenModel
from railbed.contract import Contract, Node
from railbed.defaults import ACCEPTANCE_RESERVATION, HEALTH_REPORT_PREFIX
from railbed.effects import acceptance
from railbed.effects.scheduler import Scheduler
from railbed.effects.slurm_text import Job, NodeState
from railbed.effects.workspace import Workspace
from railbed.operate.incidents import Incident, incidents
from railbed.validate.node import report


class NodeView(FrozenModel):
    """One node as `railbed node list --json` prints it."""

    name: str
    role: str
    pool: str
    machine: str
    gpus: int
    state: str
    """``healthy``, ``impaired`` (takes jobs, and its health check reports something), ``validating`` (held until it passes),
    ``draining`` (jobs still on it), ``drained``, ``unknown``."""
    reason: str
    jobs: list[str]
    """Jobs on the node: ``<id> of <user>``."""


class Overview(FrozenModel):
    """The cluster as `railbed node list --json` prints it."""

    nodes: list[NodeView]
    incidents: list[Incident]


def overview(contract: Contract, work: Workspace, scheduler: Scheduler) -> Overview:
    """Every node of the contract, and what they report. Raises CommandError when the scheduler does not answer."""
    states = scheduler.nodes()
    return Overview(
        nodes=_views(contract, work, scheduler, states), incidents=incidents(contract, states)
    )  # fmt: skip


def view(contract: Contract, work: Workspace, scheduler: Scheduler) -> list[NodeView]:
    """Every node of the contract. Raises CommandError when the scheduler does not answer: no guess instead."""
    return _views(contract, work, scheduler, scheduler.nodes())


def _views(
    contract: Contract, work: Workspace, scheduler: Scheduler, states: dict[str, NodeState]
) -> list[NodeView]:
    reservation = scheduler.reservation(ACCEPTANCE_RESERVATION)
    held = set(reservation.nodes) if reservation else set()
    jobs = scheduler.jobs()
    accepted = acceptance.record(work)
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
    if not acceptance.is_accepted(node, accepted):
        return "validating", "has not passed a full validation yet"
    reported = report.parse(seen.comment, HEALTH_REPORT_PREFIX)
    if reported:
        return "impaired", "; ".join(f"{one.code}: {one.text}" for one in reported)
    return "healthy", ""
