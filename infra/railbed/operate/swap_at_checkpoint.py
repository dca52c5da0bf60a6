"""A running job goes on with a spare in a node's place, from a checkpoint that it writes for that. Its own script stops it.

Each phase is written down before it acts, and may be done again: a run after one that was killed does the last phase that was
written once more, and goes on. Until the job's script is asked to stop, giving up changes nothing for the job; from there until
the exchange it starts again by itself, from the checkpoint; after the exchange the swap is seen to its end whatever becomes of
the job.
"""

from __future__ import annotations

from railbed.contract import Contract
from railbed.defaults import CHECKPOINT_WITHIN_S
from railbed.effects.journal import Journal, operator
from railbed.effects.scheduler import Scheduler
from railbed.effects.schedulers import NodeScheduler
from railbed.effects.workspace import Workspace
from railbed.errors import Unsupported
from railbed.operate import breaker, guards, picture, swap
from railbed.operate.drain import Say
from railbed.operate.guards import Action
from railbed.operate.picture import Picture
from railbed.operate.swap_consent import Begun, begin
from railbed.operate.swap_phases import Run, SwappedAtCheckpoint


def slurm(contract: Contract, scheduler: NodeScheduler) -> Scheduler:
    """Raises Unsupported where another scheduler runs the jobs."""
    if not isinstance(scheduler, Scheduler):
        raise Unsupported(
            contract.platform, "swap at a checkpoint", "`railbed node swap NODE` waits for its jobs"
        )
    return scheduler


def plan(
    contract: Contract, work: Workspace, scheduler: NodeScheduler, name: str
) -> tuple[SwappedAtCheckpoint, list[guards.Refusal]]:
    """What it would do, and the guards that hold it back now; changes nothing.

    Raises as `swap.require`, `swap.choose` and `swap_consent.begin`.
    """
    asked, seen = slurm(contract, scheduler), picture.take(contract, work, scheduler)
    if last := swap.at_checkpoint(seen, name):
        run = Run(contract, work, asked, _begun(seen, name), lambda _: None)
        return run.result(goes_on_from=last.kind.removeprefix("swap-at-")), []
    node = swap.require(contract, name, seen)
    begun = begin(contract, work, asked, node, swap.choose(node, seen), seen)
    found = Run(contract, work, asked, begun, lambda _: None).result()
    return found, guards.refusals(seen, [name], Action.SWAP)


def _begun(seen: Picture, name: str) -> Begun:
    first = next(one for one in seen.index.of(name) if one.kind == "swap-at-begin")
    return Begun.model_validate({key: first.event[key] for key in Begun.model_fields})


def run(
    contract: Contract, work: Workspace, scheduler: NodeScheduler, name: str, say: Say, *, force: str = "",
    within_s: float = CHECKPOINT_WITHIN_S,
) -> SwappedAtCheckpoint:  # fmt: skip
    """Does it, or goes on with one that was begun. Never ends a job.

    Raises as `plan`; UnprovenError where the checkpoint did not come in time (``CHECKPOINT_LATE``), the job ended meanwhile
    (``JOB_ENDED``), its script did not queue it again (``NOT_STOPPED``), or the spare fell (``NO_SPARE``): nothing is swapped
    then; and where a guard holds it back.
    """
    asked, seen = slurm(contract, scheduler), picture.take(contract, work, scheduler)
    if last := swap.at_checkpoint(seen, name):
        going = Run(contract, work, asked, _begun(seen, name), say, within_s)
        phase = last.kind.removeprefix("swap-at-")
        if phase == "undo":
            going.give_up(str(last.event.get("code")), str(last.event.get("reason")))
        # A job that was not stopped yet has gone on since: it is asked for another checkpoint.
        return going.go({"begin": "reserve", "saved": "signal", "stop": "signal"}.get(phase, phase))
    node = swap.require(contract, name, seen)
    begun = begin(contract, work, asked, node, swap.choose(node, seen), seen)
    journal, held = Journal(work.journal_file), guards.refusals(seen, [name], Action.SWAP)
    breaker.note_all(journal, contract, guards.opened(held))
    over = guards.overridden(guards.require(held, force))
    journal.write("swap-at-begin", **begun.model_dump(mode="json"), by=operator(), reason=force, guards=over)
    return Run(contract, work, asked, begun, say, within_s).go("reserve")
