"""A change as the words of `sacctmgr`. Pure. No secret is ever in them."""

from __future__ import annotations

from railbed.accounts.changes import Change, Kind
from railbed.accounts.state import MARK, Account, Quality
from railbed.parse.sacctmgr import GPU

NONE = -1
"""What takes a limit away (sacctmgr(1))."""


def argv(change: Change, cluster: str) -> list[str]:
    """The command that makes one change on ``cluster``."""
    head = ["sacctmgr", "--immediate", "--quiet"]
    kind, name, user = change.kind, change.name, change.user
    if kind is Kind.ADD_QOS and change.quality:
        return [*head, "add", "qos", name, "set", f"Description={MARK}", *_quality(change.quality)]
    if kind is Kind.MODIFY_QOS and change.quality:
        return [*head, "modify", "qos", "where", f"name={name}", "set", *_quality(change.quality)]
    if kind is Kind.ADD_ACCOUNT and change.account:
        return [
            *head, "add", "account", name, f"Cluster={cluster}", "Parent=root", f"Organization={MARK}",
            f"Description={name}", *_account(change.account),
        ]  # fmt: skip
    if kind is Kind.MODIFY_ACCOUNT and change.account:
        return [
            *head, "modify", "account", "where", f"name={name}", f"cluster={cluster}", "set", *_account(change.account)
        ]  # fmt: skip
    words = {
        Kind.ADD_MEMBER: ["add", "user", user, f"Account={name}", f"Cluster={cluster}"],
        Kind.SET_DEFAULT: [
            "modify",
            "user",
            "where",
            f"name={user}",
            f"cluster={cluster}",
            "set",
            f"DefaultAccount={name}",
        ],
        Kind.REMOVE_MEMBER: [
            "remove",
            "user",
            "where",
            f"name={user}",
            f"account={name}",
            f"cluster={cluster}",
        ],
        Kind.WITHDRAW_ACCOUNT: ["remove", "account", "where", f"name={name}", f"cluster={cluster}"],
        Kind.REMOVE_ACCOUNT: ["remove", "account", "where", f"name={name}"],
        Kind.REMOVE_QOS: ["remove", "qos", "where", f"name={name}"],
    }
    return [*head, *words[kind]]


def _limit(value: int | None) -> int:
    return NONE if value is None else value


def _quality(one: Quality) -> list[str]:
    return [
        f"Priority={one.priority}", f"Flags={','.join(sorted(one.flags))}",
        f"GrpTRESMins={GPU}={_limit(one.gpu_minutes)}", f"MaxTRESPerUser={GPU}={_limit(one.gpus_per_user)}",
        f"MaxWall={_limit(one.wall_minutes)}",
    ]  # fmt: skip


def _account(one: Account) -> list[str]:
    return [
        f"Fairshare={one.share}", f"GrpTRES={GPU}={_limit(one.gpus)}", f"QOS={one.qos}", f"DefaultQOS={one.qos}",
    ]  # fmt: skip
