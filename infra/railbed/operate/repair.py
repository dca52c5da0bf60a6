"""Repair of one node: drain, wait, keep evidence, climb the ladder as its faults ask, validate, give back.

Guards: never ends a job; a drain that a person made is not taken back; unknown is neither healthy nor broken; evidence
is saved before anything is changed; the node is held in a reservation until a validation newer than the repair passed.
Resumable: a rung is written down before it is taken, and counts; a run that comes after one that was killed lets the boot that it
began come to its end, asks the node what is still wrong, and goes on from there.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from railbed import configure, validate
from railbed.catalog import RungName, load_remedies
from railbed.claims import WORKERS, FrozenModel, Verdict
from railbed.contract import Contract
from railbed.defaults import REPAIR_PREFIX
from railbed.effects import acceptance, boots, places
from railbed.effects.journal import Journal, operator
from railbed.effects.remote import Remote
from railbed.effects.scheduler import Scheduler
from railbed.effects.workspace import Workspace
from railbed.errors import UnprovenError, UsageError
from railbed.operate import (
    breaker,
    causes,
    drain,
    evidence,
    guards,
    ladder,
    lifecycle,
    picture,
    rungs,
    standing,
    swap,
)
from railbed.operate.drain import Say
from railbed.operate.guards import Action
from railbed.operate.ladder import Climb
from railbed.operate.lifecycle import Event
from railbed.operate.picture import Picture


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


def plan(seen: Picture, name: str, start: RungName | None = None) -> list[Step]:
    """What a repair would do, with the jobs that it would wait for; changes nothing. Pure. Raises as ``require``."""
    require(seen.contract, name)
    jobs = [f"{job.id} of {job.user}" for job in seen.jobs.get(name, [])]
    wait = f"wait until {', '.join(jobs)} ended by itself" if jobs else "no job is on the node, so no wait"
    found = _climb(seen, name, sorted(breaker.codes(seen.states.get(name))), start)
    mend = (
        f"{', then '.join(found.rungs)} until the fault is gone, {found.why}"
        if found.rungs
        else f"nothing: {found.why}"
    )
    return [
        Step(name="drain", what="no new job starts on the node"),
        Step(name="wait", what=wait),
        Step(name="evidence", what="save logs, counters and versions to the archive"),
        Step(name="hold", what="put the node into the acceptance reservation"),
        Step(name="mend", what=f"{mend}; the node is asked once more what is wrong with it"),
        Step(name="converge", what=f"run the roles with --limit {name} after each of them"),
        Step(name="validate", what="run every claim of the node"),
        Step(name="resume", what="give the node back if all of them pass; else drain it with the reason"),
    ]


def require(contract: Contract, name: str) -> None:
    """Raises UsageError for a node that is not repaired, Unsupported on Kubernetes."""
    configure.require_roles(contract)
    node = contract.node(name)
    if node.role == "controller":
        raise UsageError(f"{name} is a controller; the repair of this release is for nodes that run jobs", found=node.role,
                         allowed=list(WORKERS))  # fmt: skip


def _climb(
    seen: Picture, name: str, found: list[str], start: RungName | None, *, forced: bool = False
) -> Climb:
    taken = {} if forced else ladder.spent(seen.contract, seen.index, name, seen.now).node
    without = ladder.lacking(seen.contract, seen.contract.node(name))
    return ladder.climb(load_remedies(), found, taken, without, start)


def repair(contract: Contract, work: Workspace, name: str, say: Say, *, force: str = "", start: RungName | None = None,
           on_converge: configure.OnEvent | None = None) -> Repaired:  # fmt: skip
    """Does it. Raises UnprovenError when the jobs did not end in time; then the node stays draining, nothing was changed.

    Also where a guard holds it back: the node is then not drained; and where somebody gave it back meanwhile. ``force`` is a
    person's reason to override those guards that may be (``guards.FORCED``), ``start`` that person's word for the first rung.
    Raises Refused where the life of a node has no repair now, RailbedError ``REPORT_ROOM`` or ``OPEN_FILES`` where its validation
    could not be made, and UnprovenError ``LADDER_END`` where no rung is left.
    """
    remote = Remote(work, contract)
    require(contract, name)
    run = _Run(
        contract, work, name, say, remote, Scheduler(remote), Journal(work.journal_file), bool(force), start
    )
    validate.require_room(work.reports, 1, part=True)
    validate.require_open_files(len(contract.nodes))
    began = time.monotonic()
    seen = run.pass_guards(force)
    owner, waited = run.take_out(seen)
    run.hold(proven=standing.of(contract.node(name), seen).place.proven)
    owner = run.climb(owner, on_converge)
    report, owner = run.give_back(owner)
    return Repaired(
        node=name, verdict=report.verdict, seconds=round(time.monotonic() - began, 1), waited_s=round(waited, 1),
        report=report.report_dir, kept_drained_by=owner,
    )  # fmt: skip


@dataclass(frozen=True)
class _Run:
    """One repair. ``owner`` is the reason of a person's drain, empty where there is none."""

    contract: Contract
    work: Workspace
    name: str
    say: Say
    remote: Remote
    scheduler: Scheduler
    journal: Journal
    forced: bool
    start: RungName | None

    @property
    def standby(self) -> frozenset[str]:
        return places.standby(self.contract, self.work)

    def step(self, event: str, text: str, **fields: object) -> None:
        self.journal.write(f"repair-{event}", node=self.name, **fields)
        self.say(f"{self.name}: {text}")

    def pass_guards(self, force: str) -> Picture:
        """What is known of all nodes. Raises where something holds the repair back."""
        name, journal = self.name, self.journal
        swap.finish(self.contract, self.work, self.scheduler, name, self.say)
        seen = picture.take(self.contract, self.work, self.scheduler)
        before = standing.of(self.contract.node(name), seen).place
        lifecycle.transition(before, Event.DRAINED)
        refusals = guards.refusals(seen, [name], Action.REPAIR)
        breaker.note_all(journal, self.contract, guards.opened(refusals))
        if overridden := guards.require(refusals, force):
            journal.write(
                "break-glass", node=name, reason=force, by=operator(), guards=guards.overridden(overridden)
            )
            self.say(f"{name}: forced over {', '.join(one.guard for one in overridden)}: {force}")
        return seen

    def take_out(self, seen: Picture) -> tuple[str, float]:
        """Drains the node, waits for its jobs and saves evidence; gives the owner, and the seconds of the wait."""
        begun = ladder.unfinished(seen.index.of(self.name))
        owner = drain.drain(self.scheduler, self.name, seen.states, REPAIR_PREFIX, self.step)
        waited = drain.wait(self.scheduler, self.name, self.step)
        if begun and not owner:
            rung = str(begun.event.get("rung"))
            self.say(f"{self.name}: {rung} of {begun.at} was not seen to its end; it is waited for")
            rungs.finish(self.remote, self.contract.node(self.name), rung)
        if silent := evidence.save(self.remote, self.work, {self.name: self.step}):
            raise silent[self.name]
        evidence.bug_report(self.remote, self.work, self.name, self.step)
        return owner, waited

    def hold(self, *, proven: bool) -> None:
        """Puts the node into the acceptance reservation. Raises UnprovenError where somebody gave it back meanwhile."""
        acceptance.hold(self.scheduler, [self.name])
        if lost := drain.lost(self.scheduler, self.name):
            if proven:
                acceptance.release(self.scheduler, [self.name], self.standby)
            self.step("untouched", f"not changed: {lost}", reason=lost)
            raise UnprovenError(
                f"{self.name} was given back while its repair went on: {lost}", code="GIVEN_BACK", found=lost,
                hint="nothing was changed on it; run the repair again where it is still wanted",
            )  # fmt: skip
        self.step("hold", "held in the acceptance reservation")

    def climb(self, owner: str, on_converge: configure.OnEvent | None) -> str:
        """Takes rungs until the faults are gone; gives the owner as of now. Raises UnprovenError where they are not.

        A node that a person drained gets the roles alone: that person's hands may be in it.
        """
        found = causes.read(self.remote, self.name, self.say)
        self.journal.write("repair-causes", node=self.name, causes=found)
        seen = picture.take(self.contract, self.work, self.scheduler)
        asked = _climb(seen, self.name, found, self.start, forced=self.forced)
        planned = Climb(("roles",), "") if owner else asked
        for place, rung in enumerate(planned.rungs):
            wrong = self.take(rung, found)
            owner = self.converge(on_converge) if not wrong else _owner(self.scheduler, self.name, owner)
            left = found if wrong else causes.read(self.remote, self.name, self.say)
            if owner or not (wrong or left):
                return owner
            last = place == len(planned.rungs) - 1
            text = f"{rung}: {wrong or ', '.join(left) + ' is still there'}"
            self.step(
                "rung-failed",
                text if last else f"{text}; next {planned.rungs[place + 1]}",
                rung=rung,
                left=left,
            )
            found = left
        raise self.end(
            planned.why if not planned.rungs else f"after {', '.join(planned.rungs)} still {', '.join(found)}"
        )

    def take(self, rung: RungName, found: list[str]) -> str:
        """One rung, written down before it has any effect; why it did not work, or nothing."""
        node = self.contract.node(self.name)
        if rung == "roles":
            self.step("rung", "the roles", rung=rung, causes=found)
            return ""
        seen = picture.take(self.contract, self.work, self.scheduler)
        members = sum(one.pool == node.pool for one in self.contract.nodes)
        begun = ladder.spent(self.contract, seen.index, self.name, seen.now).pool
        if not self.forced and (why := ladder.crowded(load_remedies(), rung, begun, members)):
            raise self.end(why, code="GUARDED")
        marker = boots.marker(self.remote, self.name)
        # Last of all: whatever took time lies before it.
        if owner := _owner(self.scheduler, self.name, ""):
            return f"not begun, as a person drained it: {owner}"
        if lost := drain.lost(self.scheduler, self.name):
            raise self.end(f"{rung} was not begun: {lost}", code="GIVEN_BACK", drains=False)
        self.step(
            "rung",
            f"{rung}, for {', '.join(found) or 'a person asked for it'}",
            rung=rung,
            causes=found,
            marker=marker,
        )
        wrong = rungs.take(self.remote, node, rung, marker)
        self.journal.write(ladder.DONE, node=self.name, rung=rung, wrong=wrong)
        return wrong

    def end(self, why: str, code: str = "LADDER_END", *, drains: bool = True) -> UnprovenError:
        """The node stays held, and drained with the reason; a person's drain keeps its own, and what a person ended stays so."""
        if drains and not _owner(self.scheduler, self.name, ""):
            self.scheduler.drain(self.name, f"{REPAIR_PREFIX} {why}"[: drain.REASON_LENGTH])
        took = self.fill_place() if code == "LADDER_END" else ""
        self.step("failed", f"not mended: {why}", reason=why, spare=took)
        return UnprovenError(
            f"{self.name} is not mended: {why}{f'; {took} has its place' if took else ''}", code=code, found=why,
            hint="it takes no job; evidence is in the archive: `railbed node history`, then `railbed node rma`",
        )  # fmt: skip

    def fill_place(self) -> str:
        """A spare takes the node's place, where its pool keeps one, and the ladder ends so; which one, or nothing."""
        seen, node = picture.take(self.contract, self.work, self.scheduler), self.contract.node(self.name)
        if node.pool not in self.contract.standby_pools or self.name in seen.spares:
            return ""
        members = sum(one.pool == node.pool for one in self.contract.nodes)
        begun = ladder.spent(self.contract, seen.index, self.name, seen.now)
        why = ladder.ending(load_remedies(), begun, members) or drain.lost(self.scheduler, self.name)
        if why:
            self.say(f"{self.name}: no spare takes its place: {why}")
            return ""
        try:
            spare = swap.choose(node, seen)
        except UnprovenError as none:
            self.say(f"{none.message}: {none.found}")
            return ""
        self.step("rung", f"{spare.name} takes its place", rung="spare", spare=spare.name)
        swap.exchange(self.contract, self.work, self.scheduler, node, spare, self.say)
        return spare.name

    def converge(self, on_converge: configure.OnEvent | None) -> str:
        """Runs the roles; gives the owner as of now."""
        converged = configure.converge(
            self.contract,
            self.work,
            limit=self.name,
            playbook="repair.yml",
            moving=True,
            on_event=on_converge,
        )
        if converged.broken:
            self.step("failed", "the roles failed; the node stays drained", error=converged.as_json())
            raise configure.broken(converged)
        self.step("converged", "roles ran", changed=sum(node.changed for node in converged.nodes.values()))
        return _owner(self.scheduler, self.name, "")

    def give_back(self, owner: str) -> tuple[validate.Report, str]:
        """Ends railbed's drain, validates the node, and gives it back or drains it with the reason; gives report, and owner as
        of now."""
        if owner:
            # A drained node runs no step, so part of its validation cannot be seen until its owner gives it back.
            self.step("kept", f"left drained, as a person drained it: {owner}")
        else:
            self.scheduler.resume(self.name)
        report = self.validate()
        owner = _owner(self.scheduler, self.name, owner)
        if report.verdict == Verdict.UNPROVEN and not owner:
            # Nothing was found wrong. A busy moment is the common cause, so the node is measured once more.
            self.say(f"{self.name}: {_said(report)}; once more")
            report = self.validate()
            owner = _owner(self.scheduler, self.name, owner)
        # Written once: it ends the repair, and one killed before it is seen as not ended.
        self.step("validated", _said(report), verdict=str(report.verdict), report=report.report_dir)
        if report.verdict == Verdict.PASS:
            acceptance.release(self.scheduler, [self.name], self.standby)
            spare = "a spare again" if self.name in self.standby else "back in service"
            self.step("resumed", "repaired; still drained by its owner" if owner else spare)
        elif not owner:
            first = report.open_claims[0]
            reason = f"{REPAIR_PREFIX} {first.claim} {first.verdict}: {first.reason}"
            self.scheduler.drain(self.name, reason[: drain.REASON_LENGTH])
            self.step("drained", f"not given back: {first.claim} {first.verdict}", claim=first.claim)
        return report, owner

    def validate(self) -> validate.Report:
        """Runs every claim of the node."""
        accepted = validate.exceptions(self.contract, self.work)
        return validate.run(self.contract, self.work, only=[self.name], accept=accepted, progress=self.say)


def _said(report: validate.Report) -> str:
    """The verdict, with the first open claim and its reason."""
    first = [f": {one.claim}: {one.reason}" for one in report.open_claims[:1]]
    return f"validation says {report.verdict}{''.join(first)}"


def _owner(scheduler: Scheduler, name: str, before: str) -> str:
    """Reason of a person's drain as it is now: asked again, as a person may drain while the repair waits."""
    return drain.owners(scheduler.nodes(), [name]).get(name, before)
