"""How a pool's nodes are bought: by the hour, from a capacity block group, or preemptible."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_nebius as nebius

from railbed.errors import RailbedError
from railbed.plan import PlannedPool
from railbed.platforms.nebius.scope import Scope, field
from railbed.spec.cluster import Block, Reservation, Spot

ACTIVE = ("STATE_ACTIVE", "STATE_ALLOCATING")


def policy(scope: Scope, pool: PlannedPool) -> dict[str, Any]:
    """Arguments of an instance that say where its capacity comes from."""
    if isinstance(pool.capacity, Spot):
        # What was taken back is stopped, and not started by itself.
        stop = nebius.ComputeV1InstancePreemptibleArgs(on_preemption="STOP")
        return {"preemptible": stop, "recovery_policy": "FAIL"}
    if isinstance(pool.capacity, (Reservation, Block)):
        block = _block_id(scope, pool, pool.capacity.id)
        # Otherwise an instance that the block has no room for would be bought by the hour, silently.
        strict = nebius.ComputeV1InstanceReservationPolicyArgs(policy="STRICT", reservation_ids=[block])
        return {"reservation_policy": strict}
    return {"reservation_policy": nebius.ComputeV1InstanceReservationPolicyArgs(policy="FORBID")}


def _block_id(scope: Scope, pool: PlannedPool, name: str) -> pulumi.Output[str]:
    """The capacity block group's id, once it is known to be what the pool needs."""
    found = nebius.get_capacity_v1_capacity_block_group_output(id=name, opts=scope.asking())
    return found.status.apply(lambda status: _checked(scope, pool, name, status))  # type: ignore[no-any-return]


def _checked(scope: Scope, pool: PlannedPool, name: str, status: Any) -> str:
    compute = field(field(status, "resource_affinity"), "compute_v1")
    platform, limit = pool.machine.shape, float(field(status, "current_limit") or 0)
    gpus = pool.size * pool.machine.gpus
    wrong = [
        (field(status, "state") not in ACTIVE, f"it is {field(status, 'state')}"),
        (field(status, "region") != scope.place.region, f"it is in {field(status, 'region')}"),
        (field(compute, "platform") != platform, f"it holds {field(compute, 'platform')}"),
        (
            scope.plan.fabric is not None and field(compute, "fabric") != scope.place.infiniband_fabric,
            f"it is on fabric {field(compute, 'fabric')}",
        ),
        (limit < gpus, f"it has {limit:g} GPUs"),
    ]
    found = [text for is_wrong, text in wrong if is_wrong]
    if found:
        raise RailbedError(
            f"capacity block group {name} is not what pool {pool.name} needs",
            path=f"railbed:cluster.pools (pool {pool.name}).capacity.id",
            found="; ".join(found),
            allowed=f"active in {scope.place.region}, {gpus} GPUs of {platform} on {scope.place.infiniband_fabric}",
            hint="`nebius capacity capacity-block-group list` shows yours",
            code="CAPACITY",
        )
    return name
