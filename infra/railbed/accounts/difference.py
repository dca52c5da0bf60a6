"""Declared accounts against those that are there: the changes, in the order in which they can be made. Pure.

Each change stands for itself: a run that breaks off leaves a state from which the next difference is the rest. Only what
carries railbed's mark is changed or removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from railbed.accounts.changes import Change, Kind
from railbed.accounts.state import State, Taken

OPERATORS = "operators"
"""Account of admins and of railbed's own login: while accounts are enforced, who is in none runs nothing."""
ORDER = list(Kind)


def difference(declared: State, present: State) -> list[Change]:
    """What makes ``present`` as declared; empty where it is so.

    Raises Taken where a declared name is another's, or where an account that is to go has accounts of others below it.
    """
    _refuse_foreign(declared, present)
    changes = [*_qualities(declared, present), *_accounts(declared, present), *_members(declared, present)]
    return sorted(changes, key=lambda change: (ORDER.index(change.kind), change.name, change.user))


def leaving(changes: list[Change]) -> set[tuple[str, str]]:
    """Account and login of who is removed by ``changes``: nobody may have a job there."""
    return {(one.name, one.user) for one in changes if one.kind is Kind.REMOVE_MEMBER}


def _refuse_foreign(declared: State, present: State) -> None:
    accounts = sorted(declared.accounts.keys() & present.foreign_accounts)
    qualities = sorted(declared.qualities.keys() & present.foreign_qualities)
    if accounts or qualities:
        what = f"account {accounts[0]}" if accounts else f"QOS {qualities[0]}"
        raise Taken(
            f"the scheduler has an {what} that railbed did not make" if accounts
            else f"the scheduler has a {what} that railbed did not make",
            found=accounts or qualities, allowed="names that are free, or of what railbed made",
            hint="give the tenant another name, or remove the other one with sacctmgr; nothing was changed",
        )  # fmt: skip
    gone = {
        name: present.below.get(name, frozenset())
        for name in present.accounts.keys() - declared.accounts.keys()
    }
    for name, children in sorted(gone.items()):
        if others := sorted(children - gone.keys()):
            raise Taken(
                f"tenant {name} cannot be removed: accounts that railbed did not make are below its account",
                found=others, allowed="an account with nothing below it",
                hint=f"move {others[0]} with `sacctmgr modify account {others[0]} set parent=root`; nothing was changed",
            )  # fmt: skip


def _qualities(declared: State, present: State) -> Iterator[Change]:
    for name, one in declared.qualities.items():
        if name not in present.qualities:
            yield Change(Kind.ADD_QOS, name, quality=one)
        elif present.qualities[name] != one:
            yield Change(Kind.MODIFY_QOS, name, quality=one)
    for name in present.qualities.keys() - declared.qualities.keys():
        yield Change(Kind.REMOVE_QOS, name)


def _accounts(declared: State, present: State) -> Iterator[Change]:
    for name, one in declared.accounts.items():
        bare = replace(one, members=frozenset())
        if name not in present.accounts:
            yield Change(Kind.ADD_ACCOUNT, name, account=bare)
        elif replace(present.accounts[name], members=frozenset()) != bare:
            yield Change(Kind.MODIFY_ACCOUNT, name, account=bare)
    # Slurm keeps an account that is taken from its last cluster: it goes by itself.
    for name in (present.accounts.keys() | present.bare) - declared.accounts.keys():
        yield Change(Kind.WITHDRAW_ACCOUNT if name in present.elsewhere else Kind.REMOVE_ACCOUNT, name)


def _members(declared: State, present: State) -> Iterator[Change]:
    wanted = {(name, user) for name, one in declared.accounts.items() for user in one.members}
    there = {(name, user) for name, one in present.accounts.items() for user in one.members}
    for name, user in wanted - there:
        yield Change(Kind.ADD_MEMBER, name, user)
    for name, user in there - wanted:
        yield Change(Kind.REMOVE_MEMBER, name, user)
    strangers = {user for _, user in present.foreign_members}
    first: dict[str, str] = {}
    """Of new users, the account that they are added to first, which Slurm takes as default."""
    for name, user in sorted(wanted - there):
        if user not in strangers:
            first.setdefault(user, name)
    for user, account in declared.defaults.items():
        if present.defaults.get(user, first.get(user)) != account:
            yield Change(Kind.SET_DEFAULT, account, user)
