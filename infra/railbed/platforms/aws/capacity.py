"""How a pool's instances are bought, as a launch template says it; and the placement group that keeps them together."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_aws import ec2

from railbed.plan import PlannedPool
from railbed.platforms.aws import reads
from railbed.platforms.aws.scope import Scope
from railbed.spec.cluster import Block, Reservation, Spot


@dataclass(frozen=True)
class Bought:
    """The parts of a launch template that say how."""

    market: ec2.LaunchTemplateInstanceMarketOptionsArgs | None
    reservation: ec2.LaunchTemplateCapacityReservationSpecificationArgs | None


def bought(pool: PlannedPool) -> Bought:
    """Of the pool's ``capacity``."""
    capacity = pool.capacity
    if isinstance(capacity, Spot):
        return Bought(ec2.LaunchTemplateInstanceMarketOptionsArgs(market_type="spot"), None)
    if isinstance(capacity, (Reservation, Block)):
        target = ec2.LaunchTemplateCapacityReservationSpecificationCapacityReservationTargetArgs(
            capacity_reservation_id=capacity.id
        )
        block = ec2.LaunchTemplateInstanceMarketOptionsArgs(market_type="capacity-block")
        return Bought(
            block if isinstance(capacity, Block) else None,
            ec2.LaunchTemplateCapacityReservationSpecificationArgs(capacity_reservation_target=target),
        )
    return Bought(None, None)


def placements(scope: Scope) -> dict[str, pulumi.Input[str]]:
    """Pool → name of its placement group. A capacity block places its instances itself and takes none.

    A reservation that was made in a placement group is only met there (docs.aws.amazon.com, EC2 User Guide, "Use Capacity
    Reservations with placement groups"): then it is that group. All other pools share one of the cluster's own.
    """
    plan = scope.plan
    if plan.fabric is None:
        return {}
    placed: dict[str, pulumi.Input[str]] = {}
    others = []
    for pool in plan.pools:
        if isinstance(pool.capacity, Block):
            continue
        given = ""
        if isinstance(pool.capacity, Reservation):
            given = reads.placement_of_reservation(scope.place.region, pool.capacity.id)
        if given:
            placed[pool.name] = given
        else:
            others.append(pool.name)
    if others:
        group = ec2.PlacementGroup(
            "placement", strategy="cluster", tags=scope.named("placement"), opts=scope.options()
        )
        placed |= dict.fromkeys(others, group.name)
    return placed
