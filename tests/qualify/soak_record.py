"""What a soak leaves to be judged. Times are seconds since the epoch by this machine's clock, which the lab's hosts share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from railbed.parse.sacct import JobRun

from .soak_events import Kind


@dataclass(frozen=True)
class Fault:
    """One that was put in."""

    kind: Kind
    node: str
    at_s: float
    gone_s: float | None = None
    """When it was taken back, or went by itself."""


@dataclass(frozen=True)
class Told:
    """What the scheduler said of a node when it was asked: the reason of a drain, or the report of the health check."""

    at_s: float
    node: str
    text: str
    drained: bool


@dataclass(frozen=True)
class Kill:
    """A repair that was ended with `kill -9`, and the same command after it."""

    node: str
    after: str
    """Last step in the journal when it was killed."""
    size: int
    """Of the journal then, in bytes."""
    status: int | None
    """Of the same command again; None where it never ended."""


@dataclass(frozen=True)
class Small:
    """A short job of an ordinary user, and what it wrote."""

    job: str
    lines: Sequence[str]


@dataclass
class Soak:
    """All that is judged."""

    faults: list[Fault] = field(default_factory=list)
    drawn: int = 0
    """So many were drawn: one that found no node to be put in on until the end is in none of what follows."""
    told: list[Told] = field(default_factory=list)
    journal: list[Mapping[str, Any]] = field(default_factory=list)
    """Events since the soak began, oldest first."""
    older: list[Mapping[str, Any]] = field(default_factory=list)
    """Those before it, for the report of the week."""
    life: Mapping[str, str] = field(default_factory=dict)
    """Node → where it stands in its life at the end."""
    runs: list[JobRun] = field(default_factory=list)
    """Every start of every job of the soak's users."""
    requeued: list[tuple[float, str]] = field(default_factory=list)
    """When their owner queued a job again, and which."""
    small: list[Small] = field(default_factory=list)
    reference: str = ""
    """Number of the reference job."""
    submitted_s: float = 0.0
    seen_s: float = 0.0
    """When the reference job was last seen in the queue."""
    ended_s: float | None = None
    """When it was first not seen there any more."""
    wanted: Sequence[str] = ()
    """Losses and digest of an undisturbed run of it."""
    got: Sequence[str] = ()
    ledger: Mapping[str, Any] = field(default_factory=dict)
    weekly: Mapping[str, Any] = field(default_factory=dict)
    kills: list[Kill] = field(default_factory=list)
    kept: bytes = b""
    """Of the journal, all that was ever read while the soak ran."""
    written: bytes = b""
    """The journal at the end."""
    commands: list[tuple[str, str, int]] = field(default_factory=list)
    """Noun, node and exit status of each command of the operator that ended by itself."""
