"""One node out of service and back, under the stack's lock: drain, repair, return, another in its place."""

from __future__ import annotations

from railbed import configure
from railbed.catalog import RungName
from railbed.contract import Contract
from railbed.defaults import CHECKPOINT_WITHIN_S, OPERATOR_PREFIX
from railbed.effects import acceptance, lock
from railbed.effects.journal import Journal
from railbed.effects.schedulers import NodeScheduler
from railbed.effects.workspace import Workspace
from railbed.operate import guards, lifecycle, picture, standing
from railbed.operate import repair as repairing
from railbed.operate import swap as swapping
from railbed.operate import swap_at_checkpoint as checkpointing
from railbed.operate.drain import Say
from railbed.operate.swap_phases import SwappedAtCheckpoint


def drain(contract: Contract, work: Workspace, scheduler: NodeScheduler, name: str, reason: str) -> list[str]:
    """Drains a node by a person's will; running jobs go on. Gives what stays on it, where the scheduler says so."""
    stays = scheduler.drain(contract.node(name).name, f"{OPERATOR_PREFIX} {reason}")
    Journal(work.journal_file).write("drain", node=name, reason=reason)
    return stays


def resume(contract: Contract, work: Workspace, scheduler: NodeScheduler, name: str) -> None:
    """Gives a drained node back; one that is not proven stays in the acceptance reservation. Raises Busy, Refused."""
    with lock.acquire(work.dir / "lock", f"stack {work.stack} (resume of {name})"):
        seen = picture.take(contract, work, scheduler)
        place = standing.of(contract.node(name), seen).place
        back = lifecycle.transition(place, lifecycle.Event.GIVEN_BACK, roles=seen.has_roles)
        if back.state not in (lifecycle.State.HEALTHY, lifecycle.State.SUSPECT):
            # It may have left the reservation meanwhile, and without its drain it would take jobs unproven.
            acceptance.hold(scheduler, [name])
        scheduler.resume(name)
        Journal(work.journal_file).write("resume", node=name)


def plan_repair(
    contract: Contract, work: Workspace, scheduler: NodeScheduler, name: str, start: RungName | None = None
) -> tuple[list[repairing.Step], list[guards.Refusal]]:
    """The steps of a repair, and the guards that hold it back now; changes nothing."""
    repairing.require(contract, name)
    seen = picture.take(contract, work, scheduler)
    return repairing.plan(seen, name, start), guards.refusals(seen, [name], guards.Action.REPAIR)


def repair(contract: Contract, work: Workspace, name: str, say: Say, *, force: str = "",
           start: RungName | None = None, on_converge: configure.OnEvent | None = None) -> repairing.Repaired:  # fmt: skip
    """Repairs a node, as ``operate.repair.repair``. Raises Busy too, where another command works on the stack."""
    with lock.acquire(work.dir / "lock", f"stack {work.stack} (repair of {name})"):
        return repairing.repair(contract, work, name, say, force=force, start=start, on_converge=on_converge)


def plan_swap(
    contract: Contract, work: Workspace, scheduler: NodeScheduler, name: str
) -> tuple[swapping.Swapped, list[guards.Refusal]]:
    """What a swap would do, and the guards that hold it back now; changes nothing. Raises as ``operate.swap.plan``."""
    return swapping.plan(contract, work, scheduler, name)


def swap(
    contract: Contract, work: Workspace, scheduler: NodeScheduler, name: str, say: Say, force: str = ""
) -> swapping.Swapped:
    """A spare takes a node's place, as ``operate.swap.swap``. Raises Busy too, where another command works on the stack."""
    with lock.acquire(work.dir / "lock", f"stack {work.stack} (swap of {name})"):
        return swapping.swap(contract, work, scheduler, name, say, force)


def plan_swap_at_checkpoint(
    contract: Contract, work: Workspace, scheduler: NodeScheduler, name: str
) -> tuple[SwappedAtCheckpoint, list[guards.Refusal]]:
    """What a swap at a checkpoint would do, and the guards that hold it back now; changes nothing."""
    return checkpointing.plan(contract, work, scheduler, name)


def swap_at_checkpoint(contract: Contract, work: Workspace, scheduler: NodeScheduler, name: str, say: Say, *,
                       force: str = "", within_s: float = CHECKPOINT_WITHIN_S) -> SwappedAtCheckpoint:  # fmt: skip
    """A running job goes on with a spare, as ``operate.swap_at_checkpoint.run``. Raises Busy too."""
    with lock.acquire(work.dir / "lock", f"stack {work.stack} (swap of {name} at a checkpoint)"):
        return checkpointing.run(contract, work, scheduler, name, say, force=force, within_s=within_s)
