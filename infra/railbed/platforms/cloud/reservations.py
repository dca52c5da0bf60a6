"""Whether reserved capacity is what a pool needs: there, active, of its machine, enough, in its zone, long enough. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from railbed.plan import PlannedPool
from railbed.platforms.findings import Finding


@dataclass(frozen=True)
class Held:
    """A reservation as the provider tells of it; None where it does not."""

    id: str
    active: bool
    status: str
    """In the provider's own word."""
    shape: str
    free: int
    """Nodes that it still has to give, and those of this cluster that run in it."""
    zone: str | None = None
    starts: datetime.date | None = None
    ends: datetime.date | None = None


def findings(
    pool: PlannedPool, shape: str, zone: str, held: Held | None, needed_until: datetime.date
) -> Sequence[Finding]:
    """One finding per question, in the order in which a person would ask them."""
    reservation = getattr(pool.capacity, "id", "")
    name = f"reservation {reservation} of pool {pool.name}"
    if held is None:
        return [Finding(name, False, "not in this account and region", "correct pools[].capacity.id")]
    spoken = f"{held.free} x {held.shape}, {held.status}, {held.zone or 'any zone'}, until {held.ends or 'given back'}"
    wrong = [
        (not held.active, f"it is {held.status}", "activate or renew it"),
        (held.shape != shape, f"it holds {held.shape}, the pool needs {shape}", "name the right reservation"),
        (held.free < pool.size, f"it has {held.free} nodes, the pool needs {pool.size} with spares",
         "extend it, or take fewer nodes"),
        (held.zone not in (None, "", zone), f"it is in {held.zone}, the cluster in {zone}", "one fabric is in one zone"),
        (held.ends is not None and held.ends < needed_until,
         f"it ends on {held.ends}, the longest job needs it until {needed_until}", "extend it, or shorten the job"),
    ]  # fmt: skip
    bad = [Finding(name, False, found, hint) for is_wrong, found, hint in wrong if is_wrong]
    return bad or [Finding(name, True, spoken)]


def needed_until(today: datetime.date, pool: PlannedPool, longest_days: float) -> datetime.date:
    """The day on which the longest job ends when it begins today, or when the capacity does."""
    starts = getattr(pool.capacity, "starts", None)
    return max(today, starts or today) + datetime.timedelta(days=longest_days)
