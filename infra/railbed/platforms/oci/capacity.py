"""How a pool's nodes are bought: on demand, from a capacity reservation, or on a GPU memory fabric dedicated to the tenancy."""

from __future__ import annotations

from railbed.errors import Unsupported
from railbed.plan import PlannedPool
from railbed.spec.cluster import Reservation

RESERVATION = "ocid1.capacityreservation."
MEMORY_FABRIC = "ocid1.computegpumemoryfabric."


def is_rack(pool: PlannedPool) -> bool:
    """True for machines whose NVLink domain spans nodes: GPU memory clusters instead of instance pools."""
    return pool.machine.nodes_per_nvlink_domain > 1


def domains(pool: PlannedPool) -> list[int]:
    """Nodes in each of the pool's NVLink domains: full ones, then the rest."""
    full, rest = divmod(pool.size, pool.machine.nodes_per_nvlink_domain)
    return [pool.machine.nodes_per_nvlink_domain] * full + ([rest] if rest else [])


def reservation(pool: PlannedPool) -> str | None:
    """Capacity reservation that the pool's nodes are launched in. Raises Unsupported for an id of another kind."""
    if not isinstance(pool.capacity, Reservation) or is_rack(pool):
        return None
    if not pool.capacity.id.startswith(RESERVATION):
        raise _refused(pool, f"reservation {pool.capacity.id}", f"give the OCID of one, {RESERVATION}…")
    return pool.capacity.id


def memory_fabric(pool: PlannedPool) -> str | None:
    """GPU memory fabric that the pool is placed on; None: any that is dedicated to the tenancy.

    Raises Unsupported where the id is of another kind, or the pool is larger than one fabric.
    """
    if not isinstance(pool.capacity, Reservation) or not is_rack(pool):
        return None
    if not pool.capacity.id.startswith(MEMORY_FABRIC):
        hint = f"name a GPU memory fabric, {MEMORY_FABRIC}…, or use capacity kind on_demand"
        raise _refused(pool, f"reservation {pool.capacity.id} for {pool.machine.key}", hint)
    if len(domains(pool)) > 1:
        hint = "make a pool for each fabric, or use capacity kind on_demand: any dedicated fabric is taken"
        raise _refused(pool, f"{pool.size} nodes on one GPU memory fabric", hint)
    return pool.capacity.id


def _refused(pool: PlannedPool, what: str, hint: str) -> Unsupported:
    return Unsupported(
        "platform oci", what, hint, path=f"railbed:cluster.pools (pool {pool.name}).capacity.id"
    )
