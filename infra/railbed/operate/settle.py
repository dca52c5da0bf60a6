"""Nodes that railbed itself took out come back when the cause is gone: each is validated again while it is held, and only then
given back. A person's drain, and one of the health check (which ends it itself), are not touched.

The quick checks go first: where the cause is still there, they say so in seconds. A node goes back after a validation of all its
claims and not before: what took it out may be something that the quick checks do not measure.
"""

from __future__ import annotations

import time

from railbed import configure, validate
from railbed.claims import WORKERS, FrozenModel, Verdict
from railbed.contract import Contract, Node
from railbed.defaults import AUTOMATIC_DRAINS, HEALTHCHECK_PREFIX, REPAIR_PREFIX, SETTLE_BUDGET_S
from railbed.effects import acceptance
from railbed.effects.journal import Journal
from railbed.effects.remote import Remote
from railbed.effects.scheduler import Scheduler
from railbed.effects.workspace import Workspace
from railbed.judge.rails import PARTNERS_NEEDED
from railbed.operate import drain, guards, lifecycle, picture, standing
from railbed.operate.drain import Say
from railbed.operate.guards import Action
from railbed.operate.lifecycle import Event, State
from railbed.operate.picture import Picture

TAKEN_OUT = frozenset({State.DRAINING, State.REPAIRING, State.QUARANTINED})


class Settled(FrozenModel):
    """One node that is out of service, and what becomes of it."""

    node: str
    lifecycle: str
    why: str
    """Why it is out."""
    tried: bool
    """Whether it is validated again; else ``left`` says why not."""
    left: str = ""
    """Why it stays out; empty where it is given back, or would be tried."""
    verdict: Verdict | None = None
    report: str = ""


def plan(seen: Picture) -> list[Settled]:
    """Every node that is out of service and not a person's, with what would be done. Pure. Raises Unsupported on Kubernetes."""
    configure.require_roles(seen.contract)
    found = (_one(node, seen) for node in seen.contract.with_role(*WORKERS))
    return [one for one in found if one]


def _one(node: Node, seen: Picture) -> Settled | None:
    """None where it is in service, a person's, or unknown."""
    stands = standing.of(node, seen)
    if stands.state not in TAKEN_OUT:
        return None
    left = _left(node.name, seen, stands)
    return Settled(node=node.name, lifecycle=str(stands.state), why=stands.why, tried=not left, left=left)


def _left(name: str, seen: Picture, stands: standing.Standing) -> str:
    if stands.why.startswith(HEALTHCHECK_PREFIX):
        return "its health check gives it back itself, or says why not"
    refusals = guards.refusals(seen, [name], Action.SETTLE)
    if refusals:
        return f"{refusals[0].guard}: {refusals[0].why}"
    wanted, has = seen.contract.software.release, seen.releases.get(name)
    if has != wanted:
        return f"it has {has or 'no whole release'}, and the cluster {wanted}: run the roles first, in a repair or an upgrade"
    return _alone(name, seen)


def _alone(name: str, seen: Picture) -> str:
    """Why its rails could not be measured now; empty where they can. A try would prove nothing, and they are few in a day."""
    with_rails = [node.name for node in seen.contract.with_role(*WORKERS) if node.rails]
    others = [other for other in with_rails if other != name]
    if name not in with_rails or len(others) < PARTNERS_NEEDED:
        return ""
    # One that is drained may be measured with: no step of a job is needed for it.
    idle = [
        other
        for other in others
        if not seen.jobs.get(other) and (state := seen.states.get(other)) and state.responding
    ]
    if len(idle) >= PARTNERS_NEEDED:
        return ""
    return f"{len(idle)} other nodes are idle, and its rails are measured with {PARTNERS_NEEDED}: the next run tries"


def settle(contract: Contract, work: Workspace, say: Say) -> list[Settled]:
    """Does it, one node after the other. A run that is ended leaves the node held: in no case does it take jobs unproven.

    Each node is checked again before its own turn: the ones before it took minutes. None begins after ``SETTLE_BUDGET_S``.
    Raises RailbedError ``REPORT_ROOM`` where the validations could not be written, and ``OPEN_FILES`` where they could not open
    what they need; then nothing was touched.
    """
    configure.require_roles(contract)
    scheduler, start = Scheduler(Remote(work, contract)), time.monotonic()
    found = plan(picture.take(contract, work, scheduler))
    if tried := sum(one.tried for one in found):
        # Two reports a node: the quick checks', and that of all claims.
        validate.require_room(work.reports, 2 * tried, part=True)
        validate.require_open_files(len(contract.nodes))
    for place, one in enumerate(found):
        if not one.tried:
            continue
        if time.monotonic() - start > SETTLE_BUDGET_S:
            late = f"no node begins after {SETTLE_BUDGET_S / 60:g} min: the next run goes on"
            found[place] = one.model_copy(update={"tried": False, "left": late})
            continue
        seen = picture.take(contract, work, scheduler)
        now = _one(contract.node(one.node), seen)
        if now is None:
            found[place] = one.model_copy(
                update={"tried": False, "left": "railbed does not hold it any more"}
            )
        else:
            found[place] = _try(contract, work, scheduler, now, seen, say) if now.tried else now
    return found


def _try(
    contract: Contract, work: Workspace, scheduler: Scheduler, one: Settled, seen: Picture, say: Say
) -> Settled:
    name, journal = one.node, Journal(work.journal_file)
    lifecycle.transition(standing.of(contract.node(name), seen).place, Event.TRIED)
    journal.write("settle", node=name, why=one.why)
    say(f"{name}: held and validated again; it is out for {one.why}")
    acceptance.hold(scheduler, [name])
    before = scheduler.nodes().get(name)
    if before is None or not before.responding:
        return _stays(journal, one, "the scheduler does not hear it any more", Verdict.UNPROVEN)
    if owner := drain.owners({name: before}, [name]).get(name):
        return _stays(journal, one, f"drained by its owner: {owner}", Verdict.UNPROVEN)
    # A drained node runs no step; the reservation holds it meanwhile.
    if before.drained and not scheduler.resume(name, before.reason):
        return _stays(journal, one, "somebody drained it just now", Verdict.UNPROVEN)
    ended = False
    try:
        report = validate.run(
            contract, work, only=[name], quick=True, accept=validate.exceptions(contract, work), progress=say
        )
        if report.verdict is Verdict.PASS:
            report = validate.run(
                contract, work, only=[name], accept=validate.exceptions(contract, work), progress=say
            )
        ended = True
    finally:
        if not ended and before.drained:
            _drain_again(scheduler, name, before.reason)
    owner = drain.owners(scheduler.nodes(), [name]).get(name, "")
    if report.verdict is not Verdict.PASS:
        first = report.open_claims[0]
        reason = f"{first.claim} {first.verdict}: {first.reason}"
        if before.drained:
            _drain_again(scheduler, name, f"{REPAIR_PREFIX} {reason}")
        return _stays(journal, one, reason, report.verdict, report.report_dir)
    acceptance.release(scheduler, [name], seen.standby)
    journal.write("settle-returned", node=name, report=report.report_dir, kept_drained_by=owner)
    say(f"{name}: {'passed; still drained by its owner' if owner else 'passed, back in service'}")
    left = f"drained by its owner: {owner}" if owner else ""
    return one.model_copy(update={"verdict": Verdict.PASS, "report": report.report_dir, "left": left})


def _drain_again(scheduler: Scheduler, name: str, reason: str) -> None:
    """Unless a person, or the node itself, drained it meanwhile."""
    state = scheduler.nodes().get(name)
    if state is None or not state.drained or (
        state.reason.startswith(AUTOMATIC_DRAINS) and not state.reason.startswith(HEALTHCHECK_PREFIX)
    ):  # fmt: skip
        scheduler.drain(name, reason[: drain.REASON_LENGTH])


def _stays(journal: Journal, one: Settled, left: str, verdict: Verdict, report: str = "") -> Settled:
    journal.write("settle-failed", node=one.node, reason=left, verdict=str(verdict), report=report)
    return one.model_copy(update={"left": left, "verdict": verdict, "report": report})
