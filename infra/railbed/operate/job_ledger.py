"""Where the time of one job went: Slurm's accounts of its starts, and what the journal says of the nodes that failed under it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median

from railbed.claims import FrozenModel
from railbed.defaults import DAY_S
from railbed.effects.journal_index import Entry, Index
from railbed.effects.scheduler import Scheduler
from railbed.errors import UsageError
from railbed.laws import ledger
from railbed.operate import past
from railbed.parse.sacct import JobRun

BEFORE_S, AFTER_S = 3600.0, DAY_S
"""Around the end of a start: what was found wrong with one of its nodes then is taken for the cause. A node may be out for an
hour before Slurm gives up on it, and is repaired within the day."""
INTERRUPTED = frozenset({"NODE_FAIL", "BOOT_FAIL", "REQUEUED", "FAILED"})
JOB = re.compile(r"[0-9]{1,12}(_[0-9]{1,9})?")


class Interruption(FrozenModel):
    """One, as `railbed job ledger --json` prints it."""

    at: str
    why: str
    waited_s: float
    """Until it ran again, or until now."""


class Repair(FrozenModel):
    """Of one of its nodes while the job lived, from the drain to its end."""

    node: str
    at: str
    ended: str
    """Empty while it goes on."""
    hours: float | None
    outcome: str


class JobLedger(FrozenModel):
    """As `railbed job ledger --json` prints it."""

    job: str
    user: str
    name: str
    state: str
    starts: int
    nodes: list[str]
    """Of its last start."""
    whole_s: float
    """From its submission to its end, or to now; ``parts_s`` add up to it."""
    parts_s: dict[str, float]
    goodput: float
    """Share of the time since its first start in which it ran."""
    between_stops_s: float | None
    interruptions: list[Interruption]
    repairs: list[Repair]
    repair_hours: float | None
    """Median of those that ended; None where none did."""


def read(scheduler: Scheduler, index: Index, job: str, now: datetime) -> JobLedger:
    """Raises UsageError for what is no job's number, for an array as a whole, and for a job that the accounts do not know."""
    if not JOB.fullmatch(job):
        raise UsageError(
            "that is no number of a job", found=job[:80], allowed="12345, or 12345_7 of an array"
        )
    runs = scheduler.runs(job)
    if not runs:
        raise UsageError(
            "Slurm's accounts do not know this job", code="JOB_UNKNOWN", found=job, allowed="a job of this cluster",
            hint="`sacct -X -D -j NUMBER` on the controller; accounts are kept as long as slurmdbd's purge says",
        )  # fmt: skip
    if len({one.id for one in runs}) > 1:
        raise UsageError(
            "several jobs have this number", code="JOB_ARRAY", found=job, allowed="one task of an array",
            hint=f"railbed job ledger {job}_0",
        )  # fmt: skip
    return of(runs, index, now)


def of(runs: Sequence[JobRun], index: Index, now: datetime) -> JobLedger:
    """From the starts of one job. Pure."""
    last = runs[-1]
    starts = [
        ledger.Start(one.started_s, one.ended_s, one.state, one.nodes, cause(one, index))
        for one in runs
        if one.started_s is not None
    ]
    submitted_s = min(one.submitted_s for one in runs)
    found = ledger.of(submitted_s, starts, now.timestamp(), waiting=last.state == "PENDING")
    names = dict.fromkeys(name for one in runs for name in one.nodes)
    since = datetime.fromtimestamp(runs[0].submitted_s, UTC)
    repairs = [one for name in names for one in repairs_of(index.of(name), name, since)]
    hours = [one.hours for one in repairs if one.hours is not None]
    return JobLedger(
        job=last.id, user=last.user, name=last.name, state=last.state, starts=len(starts), nodes=list(last.nodes),
        whole_s=found.whole_s, parts_s=dict(found.parts_s), goodput=round(found.goodput, 6),
        between_stops_s=found.between_stops_s,
        interruptions=[
            Interruption(at=_iso(one.at_s), why=one.why, waited_s=one.waited_s) for one in found.stops
        ],
        repairs=sorted(repairs, key=lambda one: (one.at, one.node)), repair_hours=median(hours) if hours else None,
    )  # fmt: skip


def cause(run: JobRun, index: Index) -> str:
    """What was found wrong with one of its nodes about the time it ended, or that the node was swapped then; empty where neither
    was, or it ended by itself."""
    if run.ended_s is None or run.state not in INTERRUPTED:
        return ""
    for name in run.nodes:
        for entry in index.of(name):
            at = past.moment(entry.at) if entry.kind == "swap-at-stop" else None
            if at and entry.event.get("job") == run.id and abs(at.timestamp() - run.ended_s) <= BEFORE_S:
                return f"{name} was swapped at a checkpoint"
    for name in run.nodes:
        for entry in index.of(name):
            at = past.moment(entry.at)
            if at is None or entry.kind != "repair-causes" or not entry.event.get("causes"):
                continue
            if -BEFORE_S <= at.timestamp() - run.ended_s <= AFTER_S:
                return f"{', '.join(map(str, entry.event['causes']))} on {name}"
    return ""


def repairs_of(entries: Iterable[Entry], name: str, since: datetime) -> list[Repair]:
    """Repairs of a node; newest first in, oldest first out. One that was begun anew is one."""
    found: list[Repair] = []
    begun: Entry | None = None
    for entry in reversed(list(entries)):
        at = past.moment(entry.at)
        if at is None or at < since - timedelta(seconds=BEFORE_S):
            continue
        if entry.kind == past.REPAIR and begun is None:
            begun = entry
        elif begun is not None and entry.kind in ("repair-resumed", past.RETURN, past.RESUME):
            start = past.moment(begun.at)
            hours = (at - start).total_seconds() / 3600 if start else None
            found.append(
                Repair(node=name, at=begun.at, ended=entry.at, hours=hours, outcome="back in service")
            )
            begun = None
    if begun is not None:
        found.append(Repair(node=name, at=begun.at, ended="", hours=None, outcome="still out"))
    return found


def _iso(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds")
