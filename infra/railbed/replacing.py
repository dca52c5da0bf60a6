"""Another machine for a node's name: the old one ended by its platform's groups, the next made by the engine, then proven."""

from __future__ import annotations

from railbed import configure, flow, platforms, validate
from railbed.contract import Contract
from railbed.effects import acceptance, schedulers
from railbed.effects.workspace import Workspace
from railbed.errors import UnprovenError
from railbed.operate import replace as replacing
from railbed.operate.drain import Say
from railbed.operate.guards import Refusal
from railbed.plan import ClusterPlan
from railbed.platforms.cloud.scale_in import NodeToRemove


def plan(contract: Contract, work: Workspace, name: str) -> list[Refusal]:
    """Guards that hold it back now, the jobs on the node among them; changes nothing. Raises as ``replace`` before it begins."""
    _require(contract, work, name)
    return replacing.held_back(contract, work, schedulers.of(work, contract), name)


def _require(contract: Contract, work: Workspace, name: str) -> ClusterPlan:
    configure.require_roles(contract)
    replacing.require(contract, name)
    planned = flow.plan_of(work)
    platforms.require_replaceable(planned, name)
    return planned


def replace(
    contract: Contract, work: Workspace, name: str, say: Say, on_converge: configure.OnEvent | None = None
) -> replacing.Replaced:
    """Does it. Raises Unsupported where no other machine is to be had by asking, Busy where another command works on the stack,
    UnprovenError where a job or a guard holds it back, and ``NO_MACHINE`` where the platform gave none: run it again then;
    ``REPORT_ROOM`` and ``OPEN_FILES`` where it could not be validated, before the old machine is touched."""
    planned = _require(contract, work, name)
    validate.require_room(work.reports, 1, part=True)
    validate.require_open_files(len(contract.nodes))
    with flow.operating(work, f"replacement of {name}"):
        node, scheduler = contract.node(name), schedulers.of(work, contract)
        old = replacing.Going(contract, work, scheduler, node, say)
        if old.take_out():
            flow.keep_state(work, say, "replace")
            for line in platforms.exchange(
                planned, work.stack, NodeToRemove(pool=node.pool, name=name, id=node.identity.value)
            ):
                say(line)
        elif acceptance.is_accepted(node, acceptance.record(work)):
            return old.was_proven()
        _, made = flow.make(work, say)
        found = next((one for one in made.nodes if one.name == name), None)
        before = old.before()
        if found is None or found.identity.value == before:
            why = "; ".join(reason for one in made.missing for reason in one.reasons) or "it does not say why"
            raise UnprovenError(
                f"{name} has no other machine yet: {why}", code="NO_MACHINE", found=why,
                hint="run the same command again: it goes on from here",
            )  # fmt: skip
        # All nodes: each knows the others' addresses and host keys.
        converged = configure.converge(made, work, on_event=on_converge)
        if name in converged.broken:
            raise configure.broken(converged)
        new = schedulers.of(work, made)
        acceptance.hold(new, [name])
        return replacing.Going(made, work, new, found, say).give_back(before)
