"""How a pool's nodes are bought, in the words of an instance template; and how many groups it takes. Pure."""

from __future__ import annotations

from typing import Any

from railbed.errors import Unsupported
from railbed.plan import PlannedPool
from railbed.platforms.gcp.facts import facts, machine_type
from railbed.spec.cluster import Block, OnDemand, Reservation, Spot

RESERVATION_KEY = "compute.googleapis.com/reservation-name"


def scheduling(pool: PlannedPool) -> dict[str, Any]:
    """``scheduling`` and, where capacity is held, ``reservation_affinity``.

    Raises Unsupported where Google gives the machine only out of a reservation and the spec names none.
    """
    reserved = isinstance(pool.capacity, (Reservation, Block))
    bound = machine_type(pool.machine) in facts().reserved_only
    if bound and not reserved:
        raise Unsupported(
            "platform gcp", f"{pool.machine.key} without a reservation",
            "give the pool `capacity: {kind: reservation, id: …}` or a block",
        )  # fmt: skip
    # A GPU host is never moved while it runs (live migration): it ends, and starts again where that is possible.
    plain = {"on_host_maintenance": "TERMINATE", "automatic_restart": True, "provisioning_model": "STANDARD"}
    if isinstance(pool.capacity, Spot):
        spot = {"provisioning_model": "SPOT", "preemptible": True, "automatic_restart": False}
        return {"scheduling": {**plain, **spot, "instance_termination_action": "DELETE"}}
    if isinstance(pool.capacity, OnDemand):
        # Without this a VM may eat up somebody's open reservation.
        return {"scheduling": plain, "reservation_affinity": {"type": "NO_RESERVATION"}}
    affinity = {
        "type": "SPECIFIC_RESERVATION",
        "specific_reservation": {"key": RESERVATION_KEY, "values": [pool.capacity.id]},
    }
    if bound or isinstance(pool.capacity, Block):
        plain |= {"provisioning_model": "RESERVATION_BOUND", "instance_termination_action": "DELETE"}
    return {"scheduling": plain, "reservation_affinity": affinity}


def groups(pool: PlannedPool) -> list[int]:
    """Sizes of the pool's groups: one NVLink domain each where Google says so, else as few as its limit allows.

    A pool that grows fills its last group and adds others: no group that is there changes its place.
    """
    limit = group_limit(pool)
    whole, rest = divmod(pool.size, limit)
    return [limit] * whole + ([rest] if rest else [])


def group_limit(pool: PlannedPool) -> int:
    """Most nodes of one of the pool's groups."""
    bound = machine_type(pool.machine) in facts().topology
    return pool.machine.nodes_per_nvlink_domain if bound else facts().group_limit
