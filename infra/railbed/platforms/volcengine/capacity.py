"""How nodes are bought: spot strategy of a pool, and reserved instances with the HPC cluster that they are bound to."""

from __future__ import annotations

from typing import Any

from railbed.errors import SpecError
from railbed.plan import PlannedPool
from railbed.platforms.cloud.reservations import ReservationState
from railbed.platforms.ecs import pools as cut
from railbed.platforms.volcengine.session import Session
from railbed.spec.cluster import Reservation

GROUP_LIMIT = 100
"""Nodes of one scaling group (volcengine.autoscaling.ScalingGroup: MaxInstanceNumber 0 to 100)."""
ACTIVE = "Active"


def group_sizes(nodes: int) -> list[int]:
    """Nodes of each scaling group."""
    return cut.group_sizes(nodes, GROUP_LIMIT)


def reserved(session: Session, pool: PlannedPool) -> Any:
    """The provider's record of the pool's reserved instance; None where the account has none of that id."""
    if not isinstance(pool.capacity, Reservation):
        return None
    answer = session.ecs("describe_reserved_instances", reserved_instance_ids=[pool.capacity.id])
    return next(iter(answer.reserved_instances or []), None)


def state_of(record: Any) -> ReservationState:
    """The record in words that all providers share."""
    return ReservationState(
        id=record.reserved_instance_id,
        active=record.status == ACTIVE,
        status=record.status,
        shape=record.instance_type_id,
        free=record.instance_count,
        zone=record.zone_id,
        starts=cut.day(record.start_at),
        ends=cut.day(record.expired_at),
    )


def hpc_cluster(session: Session, pools: list[PlannedPool]) -> str:
    """The HPC cluster that the pools' reserved instances are bound to; empty: a new one can be made.

    Raises SpecError for two: one fabric is in one HPC cluster.
    """
    records = [(pool, reserved(session, pool)) for pool in pools]
    found = {pool.name: r.hpc_cluster_id for pool, r in records if r is not None and r.hpc_cluster_id}
    if len(set(found.values())) > 1:
        raise SpecError(
            "the pools' reserved instances are bound to different HPC clusters, and one fabric is in one",
            path="railbed:cluster.pools",
            found=found,
            allowed="reserved instances of one HPC cluster",
            hint="name reserved instances of one HPC cluster, or make two clusters",
        )
    return next(iter(found.values()), "")
