"""Whether reserved capacity is what a pool needs: there, active, of its machine, enough, in its zone, long enough. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from railbed.plan import PlannedPool
from railbed.platforms.findings import Finding


@dataclass(frozen=True)
class ReservationState:
    """A reservation as the provider reports it; None where it does not."""

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
    pool: PlannedPool, shape: str, zone: str, state: ReservationState | None, needed_until: datetime.date
) -> Sequence[Finding]:
    """One finding per question, in the order in which a person would ask them."""
    reservation = getattr(pool.capacity, "id", "")
    name = f"reservation {reservation} of pool {pool.name}"
    if state is None:
        return [Finding(name, False, "not in this account and region", "correct pools[].capacity.id")]
    spoken = f"{state.free} x {state.shape}, {state.status}, {state.zone or 'any zone'}, until {state.ends or 'given back'}"
    wrong = [
        (not state.active, f"it is {state.status}", "activate or renew it"),
        (state.shape != shape, f"it holds {state.shape}, the pool needs {shape}", "name the right reservation"),
        (state.free < pool.size, f"it has {state.free} nodes, the pool needs {pool.size} with spares",
         "extend it, or take fewer nodes"),
        (state.zone not in (None, "", zone), f"it is in {state.zone}, the cluster in {zone}", "one fabric is in one zone"),
        (state.ends is not None and state.ends < needed_until,
         f"it ends on {state.ends}, the longest job needs it until {needed_until}", "extend it, or shorten the job"),
    ]  # fmt: skip
    bad = [Finding(name, False, found, hint) for is_wrong, found, hint in wrong if is_wrong]
    return bad or [Finding(name, True, spoken)]


def needed_until(today: datetime.date, pool: PlannedPool, longest_days: float) -> datetime.date:
    """The day on which the longest job ends when it begins today, or when the capacity does."""
    starts = getattr(pool.capacity, "starts", None)
    return max(today, starts or today) + datetime.timedelta(days=longest_days)
