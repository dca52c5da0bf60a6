"""How many nodes of a pool automatic drains may take out of service. Pure; Python 3.9 and the standard library: nodes run it.

Nodes have no view of the whole, so each asks the scheduler: before it drains itself (``refusal`` of all that are out), and
once more when the scheduler's clock has moved on (``refusal`` of those that were out ``before`` it); where the second answer
is no, it takes its own drain back. However many try at once, no more than the limit stay: of those that stay, the one that
the scheduler wrote down last saw all the others in its second read.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Out:
    """A node that an automatic drain keeps out of service."""

    name: str
    since_s: float
    """When the scheduler wrote the drain down, seconds since the epoch by the scheduler's clock."""
    by_itself: bool
    """Drained by its own health check; else by a repair or an upgrade that a person started."""


@dataclass(frozen=True)
class Limit:
    """Shares of a pool; each is rounded up to whole nodes."""

    window_s: float
    window_share: float
    """Drains by the nodes themselves within ``window_s``."""
    breaker_share: float
    breaker_least: int
    """Drains by the nodes themselves of any age: above it nobody drains itself until nodes are back."""
    all_share: float
    """All automatic drains together."""


def most(share: float, pool: int, least: int = 1) -> int:
    """Whole nodes that a share of a pool stands for."""
    # 0.07 × 100 is 7.000000000000001 in floating point.
    return max(least, math.ceil(share * pool - 1e-9))


def before(own: Out, out: Iterable[Out]) -> list[Out]:
    """Those that were written down before ``own``; the name decides within one second, the finest that Slurm keeps."""
    return [one for one in out if (one.since_s, one.name) < (own.since_s, own.name)]


def refusal(out: Iterable[Out], pool: int, limit: Limit, now_s: float) -> str:
    """Why one more node of a pool of that size must not drain itself; empty where it may."""
    known = list(out)
    own = [one for one in known if one.by_itself]
    recent = [one for one in own if one.since_s > now_s - limit.window_s]
    if len(recent) >= most(limit.window_share, pool):
        return f"{len(recent)} of {pool} nodes drained themselves within {limit.window_s / 60:.0f} min"
    if len(own) >= most(limit.breaker_share, pool, limit.breaker_least):
        return f"the circuit breaker is open: {len(own)} of {pool} nodes drained themselves and are not back"
    return crowded(known, pool, limit.all_share)


def crowded(out: Iterable[Out], pool: int, share: float, wanted: int = 1) -> str:
    """Why automatic drains must not take ``wanted`` more nodes of a pool; empty where they may.

    Where nothing is out, what is wanted may go: a repair needs one node, and a wave of an upgrade is bounded by itself.
    """
    gone = len(list(out))
    if gone and gone + wanted > most(share, pool):
        return f"automatic drains hold {gone} of {pool} nodes, and may hold {most(share, pool)}"
    return ""
