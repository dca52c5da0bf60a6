"""Taking nodes out of service without hurting anyone: drained, and idle by themselves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from railbed.defaults import (
    AUTOMATIC_DRAINS,
    DRAIN_POLL_S,
    DRAIN_TIMEOUT_S,
    HEALTHCHECK_PREFIX,
)
from railbed.effects.journal import now_iso
from railbed.effects.scheduler import Scheduler
from railbed.effects.slurm_text import NodeState
from railbed.errors import RailbedError, UnprovenError

Say = Callable[[str], None]
REASON_LENGTH = 240


class Step(Protocol):
    """Reports what was done on a node, to the terminal and the journal."""

    def __call__(self, event: str, text: str, **fields: object) -> None: ...


def owners(states: Mapping[str, NodeState], names: Iterable[str]) -> dict[str, str]:
    """Node → reason of a drain that railbed did not set. Slurm keeps one reason: a later drain writes over ours."""
    drained = ((name, states[name]) for name in names if name in states and states[name].drained)
    return {name: one.reason for name, one in drained if not one.reason.startswith(AUTOMATIC_DRAINS)}


def drain(scheduler: Scheduler, name: str, states: Mapping[str, NodeState], prefix: str, step: Step) -> str:
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


def busy(scheduler: Scheduler, names: Iterable[str]) -> dict[str, list[str]]:
    """Node → jobs that hold it (``<id> of <user>``); a node without any is absent."""
    found: dict[str, list[str]] = {}
    wanted = set(names)
    for job in scheduler.jobs():
        for name in wanted & set(job.nodes):
            found.setdefault(name, []).append(f"{job.id} of {job.user}")
    return found


def wait(scheduler: Scheduler, name: str, step: Step) -> float:
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
