"""A machine goes back to its vendor: its node takes no job until another machine has its name, or a person gives the same one
back, and it has passed."""

from __future__ import annotations

from railbed.contract import Contract, Node
from railbed.defaults import OPERATOR_PREFIX
from railbed.effects import acceptance
from railbed.effects.journal import Journal, operator
from railbed.effects.schedulers import NodeScheduler
from railbed.effects.workspace import Workspace
from railbed.errors import UnprovenError
from railbed.operate import drain, lifecycle, picture, standing
from railbed.operate.lifecycle import Event
from railbed.operate.picture import Picture


def require(node: Node, seen: Picture) -> None:
    """Raises Refused for a node that is not out of service, UnprovenError while a job holds it."""
    lifecycle.transition(standing.of(node, seen).place, Event.RETIRED, roles=seen.has_roles)
    if holding := seen.jobs.get(node.name):
        raise UnprovenError(
            f"{node.name} still runs job {holding[0].id} of {holding[0].user}", code="STILL_BUSY",
            hint="wait until it has ended by itself",
        )  # fmt: skip


def retire(contract: Contract, work: Workspace, name: str, scheduler: NodeScheduler, reason: str) -> None:
    """Does it: written down first, then not accepted and held, then drained where it is not, with every earlier reason kept."""
    node = contract.node(name)
    seen = picture.take(contract, work, scheduler)
    require(node, seen)
    Journal(work.journal_file).write(
        "rma", node=name, identity=node.identity.value, reason=reason, by=operator()
    )
    acceptance.revoke(work, [name])
    acceptance.hold(scheduler, [name])
    state = seen.states.get(name)
    if state and not drain.owners(seen.states, [name]):
        scheduler.drain(name, f"{OPERATOR_PREFIX} rma: {reason}"[: drain.REASON_LENGTH])
