"""Repair of one node, first form: drain, wait, keep evidence, run the roles again, validate, give back.

Guards: never ends a job; a drain that a person made is not taken back; unknown is neither healthy nor broken; evidence
is saved before anything is changed; the node is held in a reservation until a validation newer than the repair passed.
"""

from __future__ import annotations

import time

from railbed import configure, validate
from railbed.claims import WORKERS, FrozenModel, Verdict
from railbed.contract import Contract
from railbed.defaults import REPAIR_PREFIX
from railbed.effects import acceptance
from railbed.effects.journal import Journal, operator
from railbed.effects.remote import Remote
from railbed.effects.scheduler import Scheduler
from railbed.effects.workspace import Workspace
from railbed.errors import UnprovenError, UsageError
from railbed.operate import breaker, drain, evidence, guards, lifecycle, picture, standing
from railbed.operate.drain import Say
from railbed.operate.guards import Action, Guard
from railbed.operate.lifecycle import Event


class Step(FrozenModel):
    """One step of a repair, as planned."""

    name: str
    what: str


class Repaired(FrozenModel):
    """How a repair ended."""

    node: str
    verdict: Verdict
    seconds: float
    waited_s: float
    """How long jobs were waited for."""
    report: str
    kept_drained_by: str = ""
    """Reason of a person's drain that was left in place."""


def plan(contract: Contract, name: str, scheduler: Scheduler) -> list[Step]:
    """What a repair would do, with the jobs that it would wait for; changes nothing."""
    node = contract.node(name)
    if node.role == "controller":
        raise UsageError(f"{name} is a controller; the repair of this release is for nodes that run jobs", found=node.role,
                         allowed=list(WORKERS))  # fmt: skip
    jobs = [f"{job.id} of {job.user}" for job in scheduler.jobs(name)]
    wait = f"wait until {', '.join(jobs)} ended by itself" if jobs else "no job is on the node, so no wait"
    return [
        Step(name="drain", what="no new job starts on the node"),
        Step(name="wait", what=wait),
        Step(name="evidence", what="save logs, counters and versions to the archive"),
        Step(name="hold", what="put the node into the acceptance reservation and end its drain"),
        Step(name="converge", what=f"run the roles with --limit {name}"),
        Step(name="validate", what="run every claim of the node"),
        Step(name="resume", what="give the node back if all of them pass; else drain it with the reason"),
    ]


def repair(contract: Contract, work: Workspace, name: str, say: Say, *, force: str = "",
           on_converge: configure.OnEvent | None = None) -> Repaired:  # fmt: skip
    """Does it. Raises UnprovenError when the jobs did not end in time; then the node stays draining, nothing was changed.

    Also where a guard holds it back: the node is then not drained; and where somebody gave it back meanwhile. ``force`` is a
    person's reason to override those guards that may be (``guards.FORCED``). Raises Refused where the life of a node has no
    repair now, RailbedError ``REPORT_ROOM`` where its validation could not be written.
    """
    remote = Remote(work, contract)
    scheduler, journal = Scheduler(remote), Journal(work.journal_file)
    plan(contract, name, scheduler)
    validate.require_room(work.reports, 1, part=True)
    start = time.monotonic()

    def step(event: str, text: str, **fields: object) -> None:
        journal.write(f"repair-{event}", node=name, **fields)
        say(f"{name}: {text}")

    seen = picture.take(contract, work, scheduler)
    before = standing.of(contract.node(name), seen).place
    lifecycle.transition(before, Event.DRAINED)
    refusals = guards.refusals(seen, [name], Action.REPAIR)
    for one in refusals:
        if one.guard is Guard.BREAKER:
            breaker.note(journal, contract.node(name).pool, one.why)
    if overridden := guards.require(refusals, force):
        journal.write(
            "break-glass", node=name, reason=force, by=operator(), guards=guards.overridden(overridden)
        )
        say(f"{name}: forced over {', '.join(one.guard for one in overridden)}: {force}")
    owner = drain.drain(scheduler, name, seen.states, REPAIR_PREFIX, step)
    waited = drain.wait(scheduler, name, step)
    if silent := evidence.save(remote, work, {name: step}):
        raise silent[name]
    evidence.bug_report(remote, work, name, step)
    acceptance.hold(scheduler, [name])
    if lost := _lost(scheduler, name):
        if before.proven:
            acceptance.release(scheduler, [name])
        step("untouched", f"not changed: {lost}", reason=lost)
        raise UnprovenError(
            f"{name} was given back while its repair went on: {lost}", code="GIVEN_BACK", found=lost,
            hint="nothing was changed on it; run the repair again where it is still wanted",
        )  # fmt: skip
    step("hold", "held in the acceptance reservation")
    converged = configure.converge(
        contract, work, limit=name, playbook="repair.yml", moving=True, on_event=on_converge
    )
    if converged.broken:
        step("failed", "the roles failed; the node stays drained", error=converged.as_json())
        raise configure.broken(converged)
    owner = _owner(scheduler, name, owner)
    step("converged", "roles ran", changed=sum(node.changed for node in converged.nodes.values()))
    if owner:
        # A drained node runs no step, so part of its validation cannot be seen until its owner gives it back.
        step("kept", f"left drained, as a person drained it: {owner}")
    else:
        scheduler.resume(name)
    accepted = validate.exceptions(contract, work)
    report = validate.run(contract, work, only=[name], accept=accepted, progress=say)
    owner = _owner(scheduler, name, owner)
    step(
        "validated",
        f"validation says {report.verdict}",
        verdict=str(report.verdict),
        report=report.report_dir,
    )
    if report.verdict == Verdict.PASS:
        acceptance.release(scheduler, [name])
        step("resumed", "back in service" if not owner else "repaired; still drained by its owner")
    elif not owner:
        first = report.open_claims[0]
        scheduler.drain(
            name, f"{REPAIR_PREFIX} {first.claim} {first.verdict}: {first.reason}"[: drain.REASON_LENGTH]
        )
        step("drained", f"not given back: {first.claim} {first.verdict}", claim=first.claim)
    return Repaired(
        node=name, verdict=report.verdict, seconds=round(time.monotonic() - start, 1), waited_s=round(waited, 1),
        report=report.report_dir, kept_drained_by=owner,
    )  # fmt: skip


def _lost(scheduler: Scheduler, name: str) -> str:
    """Why the roles must not run now: between the wait and the hold somebody may have given the node back, by hand or by Slurm's
    own programs, and from the hold on no new job starts. Empty where they may."""
    state = scheduler.nodes().get(name)
    if state is None or not state.drained:
        return "it is not drained any more"
    jobs = [f"{job.id} of {job.user}" for job in scheduler.jobs(name)]
    return f"job {', '.join(jobs)} is on it" if jobs else ""


def _owner(scheduler: Scheduler, name: str, before: str) -> str:
    """Reason of a person's drain as it is now: asked again, as a person may drain while the repair waits."""
    return drain.owners(scheduler.nodes(), [name]).get(name, before)
