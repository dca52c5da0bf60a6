"""Slurm's accounts, through the controller of a stack: read in one call, changed one call at a time."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from dataclasses import dataclass

from railbed import accounts, ended
from railbed.accounts import Change, State
from railbed.effects.scheduler import Scheduler
from railbed.errors import CommandError
from railbed.parse import sacctmgr

BETWEEN = "-- railbed --"
JOB_FORMAT = "%i|%a|%u|%T"
NOT_FOUND = 2
"""Exit status of getent(1) where a key is not found."""


@dataclass(frozen=True)
class AccountJob:
    """A job that runs or waits."""

    id: str
    account: str
    user: str
    state: str


class SlurmAccounts:
    """Accounts of one stack's cluster. Every method raises CommandError where Slurm or its accounting does not answer."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._cluster = scheduler.remote.contract.name

    def read(self) -> State:
        """The accounts as they are."""
        calls = [
            ["show", "qos", f"format={sacctmgr.QOS_FIELDS}"],
            ["show", "account", f"format={sacctmgr.ACCOUNT_FIELDS}"],
            ["show", "assoc", f"format={sacctmgr.ASSOCIATION_FIELDS}"],
            ["show", "user", f"format={sacctmgr.USER_FIELDS}"],
        ]
        script = f" && echo {shlex.quote(BETWEEN)} && ".join(
            shlex.join(["sacctmgr", "--noheader", "--parsable2", *call]) for call in calls
        )
        text = self._scheduler.run(["sh", "-c", script]).stdout
        try:
            qos, known, associations, users = text.split(f"{BETWEEN}\n", len(calls) - 1)
            return accounts.read(qos, known, associations, users, self._cluster)
        except ValueError as wrong:
            raise CommandError(
                f"sacctmgr on {self._scheduler.controller} printed what nobody can read: {wrong}"
            ) from None

    def make(self, change: Change) -> None:
        """Makes one change."""
        answer = self._scheduler.run(accounts.argv(change, self._cluster), check=False)
        if not answer.ok:
            raise CommandError(
                f"the scheduler's accounts stay half changed: {change.as_text()}: "
                f"{ended.why(answer, 'sacctmgr', self._scheduler.controller)}",
                code="TENANT_HALF", hint="run the same command again: it goes on with the rest",
            )  # fmt: skip

    def jobs(self) -> list[AccountJob]:
        """Jobs that run or wait."""
        text = self._scheduler.run(["squeue", "--noheader", f"--format={JOB_FORMAT}"]).stdout
        rows = (line.split("|") for line in text.splitlines())
        return [AccountJob(*row) for row in rows if len(row) == 4]

    def group(self, name: str) -> frozenset[str] | None:
        """Members of a group, as the controller knows them; None where it does not find the group."""
        answer = self._scheduler.run(["getent", "group", "--", name], check=False)
        if answer.returncode == NOT_FOUND:
            return None
        if not answer.ok:
            raise CommandError(ended.why(answer, "getent", self._scheduler.controller))
        return frozenset(one for one in answer.stdout.strip().rpartition(":")[2].split(",") if one)

    def unknown(self, logins: Collection[str]) -> set[str]:
        """Which of these are nobody's login on the controller."""
        if not logins:
            return set()
        answer = self._scheduler.run(["getent", "passwd", "--", *sorted(logins)], check=False)
        if answer.returncode not in (0, NOT_FOUND):
            raise CommandError(ended.why(answer, "getent", self._scheduler.controller))
        return set(logins) - {line.partition(":")[0] for line in answer.stdout.splitlines()}
