"""Slurm's accounts as `sacctmgr -nP show … format=…` prints them (22.05; it has no ``--json`` there). Pure.

Names and descriptions hold no ``|``: sacctmgr prints none apart from those between the fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

QOS_FIELDS = "Name,Description,Priority,Flags,GrpTRESMins,MaxTRESPU,MaxWall"
ACCOUNT_FIELDS = "Account,Description,Organization"
ASSOCIATION_FIELDS = "Cluster,Account,User,ParentName,Share,GrpTRES,QOS,DefaultQOS"
USER_FIELDS = "User,DefaultAccount"
GPU = "gres/gpu"
_WALL = re.compile(r"(?:(\d{1,9})-)?(\d{1,9}):(\d\d):(\d\d)")


@dataclass(frozen=True)
class Qos:
    """A quality of service; limits are None where there is none."""

    name: str
    description: str
    priority: int
    flags: frozenset[str]
    gpu_minutes: int | None
    gpus_per_user: int | None
    wall_minutes: int | None


@dataclass(frozen=True)
class Association:
    """An account's own on one cluster, with an empty ``user``, or a user's in it."""

    cluster: str
    account: str
    user: str
    parent: str
    share: int | str
    """``parent`` where the user has no share of its own."""
    gpus: int | None
    qos: frozenset[str]
    default_qos: str


def qos(text: str) -> dict[str, Qos]:
    """By name. Raises ValueError for a line that is none."""
    return {
        name: Qos(
            name, description, _number(priority), frozenset(f for f in flags.split(",") if f), _gpus(minutes),
            _gpus(per_user), _minutes(wall),
        )
        for name, description, priority, flags, minutes, per_user, wall in _rows(text, 7)
    }  # fmt: skip


def accounts(text: str) -> dict[str, tuple[str, str]]:
    """Name → description and organization. Raises ValueError for a line that is none."""
    return {name: (description, organization) for name, description, organization in _rows(text, 3)}


def associations(text: str) -> list[Association]:
    """Of all clusters. Raises ValueError for a line that is none."""
    return [
        Association(
            cluster, account, user, parent, int(share) if share.isdecimal() else share, _gpus(gpus),
            frozenset(q for q in allowed.split(",") if q), default,
        )
        for cluster, account, user, parent, share, gpus, allowed, default in _rows(text, 8)
    ]  # fmt: skip


def default_accounts(text: str) -> dict[str, str]:
    """User → default account. Raises ValueError for a line that is none."""
    return {row[0]: row[1] for row in _rows(text, 2)}


def tres(text: str) -> dict[str, str]:
    """``cpu=2,gres/gpu=4`` → each resource with its number, as Slurm wrote it."""
    return dict(part.split("=", 1) for part in text.split(",") if "=" in part)


def _rows(text: str, count: int) -> Iterator[list[str]]:
    for line in text.splitlines():
        if not line.strip():
            continue
        fields = line.split("|")
        if len(fields) != count:
            raise ValueError(f"{count} fields were asked for, and a line has {len(fields)}: {line[:120]!r}")
        yield fields


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 18:
        raise ValueError(f"not a number: {text[:40]!r}")
    return int(text)


def _gpus(text: str) -> int | None:
    found = tres(text).get(GPU)
    return None if found is None else _number(found)


def _minutes(text: str) -> int | None:
    """``1-12:30:00`` → 2190; empty: no limit."""
    if not text:
        return None
    match = _WALL.fullmatch(text)
    if not match:
        raise ValueError(f"not a time: {text[:40]!r}")
    days, hours, minutes, _ = (int(part or 0) for part in match.groups())
    return (days * 24 + hours) * 60 + minutes
