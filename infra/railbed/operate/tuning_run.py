"""Runs a search for settings of NCCL: pairs of starts in a reservation, each written down before the next.

A candidate's settings are in the environment of its own start and nowhere else, so a search that is killed leaves nothing to take
back; the same command goes on from the pairs that were written down.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from statistics import fmean
from typing import Any

from pydantic import Field

from railbed.claims import FrozenModel
from railbed.contract import Contract
from railbed.effects.journal import Journal, now_iso
from railbed.effects.remote import Remote, write_ssh_files
from railbed.effects.scheduler import Scheduler
from railbed.effects.workspace import Workspace
from railbed.errors import UnprovenError
from railbed.judge import gains, halving, nccl_log
from railbed.judge.gains import Answer, Gain
from railbed.judge.halving import Point, Wanted
from railbed.operate import picture, tuning
from railbed.operate.tuning import Search
from railbed.parse import nccl_tests
from railbed.validate import collective_programs, collective_start
from railbed.validate.answers import Answers
from railbed.validate.conditions import watch, words
from railbed.validate.scope import Scope
from railbed.validate.validation_run import ValidationRun

Say = Callable[[str], None]
TRIES = 2
"""Of a start that comes to no end: once may be the scheduler's or the network's doing."""
FOLDER = "tuning"
EXPIRES_WITH = ("nccl", "nvidia_driver", "ofed", "libfabric", "net_plugin", "gib")
"""Components whose change ends what was measured."""


class Refused(Exception):
    """Why a start proves nothing, in words."""


class Tuned(FrozenModel):
    """What a search came to."""

    complete: bool
    """False where the time was up: the same command goes on."""
    stack: str
    simulated: bool
    machine: str
    nodes: list[str]
    collective: str
    size_bytes: int
    present: dict[str, str]
    versions: dict[str, str]
    candidates: int
    pairs: int
    """Measured, of all candidates."""
    disturbed: int
    """Of them under bad conditions; they count like the others, and widen the interval."""
    rejected: dict[str, str] = Field(default_factory=dict)
    """Candidate → why."""
    screened: dict[str, float] = Field(default_factory=dict)
    """Candidate → mean effect while it was chosen among others; no result."""
    best: str = ""
    """The candidate that was confirmed."""
    settings: dict[str, str] = Field(default_factory=dict)
    gain: Gain | None = None
    baseline_gbytes_per_s: float | None = None
    """Mean bus bandwidth of the baseline beside the candidate that was confirmed."""
    started: str
    ended: str
    points: str
    """File of the pairs."""

    def entry(self) -> dict[str, Any] | None:
        """The entry of a spec's ``tuning`` that takes the winner over; None where nothing was gained."""
        if self.gain is None or self.gain.answer is not Answer.GAIN:
            return None
        effect, low, high = (round(100 * one, 2) for one in (self.gain.effect, self.gain.low, self.gain.high))
        return {
            "machine": self.machine, "settings": self.settings, "collective": self.collective, "nodes": len(self.nodes),
            "effect_percent": effect, "low_percent": max(low, 0.01), "high_percent": high, "pairs": self.gain.pairs,
            "measured": self.ended[:10],
            "versions": {name: self.versions[name] for name in EXPIRES_WITH if name in self.versions},
        }  # fmt: skip


class Points:
    """The pairs of one search, in a file of their own."""

    def __init__(self, work: Workspace, search: Search) -> None:
        self.journal = Journal(work.dir / FOLDER / f"collectives-{search.digest}.jsonl")
        self.started, self.disturbed, self.points = now_iso(), 0, list[Point]()
        events = list(self.journal.read())
        begun = [at for at, event in enumerate(events) if event["event"] == "begun"]
        ended = [at for at, event in enumerate(events) if event["event"] == "ended"]
        if not begun or (ended and ended[-1] > begun[-1]):
            self.journal.write("begun", collective=search.collective, nodes=list(search.nodes))
            return
        self.started = str(events[begun[-1]]["at"])
        for event in events[begun[-1] + 1 :]:
            self._take(event)

    def _take(self, event: Mapping[str, object]) -> None:
        name, stage = str(event["candidate"]), event["stage"]
        assert stage in ("screen", "confirm")
        if event["event"] == "rejected":
            self.points.append(Point(name, stage, rejected=str(event["why"])))
            return
        pair = (float(str(event["baseline"])), float(str(event["measured"])))
        self.points.append(Point(name, stage, pair))
        self.disturbed += bool(event["conditions"])

    def pair(self, wanted: Wanted, pair: gains.Pair, conditions: str) -> None:
        self.journal.write(
            "pair", candidate=wanted.candidate, stage=wanted.stage, baseline=pair[0], measured=pair[1],
            conditions=conditions,
        )  # fmt: skip
        self.points.append(Point(wanted.candidate, wanted.stage, pair))
        self.disturbed += bool(conditions)

    def reject(self, wanted: Wanted, why: str) -> None:
        self.journal.write("rejected", candidate=wanted.candidate, stage=wanted.stage, why=why)
        self.points.append(Point(wanted.candidate, wanted.stage, rejected=why))


def run(contract: Contract, work: Workspace, search: Search, minutes: int, say: Say) -> Tuned:
    """Measures until the search is over or ``minutes`` are. The caller holds the stack's lock.

    Raises UsageError ``TUNE_BUSY`` where nodes are not idle, CommandError where Slurm does not answer, UnprovenError
    ``TUNE_BASELINE`` where the nodes' own settings give no sound result.
    """
    if not work.ssh_config.exists():
        write_ssh_files(work, contract)
    scheduler = Scheduler(Remote(work, contract))
    tuning.require_idle(picture.take(contract, work, scheduler), search.nodes)
    kept, names = Points(work, search), list(search.candidates)
    deadline, longest = time.monotonic() + 60 * minutes, 0.0
    slack = 2 * TRIES * collective_programs.limit_s(search.machine, len(search.nodes)) // 60 + 1
    with held(scheduler, search, minutes + slack):
        validation = ValidationRun(
            contract, scheduler.remote, Scope(()), Answers(Scope(())), work.dir / FOLDER, say,
            scheduler=scheduler, reserved=frozenset(search.nodes), reservation=tuning.RESERVATION,
        )  # fmt: skip
        while (wanted := halving.upcoming(names, kept.points)) and time.monotonic() + longest < deadline:
            began = time.monotonic()
            _pair(validation, search, wanted, kept, say)
            longest = max(longest, time.monotonic() - began)
    found = _result(contract, search, kept, complete=halving.upcoming(names, kept.points) is None)
    if found.complete:
        kept.journal.write("ended", best=found.best, answer=str(found.gain.answer) if found.gain else "")
        Journal(work.journal_file).write(
            "tuned", stack=work.stack, collective=search.collective, best=found.best,
            answer=str(found.gain.answer) if found.gain else "all rejected", points=found.points,
        )  # fmt: skip
    return found


@contextmanager
def held(scheduler: Scheduler, search: Search, minutes: int) -> Iterator[None]:
    """Keeps users' jobs from the nodes meanwhile. One that a killed search left is ended first."""
    scheduler.release(search.nodes, tuning.RESERVATION)
    scheduler.reserve_idle(search.nodes, tuning.RESERVATION, minutes)
    try:
        yield
    finally:
        scheduler.release(search.nodes, tuning.RESERVATION)


def _pair(validation: ValidationRun, search: Search, wanted: Wanted, kept: Points, say: Say) -> None:
    """Measures baseline and candidate side by side, and writes the pair down, or why the candidate is out."""
    settings = search.candidates[wanted.candidate]
    first = gains.candidate_first(wanted.index)
    measured: dict[bool, float] = {}
    with watch(validation.remote, search.nodes) as seen:
        for tuned in (first, not first):
            try:
                measured[tuned] = _start(validation, search, settings if tuned else {})
            except Refused as why:
                if not tuned:
                    raise UnprovenError(
                        f"the nodes' own settings give no sound result: {why}", code="TUNE_BASELINE",
                        found=str(why), hint="`railbed validate --claim 'collective.*'` says what is wrong; mend that first",
                    ) from None  # fmt: skip
                kept.reject(wanted, str(why))
                say(f"{wanted.candidate}: rejected: {why}")
                return
    pair = (measured[False], measured[True])
    kept.pair(wanted, pair, words(seen.problems()))
    ratio = pair[1] / pair[0] - 1
    say(
        f"{wanted.candidate}: {wanted.stage} {wanted.index + 1}: {pair[0]:.5g} → {pair[1]:.5g} GB/s ({ratio:+.1%})"
    )


def _start(validation: ValidationRun, search: Search, settings: Mapping[str, str]) -> float:
    """Bus bandwidth of one start, GB/s. Raises Refused for wrong data, at once, and where none of TRIES came to its end."""
    given = [f"{name}={value}" for name, value in settings.items()]
    problem = ""
    for _ in range(TRIES):
        start = collective_start.run(
            validation, search.machine, search.collective, search.nodes, [search.size_bytes], counted=False,
            settings=given,
        )  # fmt: skip
        tables = [one for one in nccl_tests.read(start.stdout).tables if one.rows]
        if wrong := sum(map(nccl_log.wrong_elements, tables)):
            raise Refused(f"{wrong} elements with wrong data")
        rate = tables[-1].rows[-1].out_of_place.busbw_gbytes_per_s if tables else None
        if not start.problem and rate and sorted(tables[-1].nodes) == sorted(search.nodes):
            return rate
        problem = start.problem or "no rate, or of other nodes"
    raise Refused(problem)


def _result(contract: Contract, search: Search, kept: Points, *, complete: bool) -> Tuned:
    names = list(search.candidates)
    won = halving.winner(names, kept.points)
    best, gain = won or ("", None)
    ratios: dict[str, list[float]] = {}
    for point in kept.points:
        if point.stage == "screen" and not point.rejected:
            ratios.setdefault(point.candidate, []).append(point.pair[1] / point.pair[0] - 1)
    beside = [
        p.pair[0] for p in kept.points if p.candidate == best and p.stage == "confirm" and not p.rejected
    ]
    return Tuned(
        complete=complete, stack=contract.stack, simulated=contract.simulated, machine=search.machine.key,
        nodes=list(search.nodes), collective=search.collective, size_bytes=search.size_bytes,
        present=dict(search.present), versions=dict(search.versions), candidates=len(names),
        pairs=sum(not point.rejected for point in kept.points), disturbed=kept.disturbed,
        rejected={point.candidate: point.rejected for point in kept.points if point.rejected},
        screened={name: fmean(some) for name, some in ratios.items()},
        best=best, settings=dict(search.candidates[best]) if best else {}, gain=gain,
        baseline_gbytes_per_s=fmean(beside) if best else None, started=kept.started, ended=now_iso(),
        points=str(kept.journal.path),
    )  # fmt: skip
