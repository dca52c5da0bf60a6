"""When a node takes itself out of service, and when it comes back. It touches no drain but its own.

Rules: a fault must last (``confirm_s``); the limit on automatic drains must leave room, at two reads of the scheduler; where the
scheduler does not answer nothing is done. The node's own drain ends after ``passes`` clean checks in a row, unless it came
back ``returns`` times within ``returns_window_s``: then it stays drained until a person has checked it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Optional, Protocol

from railbed.laws.drain_limit import Limit, Out, before, refusal
from railbed.parse.slurm import NodeState
from railbed.validate.node.faults import runbook
from railbed.validate.node.health import HealthResult
from railbed.validate.node.probe import Symptom

HOLD_DOWN = "held"
"""Word behind the mark of a drain that does not end by itself."""
REASON_LENGTH = 200
UNFIT_TO_RETURN = frozenset(
    {"NOT_RESPONDING", "INVALID_REG", "FAIL", "COMPLETING", "REBOOT_REQUESTED", "REBOOT_ISSUED"}
)
"""Slurm's flags with which a node is not given back: RESUME would also end what they stand for."""


@dataclass(frozen=True)
class Settings:
    """What the cluster decided, from ``health`` of the expectations; the reasons are in railbed's defaults.py."""

    mark: str
    """In front of the reason of this program's drains."""
    report_mark: str
    automatic: tuple[str, ...]
    """Marks of all automatic drains, this one's too."""
    confirm_s: float
    start_check_s: float
    """What the check at the start of a job may take; what did not answer by then is unknown."""
    start_confirm_s: float
    """Between the two checks of the start of a job."""
    hung_s: float
    """How long a process of nvidia-smi that no signal ends must be there; less is unknown."""
    passes: int
    returns: int
    returns_window_s: float
    spread_s: float
    settle_s: float
    limit: Limit

    @classmethod
    def read(cls, wanted: dict[str, Any]) -> Settings:
        """Raises KeyError or TypeError where something is missing or unknown."""
        rest = {key: value for key, value in wanted.items() if key not in ("automatic", "limit")}
        return cls(automatic=tuple(wanted["automatic"]), limit=Limit(**wanted["limit"]), **rest)


@dataclass(frozen=True)
class Memory:
    """What one run leaves to the next; gone after a boot. Times are ``time.monotonic``."""

    faulty_since_s: Optional[float] = None
    passes: int = 0
    drained: Optional[bool] = None
    """Whether this program's drain holds the node; None: the scheduler has to be asked."""
    settling: bool = False
    """The drain was ordered, and the second check of the limit is still to come."""

    def after(self, result: HealthResult, now_s: float) -> Memory:
        """Counts a check."""
        since = None if not result.faults else now_s if self.faulty_since_s is None else self.faulty_since_s
        return replace(self, faulty_since_s=since, passes=self.passes + 1 if result.clean else 0)


class Scheduler(Protocol):
    """``controller.Controller``."""

    def nodes(self) -> Optional[dict[str, NodeState]]: ...
    def own(self) -> Optional[NodeState]: ...
    def drain(self, reason: str) -> bool: ...
    def resume(self) -> bool: ...


def in_pool(states: dict[str, NodeState], name: str, pool: str) -> dict[str, NodeState]:
    """The nodes of this node's pool; of its partitions where the scheduler does not know pools."""
    own = states[name]
    if pool in own.features:
        return {key: one for key, one in states.items() if pool in one.features}
    return {key: one for key, one in states.items() if set(one.partitions) & set(own.partitions)}


def taken_out(states: dict[str, NodeState], settings: Settings) -> list[Out]:
    """The nodes that automatic drains hold. A time that cannot be read counts as now."""
    return [
        Out(name, float(one.reason_at) if one.reason_at.isdigit() else time.time(), one.reason.startswith(settings.mark))
        for name, one in states.items()
        if one.drained and one.reason.startswith(settings.automatic)
    ]  # fmt: skip


@dataclass
class Drains:
    """This node's drain."""

    node: str
    pool: str
    settings: Settings
    scheduler: Scheduler
    memory: Memory
    returned: list[float]
    """When the node came back by itself, seconds since the epoch."""
    save: Callable[[Memory], None]
    save_returned: Callable[[list[float]], bool]
    """False where it could not be written down: the node then does not come back."""
    pause: Callable[[float], None] = time.sleep
    notes: list[Symptom] = field(default_factory=list)

    def tend(self, result: HealthResult, now_s: float) -> list[Symptom]:
        """Drains the node or gives it back, by the result; returns what there is to report of that."""
        self._remember(self.memory.after(result, now_s))
        since = self.memory.faulty_since_s
        if since is not None and now_s - since >= self.settings.confirm_s:
            self._keep_out(result.faults)
        elif not result.faults and self.memory.drained is not False:
            self._bring_back()
        return self.notes

    def _remember(self, memory: Memory) -> None:
        self.memory = memory
        self.save(memory)

    def _note(self, code: str, text: str) -> None:
        self.notes.append(Symptom(code, self.node, text))

    def _silent(self) -> None:
        self._note("scheduler-silent", "the scheduler does not answer: the node is left as it is")

    def _keep_out(self, faults: Iterable[Symptom]) -> None:
        own = self.scheduler.own()
        if own is None:
            self._silent()
            return
        if own.drained or own.base == "DOWN":
            # A drain that someone else ordered keeps its reason.
            mine = own.drained and own.reason.startswith(self.settings.mark)
            self._remember(replace(self.memory, drained=mine, settling=self.memory.settling and mine))
            if self.memory.settling:
                self._settle(faults)
            return
        self.pause(random.uniform(0, self.settings.spread_s))
        states = self.scheduler.nodes()
        if states is None or self.node not in states:
            self._silent()
            return
        pool = in_pool(states, self.node, self.pool)
        others = [one for one in taken_out(pool, self.settings) if one.name != self.node]
        refused = refusal(others, len(pool), self.settings.limit, time.time())
        if refused:
            self._remember(replace(self.memory, drained=False, settling=False))
            self._refused(faults, refused)
            return
        # Written down first: a run that is ended after the next line must find its drain unsettled.
        self._remember(replace(self.memory, drained=True, settling=True))
        if not self.scheduler.drain(self._reason(faults)):
            self._silent()
            return
        self.pause(self.settings.settle_s)
        self._settle(faults)

    def _settle(self, faults: Iterable[Symptom]) -> None:
        """The second check: takes the drain back where those before it use up the limit."""
        states = self.scheduler.nodes()
        if states is None or self.node not in states:
            self._silent()
            return
        pool = in_pool(states, self.node, self.pool)
        out = {one.name: one for one in taken_out(pool, self.settings)}
        own = out.get(self.node)
        if own is None or not own.by_itself:
            self._remember(replace(self.memory, drained=False, settling=False))
            return
        refused = refusal(before(own, out.values()), len(pool), self.settings.limit, time.time())
        if refused and not self.scheduler.resume():
            self._silent()
            return
        self._remember(replace(self.memory, drained=not refused, settling=False))
        if refused:
            self._refused(faults, refused)

    def _refused(self, faults: Iterable[Symptom], why: str) -> None:
        for one in faults:
            self.notes.append(Symptom("not-drained", one.subject, f"{one.code}: {one.text}: {why}"))

    def _reason(self, faults: Iterable[Symptom]) -> str:
        """Whose fault it is, and where there is room the page that says what to do."""
        known = list(faults)
        texts = list(dict.fromkeys(f"{one.code}: {one.text}" for one in known))
        flapping = self._flapping()
        prefix = f"{HOLD_DOWN}, came back {flapping} times: " if flapping else ""
        reason = f"{self.settings.mark} {prefix}{'; '.join(texts)}"
        pages = ", ".join(dict.fromkeys(runbook(one.code) for one in known))
        whole = f"{reason} (runbook {pages})"
        return whole if len(whole) <= REASON_LENGTH else reason[:REASON_LENGTH]

    def _flapping(self) -> int:
        """How often the node came back within the window, where that is too often; else 0."""
        recent = [at for at in self.returned if at > time.time() - self.settings.returns_window_s]
        return len(recent) if len(recent) >= self.settings.returns else 0

    def _bring_back(self) -> None:
        asked = self.memory.drained is None or self.memory.passes >= self.settings.passes
        own = self.scheduler.own() if asked else None
        if own is None:
            if asked:
                self._silent()
            return
        mine = own.drained and own.reason.startswith(self.settings.mark)
        self._remember(replace(self.memory, drained=mine, settling=False))
        if mine and own.reason.startswith(f"{self.settings.mark} {HOLD_DOWN}"):
            self._note(
                "held", "the fault is gone, and came too often: railbed node repair, or railbed node resume"
            )
            return
        if (
            not mine
            or self.memory.passes < self.settings.passes
            or own.base == "DOWN"
            or own.flags & UNFIT_TO_RETURN
        ):
            return
        window = time.time() - self.settings.returns_window_s
        returned = [at for at in self.returned if at > window]
        if not self.save_returned([*returned, time.time()]):
            reason = "the fault is gone, but the return cannot be written down: the node stays drained"
            self._note("unknown", reason)
            return
        if self.scheduler.resume():
            self._remember(replace(self.memory, drained=False, passes=0))
            return
        self.save_returned(returned)
        self._silent()
