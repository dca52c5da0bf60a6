"""How a pool's nodes are held: by the project's quota alone, or by a Blazar reservation of hosts."""

from __future__ import annotations

from railbed.plan import PlannedPool
from railbed.spec.cluster import Reservation

HINT = "reservation"
"""Scheduler hint that places servers on the hosts of a Blazar lease (docs.openstack.org/blazar, host reservation)."""


def hints(pool: PlannedPool) -> dict[str, str]:
    """Scheduler hints of the pool's servers, beside their server group."""
    return {HINT: pool.capacity.id} if isinstance(pool.capacity, Reservation) else {}
