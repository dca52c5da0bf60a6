"""Taking nodes out of service without hurting anyone: drained, and idle by themselves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from railbed.defaults import AUTOMATIC_DRAINS, DRAIN_POLL_S, HEALTHCHECK_PREFIX
from railbed.effects.journal import now_iso
from railbed.effects.schedulers import NodeScheduler
from railbed.errors import RailbedError, UnprovenError
from railbed.parse.slurm import NodeState

DRAIN_TIMEOUT_S = 3600.0
"""How long a repair waits for a running job; afterwards it gives up and leaves the node draining."""

Say = Callable[[str], None]
REASON_LENGTH = 240


class Step(Protocol):
    """Reports what was done on a node, to the terminal and the journal."""

    def __call__(self, event: str, text: str, **fields: object) -> None: ...


def owners(states: Mapping[str, NodeState], names: Iterable[str]) -> dict[str, str]:
    """Node → reason of a drain that railbed did not set. Slurm keeps one reason: a later drain writes over ours."""
    drained = ((name, states[name]) for name in names if name in states and states[name].drained)
    return {name: one.reason for name, one in drained if not one.reason.startswith(AUTOMATIC_DRAINS)}


def drain(
    scheduler: NodeScheduler, name: str, states: Mapping[str, NodeState], prefix: str, step: Step
) -> str:
    """Drains the node unless it is; gives the reason of a person's own drain, which is kept.

    ``states`` is what the scheduler said of its nodes just now: asking costs as much for one as for all. A node that its
    health check drained gets the new reason: else it would give itself back while it is worked on.
    """
    state = states.get(name)
    if state is None:
        raise RailbedError(
            f"the scheduler does not know {name}", code="NODE_UNKNOWN", hint="run `railbed converge`"
        )
    if state.drained and state.reason.startswith(HEALTHCHECK_PREFIX):
        # Asked again: a person's drain must not be written over.
        state = scheduler.nodes().get(name, state)
    if state.drained and not state.reason.startswith(HEALTHCHECK_PREFIX):
        step("drain", f"drained already: {state.reason}", reason=state.reason)
        return owners(states, [name]).get(name, "")
    before = f", was {state.reason}" if state.drained else ""
    scheduler.drain(name, f"{prefix} {now_iso()}{before}"[:REASON_LENGTH])
    step("drain", "draining: no new job starts on it", before=state.reason if before else "")
    return ""


def busy(scheduler: NodeScheduler, names: Iterable[str]) -> dict[str, list[str]]:
    """Node → jobs that hold it (``<id> of <user>``); a node without any is absent."""
    found: dict[str, list[str]] = {}
    wanted = set(names)
    for job in scheduler.jobs():
        for name in wanted & set(job.nodes):
            found.setdefault(name, []).append(f"{job.id} of {job.user}")
    return found


def wait(scheduler: NodeScheduler, name: str, step: Step) -> float:
    """Waits until no job holds the node; says once which ones it waits for. Gives the seconds."""
    start, shown = time.monotonic(), ""
    while jobs := scheduler.jobs(name):
        listed = ", ".join(f"{job.id} of {job.user}" for job in jobs)
        if listed != shown:
            step("wait", f"waiting for job {listed} to end by itself", jobs=listed)
            shown = listed
        if time.monotonic() - start > DRAIN_TIMEOUT_S:
            raise UnprovenError(
                f"{name} still runs {listed} after {DRAIN_TIMEOUT_S:g} s", code="STILL_BUSY",
                hint="the node stays draining; run the repair again later (railbed never ends a job)",
            )  # fmt: skip
        time.sleep(DRAIN_POLL_S)
    return time.monotonic() - start


def lost(scheduler: NodeScheduler, name: str) -> str:
    """Why a node that was drained and idle must not be worked on now: between the wait and the hold somebody may have given it
    back, by hand or by the scheduler's own programs, and from the hold on no new job starts. Empty where it may."""
    state = scheduler.nodes().get(name)
    if state is None or not state.drained:
        return "it is not drained any more"
    jobs = [f"{job.id} of {job.user}" for job in scheduler.jobs(name)]
    return f"job {', '.join(jobs)} is on it" if jobs else ""
