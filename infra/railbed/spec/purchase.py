"""How a pool's nodes may be bought: dates that hold, nothing that can be taken away under a long job."""

from __future__ import annotations

from railbed.errors import SpecError
from railbed.spec.cluster import Block, ClusterSpec, OnDemand, Pool, Reservation, Spot
from railbed.spec.platforms import CloudPlatform


def check(spec: ClusterSpec, pool: Pool, where: str) -> None:
    """Raises the first SpecError that the pool's ``capacity`` deserves; ``where`` is the pool's key path."""
    capacity = pool.capacity
    if not isinstance(spec.platform, CloudPlatform) and not isinstance(capacity, OnDemand):
        raise SpecError(
            f"platform {spec.platform.kind} has no capacity of kind {capacity.kind}",
            path=f"{where}.capacity.kind",
            found=capacity.kind,
            allowed="no capacity at all: the machines are there",
            hint="remove it",
        )
    if isinstance(capacity, Spot) and any(one.kind == "pretraining" for one in spec.workloads):
        raise SpecError(
            "spot capacity is taken back by the provider at any moment, and a pretraining job runs on all nodes for weeks",
            path=f"{where}.capacity.kind",
            found="spot",
            allowed=["on_demand", "reservation", "block"],
            hint="reserve the nodes, or remove the workload",
            code="SPOT_PRETRAINING",
        )
    if isinstance(capacity, (Reservation, Block)):
        _dates(spec, capacity, where)


def _dates(spec: ClusterSpec, capacity: Reservation | Block, where: str) -> None:
    if capacity.ends is None:
        return
    if capacity.starts is not None and capacity.ends <= capacity.starts:
        raise SpecError(
            "the capacity ends before it starts",
            path=f"{where}.capacity.ends",
            found=str(capacity.ends),
            allowed=f"after {capacity.starts}",
            hint="correct the dates",
        )
    longest = max((one.days for one in spec.workloads if one.days is not None), default=None)
    if longest is None or capacity.starts is None:
        return
    reserved_days = (capacity.ends - capacity.starts).days
    if reserved_days < longest:
        raise SpecError(
            f"the capacity is held for {reserved_days} days and the longest workload takes {longest:g}",
            path=f"{where}.capacity.ends",
            found=str(capacity.ends),
            allowed=f"{longest:g} days or more after {capacity.starts}",
            hint="extend the reservation, or shorten the workload",
            code="CAPACITY_TOO_SHORT",
        )
