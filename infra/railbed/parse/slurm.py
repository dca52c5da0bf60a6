"""Slurm 22.05: `squeue`, `scontrol show -o`. Pure.

Not JSON: its `scontrol` prints none (docs/adr/0013-what-stays-our-own.md).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from railbed.defaults import HOSTLIST_MAX, HOSTLIST_NAME_MAX
from railbed.parse.numbers import integer
from railbed.text import shown

_REASON = re.compile(
    r"\bReason=(?P<reason>.*?)(?: \[(?P<by>[^\s\]@]{1,64})@(?P<at>[^\]]{1,64})\])?(?: \w+=|$)"
)
"""Bounded, so that a line of any length is read in time that grows with its length."""
_HOSTS = re.compile(r"([^,\[\]]*)(?:\[([0-9,\-]+)\]([^,\[\]]*))?(?:,(?!$)|$)")
_COMMENT = re.compile(r"\bComment=(?P<comment>.*?)(?: \w+=|$)")


@dataclass(frozen=True)
class NodeState:
    """One node as the scheduler sees it."""

    name: str
    base: str
    """IDLE, ALLOCATED, MIXED, DOWN, UNKNOWN, …"""
    flags: frozenset[str]
    """DRAIN, RESERVED, MAINTENANCE, NOT_RESPONDING, …; of Kubernetes TAINTED: a taint that nobody announced keeps pods away."""
    gres: str
    partitions: tuple[str, ...]
    reason: str = ""
    reason_by: str = ""
    reason_at: str = ""
    """As SLURM_TIME_FORMAT of who asked says."""
    features: tuple[str, ...] = ()
    comment: str = ""

    @property
    def drained(self) -> bool:
        """True while the scheduler gives the node no new job by an operator's or a health check's will."""
        return "DRAIN" in self.flags or self.base in ("DRAINED", "DRAINING")

    @property
    def responding(self) -> bool:
        return self.base not in ("DOWN", "UNKNOWN", "ERROR", "FUTURE") and "NOT_RESPONDING" not in self.flags

    @property
    def usable(self) -> bool:
        """True when a job could be placed there as soon as others leave."""
        return (
            self.responding
            and not self.drained
            and not self.flags & {"INVALID_REG", "POWERED_DOWN", "FAIL", "TAINTED"}
        )

    @property
    def text(self) -> str:
        """As Slurm writes it: ``IDLE+DRAIN``."""
        return "+".join([self.base, *sorted(self.flags)])

    @property
    def gpus(self) -> int:
        """GPUs that the scheduler offers on the node (``gpu:8``, ``gpu:h100:8(S:0-1)``)."""
        counts = re.findall(r"(?:^|,)gpu(?::[^:,(]+)?:(\d+)", self.gres)
        return sum(integer(count) or 0 for count in counts)


@dataclass(frozen=True)
class Job:
    """One job that holds nodes."""

    id: str
    user: str
    name: str
    state: str
    nodes: tuple[str, ...]
    comment: str = ""


@dataclass(frozen=True)
class Reservation:
    """Nodes set aside."""

    name: str
    nodes: tuple[str, ...]
    users: tuple[str, ...]
    flags: frozenset[str]


def _field(line: str, key: str) -> str:
    match = re.search(rf"(?:^|\s){key}=(\S*)", line)
    value = match[1] if match else ""
    return "" if value in ("(null)", "N/A") else value


def hostlist(text: str) -> tuple[str, ...]:
    """The names in a Slurm host list: ``h100-[0-2,4],ctl0`` → h100-0, h100-1, h100-2, h100-4, ctl0.

    One bracket per name, widths kept (``n[08-10]``), at most HOSTLIST_MAX names. Raises ValueError for anything else.
    """
    names: list[str] = []
    listed, at = text.strip(), 0
    while at < len(listed):
        match = _HOSTS.match(listed, at)
        if not match or not match[0].strip(",") or len(match[1]) + len(match[3] or "") > HOSTLIST_NAME_MAX:
            raise ValueError(f"not a host list: {shown(text)!r}")
        head, ranges, tail = match[1], match[2], match[3] or ""
        at = match.end()
        if ranges is None:
            names.append(head)
            continue
        for part in ranges.split(","):
            low, _, high = part.partition("-")
            first, last = integer(low), integer(high or low)
            if first is None or last is None or last - first + len(names) >= HOSTLIST_MAX:
                raise ValueError(f"not a host list: {shown(text)!r}")
            names += [f"{head}{i:0{len(low)}d}{tail}" for i in range(first, last + 1)]
    return tuple(names)


def nodes(text: str) -> dict[str, NodeState]:
    """`scontrol show node -o`."""
    found = {}
    for line in text.splitlines():
        name = _field(line, "NodeName")
        if not name:
            continue
        state = _field(line, "State").rstrip("*~#!%$@^-") or "UNKNOWN"
        base, *flags = state.split("+")
        if _field(line, "State").endswith("*"):
            flags.append("NOT_RESPONDING")
        whole = line.rstrip()
        reason, comment = _REASON.search(whole), _COMMENT.search(whole)
        found[name] = NodeState(
            name=name,
            base=base,
            flags=frozenset(flag.rstrip("*") for flag in flags),
            gres=_field(line, "Gres"),
            partitions=tuple(p for p in _field(line, "Partitions").split(",") if p),
            reason=shown(reason["reason"]) if reason else "",
            reason_by=shown(reason["by"] or "") if reason else "",
            reason_at=(reason["at"] or "") if reason else "",
            features=tuple(f for f in _field(line, "AvailableFeatures").split(",") if f),
            comment=shown(comment["comment"]) if comment else "",
        )
    return found


JOB_FORMAT = "%i|%u|%T|%N|%k|%j"
"""`squeue -h -o`: job, user, state, nodes, comment, name (last, since it may hold anything)."""


def jobs(text: str) -> list[Job]:
    """`squeue -h -o JOB_FORMAT`."""
    found = []
    for line in text.splitlines():
        fields = line.split("|", 5)
        if len(fields) == 6:
            number, user, state, where, comment, name = fields
            placed = hostlist(where) if where else ()
            found.append(Job(number, user, name, state, placed, "" if comment == "(null)" else comment))
    return found


def reservations(text: str) -> list[Reservation]:
    """`scontrol show reservation -o`."""
    found = []
    for line in text.splitlines():
        name = _field(line, "ReservationName")
        if name:
            users = tuple(u for u in _field(line, "Users").split(",") if u)
            flags = frozenset(f for f in _field(line, "Flags").split(",") if f)
            found.append(Reservation(name, hostlist(_field(line, "Nodes")), users, flags))
    return found
