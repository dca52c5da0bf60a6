"""Where the time of a job went, from what Slurm's accounts say of its starts. Pure.

The parts add up to the time from its submission to its end, or to now: ``Ledger.adds_up``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

RUNNING, QUEUED = "running", "first wait in the queue"
BY_ITSELF = frozenset({"COMPLETED", "CANCELLED", "TIMEOUT", "DEADLINE"})
"""Ends that are no interruption: the program's own, its owner's, or its time limit."""
MEANING = {
    "NODE_FAIL": "a node failed",
    "BOOT_FAIL": "a node failed",
    "REQUEUED": "queued again",
    "PREEMPTED": "another job went before",
    "FAILED": "the program failed",
    "OUT_OF_MEMORY": "the program ran out of memory",
}


class Start(NamedTuple):
    """One start of the job; seconds since the epoch. ``ended_s`` is None while it runs."""

    started_s: float
    ended_s: float | None
    state: str
    nodes: tuple[str, ...]
    cause: str = ""
    """What is known of why it ended, beyond its state."""


class Stop(NamedTuple):
    """One interruption, and what it cost until the job ran again."""

    at_s: float
    why: str
    waited_s: float
    """Until the next start; where it waits for one, until now; where it is over, 0."""


class Ledger(NamedTuple):
    """All of it, in seconds."""

    whole_s: float
    parts_s: Mapping[str, float]
    """``running``, the first wait, and what each cause cost."""
    stops: tuple[Stop, ...]
    between_stops_s: float | None
    """Time run, by interruption: the mean time between failures of this job. None where nothing stopped it."""

    @property
    def goodput(self) -> float:
        """Share of the time since its first start in which it ran. What was computed twice is not in it: Slurm does not know."""
        since = self.whole_s - self.parts_s.get(QUEUED, 0.0)
        return self.parts_s.get(RUNNING, 0.0) / since if since > 0 else 0.0

    @property
    def adds_up(self) -> bool:
        """Whether the parts come to the whole, but for rounding."""
        return abs(sum(self.parts_s.values()) - self.whole_s) < 1e-6 * max(1.0, self.whole_s)


def why(start: Start) -> str:
    """Why a start ended, in words."""
    return start.cause or MEANING.get(start.state, start.state.lower().replace("_", " "))


def of(submitted_s: float, starts: Sequence[Start], now_s: float, *, waiting: bool) -> Ledger:
    """From the starts, in their order. A start that Slurm lets begin before the last one's end counts from there.

    ``waiting``: the job is in the queue now; else what ended last is over.
    """
    parts: defaultdict[str, float] = defaultdict(float)
    stops: list[Stop] = []
    if not starts:
        parts[QUEUED] = max(0.0, now_s - submitted_s) if waiting else 0.0
        return Ledger(parts[QUEUED], dict(parts), (), None)
    at = submitted_s
    waits = QUEUED
    for place, one in enumerate(starts):
        began = max(at, one.started_s)
        parts[waits] += began - at
        if stops and stops[-1].waited_s < 0:
            stops[-1] = stops[-1]._replace(waited_s=began - at)
        ended = max(began, now_s if one.ended_s is None else one.ended_s)
        parts[RUNNING] += ended - began
        at, last = ended, place == len(starts) - 1
        if one.ended_s is not None and not (last and one.state in BY_ITSELF):
            waits = why(one)
            stops.append(Stop(ended, waits, -1.0))
    if stops and stops[-1].waited_s < 0:
        waited = max(0.0, now_s - at) if waiting else 0.0
        stops[-1] = stops[-1]._replace(waited_s=waited)
        parts[waits] += waited
        at += waited
    many = len(stops)
    return Ledger(at - submitted_s, dict(parts), tuple(stops), parts[RUNNING] / many if many else None)
