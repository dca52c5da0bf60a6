"""Tenants of a running cluster: the scheduler's accounts as the contract declares them.

Nothing is changed where a tenant or a member with jobs would go, or where a name is another's; a run that broke off is gone on
with by the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from railbed import accounts
from railbed.accounts import OPERATORS, Account, Change, Quality, State
from railbed.contract import Contract, Tenancy
from railbed.effects.accounts import AccountJob, SlurmAccounts
from railbed.effects.journal import Journal
from railbed.effects.remote import Remote
from railbed.effects.scheduler import Scheduler
from railbed.effects.workspace import Workspace
from railbed.errors import UsageError
from railbed.text import few

Say = Callable[[str], None]
EVENT = "tenants"
"""Of the journal."""


@dataclass(frozen=True)
class Look:
    """Declared accounts against those that are there."""

    declared: State
    present: State
    changes: list[Change] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What could not be told, and what is left as it is for that."""
    jobs: list[AccountJob] = field(default_factory=list)
    """Of who would be removed."""


def accounts_of(work: Workspace, contract: Contract) -> SlurmAccounts:
    """The scheduler's accounts of a stack. Raises ContractError ``NO_SCHEDULER`` without Slurm."""
    return SlurmAccounts(Scheduler(Remote(work, contract)))


def declare(
    tenancy: Tenancy | None, operators: frozenset[str], groups: Mapping[str, frozenset[str] | None],
    unknown: frozenset[str], present: State,
) -> tuple[State, list[str]]:  # fmt: skip
    """The state that is wanted, and notes. Pure.

    ``groups``: members of groups of the directory, None where it does not tell; who is a member then stays one. ``unknown``:
    logins that nobody has; who is a member already stays one, and nobody is added.
    """
    if tenancy is None or not tenancy.tenants:
        return State(), []
    notes: list[str] = []
    found: dict[str, Account] = {}
    qualities: dict[str, Quality] = {}
    defaults: dict[str, str] = {}
    for one in tenancy.tenants:
        there = present.accounts[one.name].members if one.name in present.accounts else frozenset()
        members = frozenset(one.members)
        if one.directory_group:
            theirs = groups[one.directory_group]
            if theirs is None:
                notes.append(
                    f"tenant {one.name}: the controller does not find group {one.directory_group}; members stay as they are"
                )
                theirs = there - unknown
            members |= theirs
        if strangers := sorted((members & unknown) - there):
            notes.append(f"tenant {one.name}: the controller knows nobody called {few(strangers)}; not added")
        members -= frozenset(strangers)
        qualities[one.name] = Quality(
            one.name, one.priority, one.gpu_minutes, one.gpus_per_user, one.job_minutes
        )
        found[one.name] = Account(one.name, one.share, one.gpus, one.name, members)
        for login in members:
            defaults.setdefault(login, one.name)
    found[OPERATORS] = Account(OPERATORS, members=operators)
    for login in operators:
        defaults.setdefault(login, OPERATORS)
    return State(qualities, found, defaults), notes


def look(contract: Contract, slurm: SlurmAccounts, tenancy: Tenancy | None) -> Look:
    """Reads, and changes nothing. ``tenancy``: what is wanted; the contract's own, or that of a stack file.

    Raises Taken for a name that is another's, CommandError where Slurm does not answer.
    """
    present = slurm.read()
    tenants = tenancy.tenants if tenancy else []
    groups = {one.directory_group: slurm.group(one.directory_group) for one in tenants if one.directory_group}
    asked = {login for one in tenants for login in one.members} | {
        login for members in groups.values() for login in members or ()
    }
    local = contract.admins.keys() | (tenancy.users.keys() if tenancy else set())
    unknown = frozenset(slurm.unknown(asked - local))
    # railbed itself is root there; a person who comes with its key is not.
    login = contract.with_role("controller")[0].ssh.user
    operators = frozenset({*contract.admins, login} - {"root"})
    declared, notes = declare(tenancy, operators, groups, unknown, present)
    changes = accounts.difference(declared, present)
    going = accounts.leaving(changes)
    jobs = [job for job in slurm.jobs() if (job.account, job.user) in going] if going else []
    return Look(declared, present, changes, notes, jobs)


def require_free(seen: Look) -> None:
    """Raises UsageError ``TENANT_JOBS`` where somebody who would be removed still has jobs."""
    if not seen.jobs:
        return
    who = sorted({f"{job.user} of {job.account}" for job in seen.jobs})
    raise UsageError(
        f"{few(who)} would be removed and still has jobs", code="TENANT_JOBS", path="railbed:cluster.tenants",
        found=[job.id for job in seen.jobs], allowed="a tenant, and a member, without jobs that run or wait",
        hint=f"wait for them, or end them: `scancel {' '.join(job.id for job in seen.jobs[:8])}`; nothing was changed",
    )  # fmt: skip


def concern(contract: Contract, work: Workspace) -> bool:
    """Whether the scheduler has accounts of railbed's to look after: declared ones, or ones that it made before."""
    if contract.scheduler != "slurm":
        return False
    return bool(contract.tenancy and contract.tenancy.tenants) or any(
        event.get("event") == EVENT for event in Journal(work.journal_file).read()
    )


def reconcile(contract: Contract, work: Workspace, say: Say) -> list[Change]:
    """Makes the scheduler's accounts as the contract declares them; gives what was changed.

    Raises as `look` and `require_free` do before anything is changed, CommandError ``TENANT_HALF`` where a change fails.
    """
    slurm = accounts_of(work, contract)
    seen = look(contract, slurm, contract.tenancy)
    require_free(seen)
    for note in seen.notes:
        say(note)
    if seen.changes:
        Journal(work.journal_file).write(EVENT, changes=[change.as_text() for change in seen.changes])
    for change in seen.changes:
        slurm.make(change)
        say(f"accounts: {change.as_text()}")
    return seen.changes
