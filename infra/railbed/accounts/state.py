"""Accounts, QOS and members of one cluster, declared or read. Pure.

What railbed made carries a mark: the account's organization, the beginning of the QOS's description. An account with the mark
is railbed's whole, members too: associations have no field for a mark (Slurm 22.05).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from railbed.errors import RailbedError
from railbed.parse import sacctmgr

MARK = "railbed"


class Taken(RailbedError):
    """An account or a QOS of a declared name is there already, and railbed did not make it."""

    code = "TENANT_TAKEN"


@dataclass(frozen=True)
class Quality:
    """The QOS of one tenant; limits that are None are none."""

    name: str
    priority: int = 0
    gpu_minutes: int | None = None
    """Budget that is used up for good (flag NoDecay)."""
    gpus_per_user: int | None = None
    wall_minutes: int | None = None
    flags: frozenset[str] = frozenset({"DenyOnLimit", "NoDecay"})


@dataclass(frozen=True)
class Account:
    """An account below ``root``, with who is in it."""

    name: str
    share: int = 1
    gpus: int | None = None
    qos: str = "normal"
    members: frozenset[str] = frozenset()


@dataclass(frozen=True)
class State:
    """What is railbed's of one cluster's accounts, and as much of the rest as decides what may be done."""

    qualities: Mapping[str, Quality] = field(default_factory=dict)
    accounts: Mapping[str, Account] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    """Login → default account, of who is in an account of railbed's."""
    foreign_accounts: frozenset[str] = frozenset()
    foreign_qualities: frozenset[str] = frozenset()
    foreign_members: frozenset[tuple[str, str]] = frozenset()
    """Account and login: associations in accounts that railbed did not make."""
    below: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Account of railbed's → accounts that somebody put below it."""
    elsewhere: frozenset[str] = frozenset()
    """Accounts of railbed's that another cluster of the same accounts has too."""
    bare: frozenset[str] = frozenset()
    """Accounts of railbed's that no cluster has any more."""


def read(qos: str, accounts: str, associations: str, users: str, cluster: str) -> State:
    """Of one cluster, from what four calls of `sacctmgr` printed. Raises ValueError where one cannot be read."""
    qualities = sacctmgr.qos(qos)
    known = sacctmgr.accounts(accounts)
    own = {name for name, (_, organization) in known.items() if organization == MARK}
    everywhere = sacctmgr.associations(associations)
    found = [one for one in everywhere if one.cluster == cluster]
    heads = {one.account: one for one in found if not one.user}
    members = [one for one in found if one.user]
    defaults = sacctmgr.default_accounts(users)
    marked = {name for name, one in qualities.items() if one.description == MARK}
    return State(
        qualities={
            name: Quality(name, one.priority, one.gpu_minutes, one.gpus_per_user, one.wall_minutes, one.flags)
            for name, one in qualities.items()
            if name in marked
        },
        # One without an association of this cluster is another cluster's, or nobody's: a next `add` makes it whole.
        accounts={name: _account(heads[name], members) for name in sorted(own & heads.keys())},
        defaults={
            one.user: defaults[one.user] for one in members if one.account in own and one.user in defaults
        },
        foreign_accounts=frozenset(known.keys() - own),
        foreign_qualities=frozenset(qualities.keys() - marked),
        foreign_members=frozenset((one.account, one.user) for one in members if one.account not in own),
        below=_below(heads.values(), own),
        elsewhere=frozenset(
            one.account for one in everywhere if one.cluster != cluster and one.account in own
        ),
        bare=frozenset(own - {one.account for one in everywhere}),
    )


def _account(head: sacctmgr.Association, members: list[sacctmgr.Association]) -> Account:
    return Account(
        name=head.account, share=head.share if isinstance(head.share, int) else 1, gpus=head.gpus,
        # More than one, or another default than the one that is allowed, differs from every declared account.
        qos=head.default_qos if head.qos == {head.default_qos} else ",".join(sorted(head.qos)),
        members=frozenset(one.user for one in members if one.account == head.account),
    )  # fmt: skip


def _below(heads: Iterable[sacctmgr.Association], own: set[str]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for one in heads:
        if one.parent in own:
            found.setdefault(one.parent, set()).add(one.account)
    return {name: frozenset(children) for name, children in found.items()}
