"""The phases of a swap at a checkpoint, each written down before it acts, each such that it may be done once more."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from railbed.claims import FrozenModel
from railbed.contract import Contract
from railbed.defaults import (
    CHECKPOINT_WITHIN_S,
    DRAIN_POLL_S,
    REPAIR_PREFIX,
    REQUEUE_WITHIN_S,
    RESTART_WITHIN_S,
    SWAP_RESERVATION,
)
from railbed.effects import acceptance, places
from railbed.effects.journal import Journal
from railbed.effects.scheduler import Scheduler
from railbed.effects.workspace import Workspace
from railbed.errors import CommandError, UnprovenError
from railbed.operate import drain, picture, swap, swap_proof
from railbed.operate.drain import Say
from railbed.operate.picture import Picture
from railbed.operate.swap_consent import Begun
from railbed.parse.swap_contract import ASK, STOP

PHASES = ("reserve", "signal", "saved", "stop", "out", "place", "restart", "release")


class SwappedAtCheckpoint(FrozenModel):
    """A swap at a checkpoint, as planned or as it ended."""

    node: str
    spare: str
    same_unit: bool
    """Whether the spare is in the node's scalable unit; else the job reaches it over the spine."""
    job: str
    owner: str
    nodes: list[str]
    """The job's before, in the order of their ranks."""
    nodes_after: list[str]
    order: list[str]
    """The pool's nodes that serve, in the order of their places: the spare has the node's."""
    goes_on_from: str = ""
    """Phase at which a run was killed; empty where none was."""
    step: int | None = None
    """Of the checkpoint."""
    restarted: bool = False
    """Whether the job said that it goes on, from that step or a later one, on those nodes."""
    why_not: str = ""
    kept_reservation: str = ""
    """Slurm did not let it go: the job is still in it."""
    kept_drained_by: str = ""
    """Reason of a person's drain of the node that was left in place."""


@dataclass
class Run:
    contract: Contract
    work: Workspace
    scheduler: Scheduler
    begun: Begun
    say: Say
    within_s: float = CHECKPOINT_WITHIN_S
    found: dict[str, object] = field(default_factory=dict)
    """Of the result."""

    @property
    def reservation(self) -> str:
        return f"{SWAP_RESERVATION}{self.begun.node}"

    def step(self, event: str, text: str, **fields: object) -> None:
        Journal(self.work.journal_file).write(f"swap-{event}", node=self.begun.node, **fields)
        self.say(f"{self.begun.node}: {text}")

    def result(self, **more: object) -> SwappedAtCheckpoint:
        one, units, at = self.begun, {n.name: n.scalable_unit for n in self.contract.nodes}, self._places()
        if at[one.spare] != one.place:
            at[one.node], at[one.spare] = at[one.spare], at[one.node]
        return SwappedAtCheckpoint.model_validate(
            {
                "node": one.node, "spare": one.spare, "same_unit": units[one.node] == units[one.spare], "job": one.job,
                "owner": one.owner, "nodes": one.nodes, "nodes_after": one.after,
                "order": swap.order(self.contract, at, self.contract.node(one.node).pool), **self.found, **more,
            }
        )  # fmt: skip

    def go(self, start: str) -> SwappedAtCheckpoint:
        for phase in PHASES[PHASES.index(start) :]:
            getattr(self, f"_{phase}")()
        return self.result()

    # --- until the job is asked to stop: giving up changes nothing for it ---

    def _reserve(self) -> None:
        one = self.begun
        self.step(
            "at-reserve", f"job {one.job} and {one.spare}: their nodes are kept", reservation=self.reservation
        )
        self.scheduler.reserve_for([*one.nodes, one.spare], self.reservation, one.owner)

    def _signal(self) -> None:
        """What the marker says now is written down first: what comes after it is new, however long ago this began."""
        one = self.begun
        if not self._runs_still():
            return
        try:
            changed_ns, marker = swap_proof.marker(self.scheduler, one)
        except CommandError as wrong:
            self.give_up("NOT_READY", f"{wrong.message}; nothing was stopped")
        self.step(
            "at-signal", f"job {one.job} is asked for a checkpoint",
            job=one.job, signal=ASK, asked=marker.asked, changed_ns=changed_ns,
        )  # fmt: skip
        self._ask(ASK)

    def _saved(self) -> None:
        one, last = self.begun, [""]

        def proven() -> int | None:
            if not self._runs_still():
                return self._saved_step()
            step, last[0] = swap_proof.checkpoint(self.scheduler, one, self._last("swap-at-signal") or {})
            return step

        step = _until(proven, self.within_s)
        if step is None:
            self.give_up(
                "CHECKPOINT_LATE",
                f"no new checkpoint of job {one.job} within {self.within_s:g} s ({last[0]}); nothing was stopped",
            )
        self.step("at-saved", f"job {one.job} has saved step {step}", job=one.job, step=step)

    def _stop(self) -> None:
        one = self.begun
        if not self._was_stopped():
            if why := self._unfit():
                self.give_up("NO_SPARE", f"{one.spare} cannot take the place: {why}; nothing was stopped")
            self.step("at-stop", f"job {one.job} is asked to queue itself again", job=one.job, signal=STOP)
            self._ask(STOP)
        if not _until(self._was_stopped, REQUEUE_WITHIN_S):
            self.give_up(
                "NOT_STOPPED",
                f"job {one.job} did not queue itself again within {REQUEUE_WITHIN_S:g} s; it was left as it is",
            )

    # --- until the exchange: giving up lets it start again by itself ---

    def _out(self) -> None:
        one = self.begun
        self._require_waiting()
        self.step("at-out", "taken out of service", job=one.job)
        drain.drain(self.scheduler, one.node, self.scheduler.nodes(), f"{REPAIR_PREFIX} swapped,", self.step)
        drain.wait(self.scheduler, one.node, self.step)
        acceptance.hold(self.scheduler, [one.node])
        if why := drain.lost(self.scheduler, one.node):
            self.give_up("GIVEN_BACK", f"{one.node} was given back meanwhile: {why}")

    def _place(self) -> None:
        one = self.begun
        if self._places()[one.spare] != one.place:
            self._require_waiting()
            if why := self._unfit():
                self.give_up("NO_SPARE", f"{one.spare} cannot take the place any more: {why}")
            self.step("at-place", f"{one.spare} takes its place", spare=one.spare, place=one.place)
            places.exchange(self.contract, self.work, one.node, one.spare)
        acceptance.hold(self.scheduler, [one.node])
        acceptance.release(self.scheduler, [one.spare], places.standby(self.contract, self.work))
        Journal(self.work.journal_file).write("swapped-in", node=one.spare, instead_of=one.node)

    # --- from here on to the end, whatever becomes of the job ---

    def _restart(self) -> None:
        one, last = self.begun, ["it did not start"]
        self.step(
            "at-restart",
            f"job {one.job} starts on {', '.join(one.after)}",
            job=one.job,
            nodes_after=one.after,
        )
        job = self.scheduler.batch_job(one.job)
        if job and job.waits:
            self.scheduler.reserve_for(one.after, self.reservation, one.owner)
            self.scheduler.place_waiting(one.job, self.reservation, one.after if one.required else ())

        def goes_on() -> bool | None:
            now = self.scheduler.batch_job(one.job)
            if now is None or not now.lives:
                last[0] = f"it ended by itself ({now.state if now else 'Slurm forgot it'})"
                return False
            if now.runs and set(now.nodes) != set(one.after):
                last[0] = f"it runs on {', '.join(now.nodes)}"
                return False
            if not now.runs:
                last[0] = f"it is {now.state}: {now.reason or 'no reason given'}"
                return None
            last[0] = swap_proof.differs(self.scheduler, one, now, self._saved_step())
            return None if last[0] else True

        self.found["restarted"] = restarted = bool(_until(goes_on, RESTART_WITHIN_S))
        self.found["why_not"] = "" if restarted else last[0]

    def _release(self) -> None:
        one = self.begun
        if "restarted" not in self.found and (said := self._last("swap-at-release")):
            self.found |= {key: said[key] for key in ("restarted", "why_not")}
        restarted, why = bool(self.found["restarted"]), str(self.found["why_not"])
        self.step(
            "at-release", "the job's nodes are free again", reservation=self.reservation, restarted=restarted, why_not=why
        )  # fmt: skip
        if (job := self.scheduler.batch_job(one.job)) and job.reservation == self.reservation:
            self.scheduler.leave_reservation(one.job)
        gone = self.scheduler.end_reservation(self.reservation)
        self.found |= {
            "step": self._saved_step(), "kept_reservation": "" if gone else self.reservation,
            "kept_drained_by": drain.owners(self.scheduler.nodes(), [one.node]).get(one.node, ""),
        }  # fmt: skip
        text = (
            f"job {one.job} goes on with {one.spare}"
            if restarted
            else f"{one.spare} has its place; job {one.job}: {why}"
        )
        self.step("done", text, spare=one.spare, job=one.job, restarted=restarted, reason=why)

    # --- what is there ---

    def give_up(self, code: str, why: str) -> NoReturn:
        """As before: the reservation goes, and the node is back where this took it out."""
        one = self.begun
        self.step("at-undo", why, code=code, reason=why)
        seen = self._seen()
        state = seen.states.get(one.node)
        if state and state.drained and state.reason.startswith(f"{REPAIR_PREFIX} swapped,"):
            self.scheduler.resume(one.node, state.reason)
        if seen.is_accepted(self.contract.node(one.node)) and seen.past(one.node).proven:
            acceptance.release(self.scheduler, [one.node], seen.standby)
        self.scheduler.end_reservation(self.reservation)
        self.step("untouched", f"not swapped: {why}", reason=why)
        raise UnprovenError(
            f"{one.node} is not swapped: {why}", code=code, found=why,
            hint="run it again where it is still wanted; `railbed node swap` waits until the job ends by itself",
        )  # fmt: skip

    def _ask(self, signal: str) -> None:
        try:
            self.scheduler.ask_script(self.begun.job, signal)
        except CommandError:
            # Where it ended in this moment, that is what there is to say.
            if self._runs_still():
                raise

    def _runs_still(self) -> bool:
        """Whether the job runs as when this began. False where its script obeyed what an earlier run asked; else gives up."""
        one, job = self.begun, self.scheduler.batch_job(self.begun.job)
        if job and job.lives and job.restarts > one.run and self._last("swap-at-stop"):
            return False
        if job is None or not job.lives or job.restarts != one.run or set(job.nodes) != set(one.nodes):
            is_now = f"{job.state} on {', '.join(job.nodes) or 'no node'}" if job else "forgotten by Slurm"
            self.give_up("JOB_ENDED", f"job {one.job} ended by itself or was moved: it is {is_now}")
        return True

    def _was_stopped(self) -> bool | None:
        """Whether its script queued it again; gives up where it ended for good."""
        one, job = self.begun, self.scheduler.batch_job(self.begun.job)
        if job is None or not job.lives:
            self.give_up(
                "JOB_ENDED", f"job {one.job} ended by itself: {job.state if job else 'Slurm forgot it'}"
            )
        return True if job.restarts > one.run and (job.waits or job.runs) else None

    def _require_waiting(self) -> None:
        """Between stop and exchange it may be cancelled by its owner, or have been started by Slurm on the node again."""
        one, job = self.begun, self.scheduler.batch_job(self.begun.job)
        if job is None or not job.lives:
            self.give_up(
                "JOB_ENDED", f"job {one.job} ended by itself: {job.state if job else 'Slurm forgot it'}"
            )
        if job.runs and one.node in job.nodes:
            self.give_up("NOT_STOPPED", f"job {one.job} runs on {one.node} again")

    def _seen(self) -> Picture:
        """Without this swap's own reservation, which is no one else's claim on the nodes."""
        seen = picture.take(self.contract, self.work, self.scheduler)
        return replace(
            seen, reservations=tuple(one for one in seen.reservations if one.name != self.reservation)
        )

    def _unfit(self) -> str:
        return swap.unfit(self.contract.node(self.begun.spare), self._seen())

    def _places(self) -> dict[str, str]:
        return places.read(self.contract, self.work)

    def _last(self, kind: str) -> dict[str, Any] | None:
        """Newest entry of this kind since this swap began."""
        for one in Journal(self.work.journal_file).index().of(self.begun.node):
            if one.kind == kind:
                return one.event
            if one.kind == "swap-at-begin":
                return None
        return None

    def _saved_step(self) -> int:
        said = self._last("swap-at-saved")
        return int(said["step"]) if said else 0


def _until(look: Callable[[], object], limit_s: float) -> object:
    """The first answer that is not None, and None where the time ran out. Looks at least once."""
    end = time.monotonic() + limit_s
    while (found := look()) is None:
        if time.monotonic() >= end:
            return None
        time.sleep(DRAIN_POLL_S)
    return found
