"""A week of a cluster for who answers for it: what broke, what mended it, what jobs lost to it, and how sound the cluster is now.

Pure, save `certified`, `ledgers` and `gather`, which read the stack's records and Slurm's accounts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from statistics import median

from pydantic import Field

from railbed.catalog import ORDER
from railbed.claims import WORKERS, FrozenModel
from railbed.defaults import DAY_S
from railbed.effects.journal_index import Entry
from railbed.effects.scheduler import Scheduler
from railbed.effects.workspace import Workspace
from railbed.errors import RailbedError
from railbed.operate import job_ledger, ladder, past, summary
from railbed.operate.job_ledger import JobLedger, Repair
from railbed.operate.picture import Picture
from railbed.operate.summary import Summary
from railbed.validate import certificate, history
from railbed.validate.history import Run

JOBS_MOST = 5
"""Running jobs whose ledger is read: those on most nodes."""
NO_CODE = "no fault reported"


class Cause(FrozenModel):
    """What repairs found."""

    code: str
    repairs: int
    nodes: list[str]


class Rung(FrozenModel):
    """How often a rung of the ladder was taken."""

    rung: str
    taken: int
    nodes: int


class Certified(FrozenModel):
    """The standing certificate; ``why`` there is none, and nothing else, where there is none."""

    issued_at: str = ""
    expires: str = ""
    age_days: float | None = None
    left_days: float | None = None
    accepted_unproven: dict[str, str] = Field(default_factory=dict)
    """Claim → reason."""
    why: str = ""


class Weekly(FrozenModel):
    """As `railbed report weekly --json` prints it."""

    cluster: str
    stack: str
    simulated: bool
    days: float
    summary: Summary
    causes: list[Cause]
    rungs: list[Rung]
    repairs_by_day: dict[str, int]
    """Day (UTC) → repairs that began."""
    repair_hours: float | None
    """Median from a repair's drain to its node's return, of those that returned in this time."""
    node_days: float
    """Nodes that run jobs, times the days."""
    between_repairs_node_days: float | None
    """Mean node-days between two repairs; None where there was none."""
    jobs: list[JobLedger]
    jobs_unread: str
    """Why no ledger was read, where one was asked for."""
    certificate: Certified
    validations: list[Run]
    """Those in this time, oldest first."""


def gather(
    work: Workspace, scheduler: Scheduler, seen: Picture, days: float, jobs: Collection[str]
) -> Weekly:
    """Of the last ``days``; ``jobs``: numbers whose ledgers are wanted, besides those of the largest jobs that run now."""
    wanted = list(dict.fromkeys([*jobs, *largest(seen)]))
    found, unread = ledgers(scheduler, seen, wanted)
    return of(seen, days, found, unread, certified(work, seen.now), history.read(work))


def certified(work: Workspace, now: datetime) -> Certified:
    """What the stack's certificate says of itself; one whose signature does not hold is none."""
    try:
        said = certificate.of_stack(work)
    except RailbedError as lacking:
        return Certified(why=lacking.message)
    issued, expires = datetime.fromisoformat(said.issued_at), datetime.fromisoformat(said.expires)
    return Certified(
        issued_at=said.issued_at, expires=said.expires, age_days=round((now - issued).total_seconds() / DAY_S, 1),
        left_days=round((expires - now).total_seconds() / DAY_S, 1), accepted_unproven=dict(said.accepted_unproven),
    )  # fmt: skip


def ledgers(scheduler: Scheduler, seen: Picture, jobs: Iterable[str]) -> tuple[list[JobLedger], str]:
    """Ledgers of jobs, and why one was not read. Accounts that do not answer leave the rest of a report as it is."""
    found: list[JobLedger] = []
    for job in jobs:
        try:
            found.append(job_ledger.read(scheduler, seen.index, job, seen.now))
        except RailbedError as silent:
            return found, f"job {job}: {silent.message}"
    return found, ""


def of(
    seen: Picture,
    days: float,
    jobs: list[JobLedger],
    unread: str,
    certificate_: Certified,
    runs: Iterable[Run],
) -> Weekly:
    """From what is known. Pure."""
    window_s = days * DAY_S
    since = seen.now - timedelta(seconds=window_s)
    begun = _recent(seen, past.REPAIR, window_s)
    nodes = len(seen.contract.with_role(*WORKERS))
    repairs = _repairs(seen, {str(one.event.get("node")) for one in begun}, since)
    hours = [one.hours for one in repairs if one.hours is not None]
    return Weekly(
        cluster=seen.contract.name, stack=seen.contract.stack, simulated=seen.contract.simulated, days=days,
        summary=summary.of(seen, days), causes=_causes(seen, window_s), rungs=_rungs(seen, window_s),
        repairs_by_day=_by_day(begun, since, seen.now), repair_hours=round(median(hours), 2) if hours else None,
        node_days=round(nodes * days, 1), between_repairs_node_days=round(nodes * days / len(repairs), 1) if repairs else None,
        jobs=jobs, jobs_unread=unread, certificate=certificate_,
        validations=[one for one in runs if (at := past.moment(one.started)) and since <= at <= seen.now],
    )  # fmt: skip


def largest(seen: Picture) -> list[str]:
    """Numbers of the jobs on most nodes that run now, at most JOBS_MOST."""
    nodes = Counter(job.id for held in seen.jobs.values() for job in held if job.state == "RUNNING")
    return [job for job, _ in nodes.most_common(JOBS_MOST)]


def _recent(seen: Picture, kind: str, window_s: float) -> list[Entry]:
    return list(past.recent(seen.index.kinds([kind]), seen.now, window_s))


def _causes(seen: Picture, window_s: float) -> list[Cause]:
    found: dict[str, list[str]] = {}
    for entry in _recent(seen, "repair-causes", window_s):
        for code in entry.event.get("causes") or [NO_CODE]:
            found.setdefault(str(code), []).append(str(entry.event.get("node")))
    counted = [
        Cause(code=code, repairs=len(names), nodes=sorted(set(names))) for code, names in found.items()
    ]
    return sorted(counted, key=lambda one: (-one.repairs, one.code))


def _rungs(seen: Picture, window_s: float) -> list[Rung]:
    found: dict[str, list[str]] = {}
    for entry in _recent(seen, ladder.BEGUN, window_s):
        found.setdefault(str(entry.event.get("rung")), []).append(str(entry.event.get("node")))
    order = [str(rung) for rung in ORDER]
    known = sorted(found, key=lambda rung: (order.index(rung) if rung in order else len(order), rung))
    return [Rung(rung=rung, taken=len(found[rung]), nodes=len(set(found[rung]))) for rung in known]


def _by_day(begun: Iterable[Entry], since: datetime, now: datetime) -> dict[str, int]:
    days = {(since + timedelta(days=place)).date() for place in range((now - since).days + 1)} | {now.date()}
    counted = Counter(at.date() for one in begun if (at := past.moment(one.at)))
    return {day.isoformat(): counted[day] for day in sorted(days | set(counted))}


def _repairs(seen: Picture, names: Iterable[str], since: datetime) -> list[Repair]:
    """Those that began in the time; one that was begun anew is one."""
    found = [one for name in names for one in job_ledger.repairs_of(seen.index.of(name), name, since)]
    return [one for one in found if (at := past.moment(one.at)) and at >= since]
