"""Jobs as `sacct -X -D -n -P -o …` prints them (Slurm 22.05): a line for each run of a job. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from railbed.parse.numbers import integer
from railbed.parse.sacctmgr import GPU, tres
from railbed.parse.slurm import hostlist
from railbed.text import shown

FIELDS = "JobIDRaw,Account,User,AllocTRES,ElapsedRaw,State"


@dataclass(frozen=True)
class AccountedJob:
    """One run of a job: a job that was queued again has several."""

    id: str
    account: str
    user: str
    gpus: int
    seconds: int
    """Within the time that was asked for (``--truncate``)."""
    state: str


def jobs(text: str) -> list[AccountedJob]:
    """One for each line of FIELDS. Raises ValueError for a line that is none."""
    found = []
    for line in text.splitlines():
        fields = line.split("|")
        if len(fields) != 6 or not fields[4].isdecimal():
            raise ValueError(f"not a line of sacct: {line[:120]!r}")
        number, account, user, allocated, seconds, state = fields
        gpus = tres(allocated).get(GPU, "0")
        if not gpus.isdecimal():
            raise ValueError(f"not a number of GPUs: {gpus[:40]!r}")
        found.append(AccountedJob(number, account, user, int(gpus), int(seconds), _state(state)))
    return found


RUN_FIELDS = "JobIDRaw,User,State,Submit,Start,End,NNodes,NodeList,JobName"
"""With SLURM_TIME_FORMAT=%s; the name last, since it may hold anything."""


@dataclass(frozen=True)
class JobRun:
    """One start of a job: a job that was queued again has one for each. Times are seconds since the epoch."""

    id: str
    user: str
    state: str
    """COMPLETED, NODE_FAIL, REQUEUED, …, without who cancelled it."""
    submitted_s: int
    started_s: int | None
    """None where it never ran."""
    ended_s: int | None
    """None while it runs."""
    nodes: tuple[str, ...]
    name: str


def runs(text: str) -> list[JobRun]:
    """Lines of RUN_FIELDS of one job, by their start. Raises ValueError for nodes that are no host list."""
    found = []
    for line in text.splitlines():
        fields = line.split("|", 8)
        submitted = integer(fields[3]) if len(fields) == 9 else None
        if submitted is None:
            continue
        number, user, state, _, start, end, _, where, name = fields
        placed = hostlist(where) if where and where != "None assigned" else ()
        found.append(
            JobRun(
                number, user, _state(state), submitted, integer(start), integer(end), placed, shown(name)
            )
        )  # fmt: skip
    return sorted(found, key=lambda one: (one.submitted_s, one.started_s or 0))


def _state(text: str) -> str:
    """``CANCELLED by 1000``: who did it is not part of the state."""
    return text.split(" ")[0]
