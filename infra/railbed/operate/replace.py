"""Another machine behind a node's name: what holds it back, what is done before the old one goes, and after the new one came.

The old machine's disks go with it, so no job may be on the node, and none is waited for: `railbed node swap` does that. What
ends the machine and makes the other one is the caller's (a platform's groups, and the engine); from then on the node is as a new
one, held until it has passed. Resumable: a machine that the contract knows since the replacement began is never ended.
"""

from __future__ import annotations

from dataclasses import dataclass

from railbed import validate
from railbed.claims import WORKERS, FrozenModel, Verdict
from railbed.contract import Contract, Node
from railbed.defaults import REPAIR_PREFIX
from railbed.effects import acceptance
from railbed.effects.journal import Journal, operator
from railbed.effects.journal_index import Index
from railbed.effects.remote import Remote
from railbed.effects.schedulers import NodeScheduler
from railbed.effects.workspace import Workspace
from railbed.errors import UnprovenError, UsageError
from railbed.operate import breaker, drain, evidence, guards, picture
from railbed.operate.drain import Say
from railbed.operate.guards import Action, Refusal

BEGIN, DONE = "replace", "replace-done"


class Replaced(FrozenModel):
    """How a replacement ended."""

    node: str
    before: str
    """Identity of the machine that went."""
    after: str
    """Of the one that has its name now."""
    verdict: Verdict
    report: str
    kept_drained_by: str = ""
    """Reason of a person's drain that was left in place."""


def require(contract: Contract, name: str) -> Node:
    """The node. Raises UsageError for one that runs no jobs, or whose disks hold a shared filesystem's data."""
    node = contract.node(name)
    if node.role not in WORKERS:
        raise UsageError(
            f"{name} is a {node.role}, and is not replaced", found=node.role, allowed=list(WORKERS)
        )
    for one in contract.filesystems:
        if name == one.metadata_server or name in one.data_servers:
            raise UsageError(
                f"{name} keeps data of filesystem {one.name} on its own disks, which would go with it", code="HOLDS_DATA",
                path=name, found=one.name, allowed="a node without data", hint=f"`railbed node swap {name}` keeps the machine",
            )  # fmt: skip
    return node


def held_back(contract: Contract, work: Workspace, scheduler: NodeScheduler, name: str) -> list[Refusal]:
    """Guards that hold it back now, the jobs on the node by their numbers among them; changes nothing."""
    return guards.refusals(picture.take(contract, work, scheduler), [name], Action.REPLACE)


def begun_with(index: Index, name: str) -> str:
    """Identity of the machine that a replacement which was not seen to its end wants away; empty where none was begun."""
    last = next((one for one in index.of(name) if one.kind in (BEGIN, DONE)), None)
    return str(last.event.get("identity", "")) if last and last.kind == BEGIN else ""


@dataclass(frozen=True)
class Going:
    """One replacement as it goes."""

    contract: Contract
    work: Workspace
    scheduler: NodeScheduler
    node: Node
    say: Say

    def step(self, event: str, text: str, **fields: object) -> None:
        Journal(self.work.journal_file).write(f"replace-{event}", node=self.node.name, **fields)
        self.say(f"{self.node.name}: {text}")

    def take_out(self) -> bool:
        """Drains and holds the idle node, saves evidence where it answers, and writes down which machine goes. False where a run
        that was killed has had another machine made already. Raises UnprovenError where a guard holds it back."""
        name, journal = self.node.name, Journal(self.work.journal_file)
        seen = picture.take(self.contract, self.work, self.scheduler)
        before = begun_with(seen.index, name)
        if before and before != self.node.identity.value:
            return False
        found = guards.refusals(seen, [name], Action.REPLACE)
        breaker.note_all(journal, self.contract, guards.opened(found))
        # One that was begun goes on; but the node may have been given back since, and have a job.
        guards.require([one for one in found if not before or one.guard not in guards.FORCED])
        drain.drain(self.scheduler, name, seen.states, f"{REPAIR_PREFIX} replaced,", self.step)
        acceptance.hold(self.scheduler, [name])
        # Between the look and the drain a job may have begun; from here on none does.
        if why := drain.lost(self.scheduler, name):
            self.step("failed", f"not replaced: {why}", reason=why)
            raise UnprovenError(
                f"{name} is not replaced: {why}", code="STILL_BUSY", found=why,
                hint="it stays draining: run this again once the job has ended, or `railbed node resume`",
            )  # fmt: skip
        for silent in evidence.save(Remote(self.work, self.contract), self.work, {name: self.step}).values():
            self.say(f"{silent.message}; it is replaced all the same")
        acceptance.revoke(self.work, [name])
        journal.write(BEGIN, node=name, identity=self.node.identity.value, by=operator())
        return True

    def before(self) -> str:
        """Identity of the machine that goes, or went."""
        return begun_with(Journal(self.work.journal_file).index(), self.node.name)

    def was_proven(self) -> Replaced:
        """The end of a run that was killed after the other machine had passed."""
        before, now = self.before(), self.node.identity.value
        self.step("done", "replaced; it had passed already", verdict=str(Verdict.PASS))
        return Replaced(node=self.node.name, before=before, after=now, verdict=Verdict.PASS, report="")

    def give_back(self, before: str) -> Replaced:
        """``contract`` is the new one, and the roles ran: validates the node, and gives it back where it passed."""
        name = self.node.name
        self.step("made", f"{self.node.identity.value} has its name", identity=self.node.identity.value)
        owner = drain.owners(self.scheduler.nodes(), [name]).get(name, "")
        if not owner:
            self.scheduler.resume(name)
        accepted = validate.exceptions(self.contract, self.work)
        report = validate.run(self.contract, self.work, only=[name], accept=accepted, progress=self.say)
        if report.verdict is not Verdict.PASS and not owner:
            first = report.open_claims[0]
            reason = f"{REPAIR_PREFIX} {first.claim} {first.verdict}: {first.reason}"
            self.scheduler.drain(name, reason[: drain.REASON_LENGTH])
        self.step(
            "done",
            f"replaced; validation says {report.verdict}",
            verdict=str(report.verdict),
            report=report.report_dir,
        )
        return Replaced(
            node=name, before=before, after=self.node.identity.value, verdict=report.verdict, report=report.report_dir,
            kept_drained_by=owner,
        )  # fmt: skip
