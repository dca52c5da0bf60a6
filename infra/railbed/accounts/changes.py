"""One change of Slurm's accounts, and what the accounts are after it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from railbed.accounts.state import Account, Quality, State


class Kind(StrEnum):
    """In the order in which changes are made: what others refer to comes first and goes last."""

    ADD_QOS = "add-qos"
    MODIFY_QOS = "modify-qos"
    ADD_ACCOUNT = "add-account"
    MODIFY_ACCOUNT = "modify-account"
    ADD_MEMBER = "add-member"
    SET_DEFAULT = "set-default"
    REMOVE_MEMBER = "remove-member"
    WITHDRAW_ACCOUNT = "withdraw-account"
    """From this cluster; another one has it too."""
    REMOVE_ACCOUNT = "remove-account"
    REMOVE_QOS = "remove-qos"


@dataclass(frozen=True)
class Change:
    """One call of `sacctmgr`."""

    kind: Kind
    name: str
    """Of the QOS or the account; of a default, the account."""
    user: str = ""
    quality: Quality | None = None
    account: Account | None = None
    """Without members: each is a change of its own."""

    def as_text(self) -> str:
        """For people."""
        if self.quality is not None:
            one = self.quality
            limits = {
                "priority": one.priority or None, "GPU-minutes": one.gpu_minutes, "GPUs a user": one.gpus_per_user,
                "minutes a job": one.wall_minutes,
            }  # fmt: skip
            return f"{self.kind} {self.name}{_said(limits)}"
        if self.account is not None:
            return f"{self.kind} {self.name}{_said({'share': self.account.share, 'GPUs': self.account.gpus})}"
        return " ".join(word for word in (self.kind, self.user, "in" if self.user else "", self.name) if word)


def _said(limits: dict[str, int | None]) -> str:
    said = [f"{name} {value}" for name, value in limits.items() if value is not None]
    return f" ({', '.join(said)})" if said else ""


def apply(state: State, change: Change) -> State:
    """The state after ``change``, as Slurm does it."""
    kind, name = change.kind, change.name
    qualities, accounts, defaults = dict(state.qualities), dict(state.accounts), dict(state.defaults)
    bare = state.bare
    if kind in (Kind.ADD_QOS, Kind.MODIFY_QOS):
        assert change.quality is not None
        qualities[name] = change.quality
    elif kind is Kind.REMOVE_QOS:
        del qualities[name]
    elif kind in (Kind.ADD_ACCOUNT, Kind.MODIFY_ACCOUNT):
        assert change.account is not None
        before = accounts.get(name)
        accounts[name] = replace(change.account, members=before.members if before else frozenset())
        bare -= {name}
    elif kind is Kind.WITHDRAW_ACCOUNT:
        del accounts[name]
    elif kind is Kind.REMOVE_ACCOUNT:
        accounts.pop(name, None)
        bare -= {name}
    elif kind is Kind.SET_DEFAULT:
        defaults[change.user] = name
    else:
        members = {change.user}
        here = accounts[name]
        added = kind is Kind.ADD_MEMBER
        accounts[name] = replace(here, members=here.members | members if added else here.members - members)
        if added:
            # A new user's first account is the default; who is somebody elsewhere keeps that one.
            elsewhere = any(user == change.user for _, user in state.foreign_members)
            defaults.setdefault(change.user, "" if elsewhere else name)
        elif not any(change.user in one.members for one in accounts.values()):
            defaults.pop(change.user, None)
    return replace(state, qualities=qualities, accounts=accounts, defaults=defaults, bare=bare)
