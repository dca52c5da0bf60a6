"""Jobs as `sacct -nP -o …` prints them (Slurm 22.05). Pure."""

from __future__ import annotations

from dataclasses import dataclass

from railbed.parse.sacctmgr import GPU, tres

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
    """One for each line. Raises ValueError for a line that is none."""
    found = []
    for line in text.splitlines():
        fields = line.split("|")
        if len(fields) != 6 or not fields[4].isdecimal():
            raise ValueError(f"not a line of sacct: {line[:120]!r}")
        number, account, user, allocated, seconds, state = fields
        gpus = tres(allocated).get(GPU, "0")
        if not gpus.isdecimal():
            raise ValueError(f"not a number of GPUs: {gpus[:40]!r}")
        # `CANCELLED by 1000`: who did it is not part of the state.
        found.append(AccountedJob(number, account, user, int(gpus), int(seconds), state.split(" ")[0]))
    return found
