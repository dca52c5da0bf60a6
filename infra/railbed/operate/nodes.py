"""What state each node is in, put together from the contract, the scheduler and the record of accepted nodes."""

from __future__ import annotations

from collections.abc import Mapping

from railbed.claims import WORKERS, FrozenModel
from railbed.contract import Contract, Node
from railbed.defaults import ACCEPTANCE_RESERVATION
from railbed.effects import acceptance
from railbed.effects.schedulers import NodeScheduler
from railbed.effects.workspace import Workspace
from railbed.operate import picture, standing
from railbed.operate.incidents import Incident, incidents
from railbed.operate.picture import Picture
from railbed.parse.slurm import NodeState


class NodeView(FrozenModel):
    """One node as `railbed node list --json` prints it."""

    name: str
    role: str
    """As its place is now: a swap makes a spare a ``compute`` node, and the other one a ``spare``."""
    pool: str
    machine: str
    gpus: int
    state: str
    """``healthy``, ``impaired`` (takes jobs, and its health check reports something), ``validating`` (held until it passes),
    ``draining`` (jobs still on it), ``drained``, ``unknown``."""
    reason: str
    jobs: list[str]
    """Jobs on the node: ``<id> of <user>``."""
    lifecycle: str
    """Where it stands in its life (``lifecycle.State``)."""
    since: str
    """Since when; empty where nobody wrote it down."""


class Overview(FrozenModel):
    """The cluster as `railbed node list --json` prints it."""

    nodes: list[NodeView]
    incidents: list[Incident]


def overview(contract: Contract, work: Workspace, scheduler: NodeScheduler) -> Overview:
    """Every node of the contract, and what they report. Raises CommandError when the scheduler does not answer: no guess."""
    return of(picture.take(contract, work, scheduler))


def of(seen: Picture) -> Overview:
    """The same of what is known already. Pure."""
    return Overview(
        nodes=[view(node, seen) for node in seen.contract.nodes], incidents=incidents(seen.contract, seen.states)
    )  # fmt: skip


def view(node: Node, seen: Picture) -> NodeView:
    """One node."""
    jobs = seen.jobs.get(node.name, [])
    stands = standing.of(node, seen)
    ready = node.name in seen.standby and stands.place.proven
    state, reason = _state(
        node, seen.states.get(node.name), node.name in seen.reserved and not ready, bool(jobs), seen.accepted
    )
    if ready and state == "healthy":
        reason = standing.STANDBY
    if state == "unknown" and node.name not in seen.states and not seen.has_roles:
        reason = "the cluster has no node of its name and machine id; run `railbed up`"
    role = node.role if node.role not in WORKERS else "spare" if node.name in seen.spares else "compute"
    return NodeView(
        name=node.name, role=role, pool=node.pool, machine=node.machine, gpus=node.gpus, state=state, reason=reason,
        jobs=[f"{job.id} of {job.user}" for job in jobs], lifecycle=str(stands.state), since=stands.since,
    )  # fmt: skip


def _state(
    node: Node, seen: NodeState | None, reserved: bool, busy: bool, accepted: Mapping[str, str]
) -> tuple[str, str]:
    if node.role == "controller":
        return "healthy", "the scheduler answers on it"
    if seen is None:
        return "unknown", "the scheduler does not know it; run `railbed converge`"
    if not seen.responding:
        return "unknown", seen.reason or f"the scheduler says {seen.text}"
    if seen.drained:
        return ("draining" if busy else "drained"), seen.reason
    if reserved:
        return "validating", f"in reservation {ACCEPTANCE_RESERVATION} until it passes a full validation"
    if not acceptance.is_accepted(node, accepted):
        return "validating", "has not passed a full validation yet"
    reported = standing.symptoms(seen)
    if reported:
        return "impaired", "; ".join(f"{one.code}: {one.text}" for one in reported)
    return "healthy", ""
