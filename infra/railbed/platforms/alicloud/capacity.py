"""How nodes are bought: private pools and spot of ECS shapes, and Lingjun nodes that the account has bought ahead."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import alibabacloud_ecs20140526.models as models

from railbed.errors import SpecError, Unsupported
from railbed.plan import ClusterPlan, PlannedPool, node_names
from railbed.platforms.alicloud.session import Session
from railbed.platforms.cloud.reservations import ReservationState
from railbed.platforms.cloud.tags import plain
from railbed.platforms.ecs import pools
from railbed.spec.cluster import Block, OnDemand, Reservation, Spot
from railbed.spec.platforms import AlicloudPlatform

GROUP_LIMIT = 2000
"""Nodes of one scaling group (alicloud.ess.ScalingGroup: MaxSize 0 to 2000)."""
ECS = "ecs."
ACTIVE = "Active"
PAGE = 100


def is_lingjun(pool: PlannedPool) -> bool:
    """True for machines of the Lingjun service, which has its own clusters, nodes and API."""
    return not pool.machine.shape.startswith(ECS)


def needs_lingjun(plan: ClusterPlan) -> bool:
    """True where any pool is of Lingjun nodes; a plan has one kind of machine, so then all are."""
    return any(is_lingjun(pool) for pool in plan.pools)


def require(plan: ClusterPlan) -> None:
    """Raises Unsupported where a pool is bought in a way that its machine is not sold."""
    for index, pool in enumerate(plan.pools):
        wrong, hint = _refused(plan, pool)
        if wrong:
            raise Unsupported(
                f"platform alicloud, {pool.machine.key}",
                wrong,
                hint,
                path=f"railbed:cluster.pools[{index}].capacity",
            )


def require_image(plan: ClusterPlan, place: AlicloudPlatform) -> None:
    """Raises SpecError where Lingjun nodes have no image: theirs are not those of ECS."""
    if place.lingjun_image is None and any(is_lingjun(pool) and not pool.image for pool in plan.pools):
        raise SpecError(
            "Lingjun nodes need an image of their own kind", path="railbed:cluster.platform.lingjun_image",
            allowed="an image id of the Lingjun console, e.g. i1984…", hint="add `lingjun_image:`",
        )  # fmt: skip


def _refused(plan: ClusterPlan, pool: PlannedPool) -> tuple[str, str]:
    if not is_lingjun(pool):
        if isinstance(pool.capacity, Block):
            return "capacity bought for fixed dates", "buy a private pool, and write `kind: reservation`"
        return "", ""
    if plan.fabric is None:
        return "hosts without a fabric", "use an `alicloud/ecs.…` machine for service hosts"
    if isinstance(pool.capacity, OnDemand | Spot):
        hint = (
            "buy nodes at the Lingjun console, and write `capacity: {kind: reservation, id: THEIR-HPN-ZONE}`"
        )
        return f"capacity of kind {pool.capacity.kind}", hint
    return "", ""


def private_pool(pool: PlannedPool) -> str:
    """Id of the private pool that an ECS pool's nodes are taken from; empty: public capacity."""
    return pool.capacity.id if isinstance(pool.capacity, Reservation) else ""


def group_sizes(nodes: int) -> list[int]:
    """Nodes of each scaling group."""
    return pools.group_sizes(nodes, GROUP_LIMIT)


def interfaces(session: Session, pool: PlannedPool) -> int:
    """eRDMA interfaces of one node, as the provider says of the shape (EriQuantity). Raises SpecError for none."""
    described = session.types(pool.machine.shape)
    count = int(described.eri_quantity or 0) if described is not None else 0
    if not count:
        raise SpecError(
            f"{pool.machine.key} has no eRDMA interface in this region, and the spec asks for a fabric",
            path="railbed:cluster.fabric", found=count, allowed="a shape with EriQuantity of 1 or more",
            hint="choose a machine with eRDMA, another region, or leave out `fabric` (service hosts)",
        )  # fmt: skip
    return count


def reservation_of(session: Session, pool: PlannedPool) -> ReservationState | None:
    """The ECS pool's capacity reservation or elasticity assurance; None where the account has none of that id."""
    wanted = json.dumps([private_pool(pool)])
    by_id = models.DescribeCapacityReservationsRequestPrivatePoolOptions(ids=wanted)
    reserved = session.ecs("describe_capacity_reservations", private_pool_options=by_id)
    items = reserved.capacity_reservation_set.capacity_reservation_item or []
    if not items:
        by_promise = models.DescribeElasticityAssurancesRequestPrivatePoolOptions(ids=wanted)
        assured = session.ecs("describe_elasticity_assurances", private_pool_options=by_promise)
        items = assured.elasticity_assurance_set.elasticity_assurance_item or []
    return _state_of(items[0]) if items else None


def _state_of(item: Any) -> ReservationState:
    parts = item.allocated_resources.allocated_resource
    return ReservationState(
        id=item.private_pool_options_id, active=item.status == ACTIVE, status=item.status,
        shape=parts[0].instance_type, free=sum(part.total_amount for part in parts), zone=parts[0].zone_id,
        starts=pools.day(item.start_time), ends=pools.day(item.end_time),
    )  # fmt: skip


@dataclass(frozen=True)
class Bought:
    """Lingjun nodes for one pool: those that are in its node group already, then free ones."""

    machine_type: str
    nodes: list[str]
    until: datetime.date | None
    """The first day on which one of them ends; None: unknown."""


def group_name(plan: ClusterPlan, pool: PlannedPool) -> str:
    """The provider's name of a pool's node group: that of its first name, so that a renamed pool keeps its nodes."""
    return f"{plain(plan.name)}-{pool.formerly or pool.name}"


def bought(
    session: Session,
    plan: ClusterPlan,
    pool: PlannedPool,
    taken: set[str],
    names: Mapping[str, str] | None = None,
) -> Bought:
    """The pool's nodes in the HPN zone that its capacity names; ``taken``: given to other pools of this run.

    ``names``: node id → name in the last contract. Of the pool's own nodes those leave whose name is beyond its size; those
    without a name leave first, and none that has a name in the plan ever does.

    Raises SpecError where the nodes there are of several machine types: one pool is of one.
    """
    zone = getattr(pool.capacity, "id", "")
    group = group_name(plan, pool)
    known = names or {}
    planned = {"", *node_names(pool.name, pool.nodes, pool.spares)}
    planned |= set(node_names(pool.formerly, pool.nodes, pool.spares)) if pool.formerly else set()
    mine = sorted(
        (
            node
            for node in _members(session, plan)
            if node.node_group_name == group and known.get(node.node_id, "") in planned
        ),
        key=lambda node: (node.node_id not in known, node.node_id),
    )
    free = sorted(
        (n for n in _paged(session, "list_free_nodes", hpn_zone=zone) if n.node_id not in taken),
        key=lambda n: n.node_id,
    )
    kept = (mine + free)[: max(pool.size, 0)]
    types = {node.machine_type for node in kept}
    if len(types) > 1:
        raise SpecError(
            f"the Lingjun nodes in HPN zone {zone} are of several machine types", path="railbed:cluster.pools",
            found=sorted(types), allowed="nodes of one type", hint="buy the pool's nodes in a zone of their own",
        )  # fmt: skip
    ends = [pools.day(node.expired_time) for node in kept]
    return Bought(
        machine_type=next(iter(types), ""), nodes=[node.node_id for node in kept],
        until=min((day for day in ends if day is not None), default=None),
    )  # fmt: skip


def _members(session: Session, plan: ClusterPlan) -> list[Any]:
    clusters = [one for one in _paged(session, "list_clusters") if one.cluster_name == plain(plan.name)]
    return [
        node for one in clusters for node in _paged(session, "list_cluster_nodes", cluster_id=one.cluster_id)
    ]


def _paged(session: Session, call: str, **fields: Any) -> Iterator[Any]:
    token: str | None = None
    while True:
        answer = session.eflo(call, max_results=PAGE, **fields, **({"next_token": token} if token else {}))
        yield from (answer.clusters if call == "list_clusters" else answer.nodes) or []
        token = answer.next_token
        if not token:
            return


def cluster_nodes(session: Session, cluster: str, group: str) -> list[Any]:
    """What the provider lists in a node group."""
    return list(_paged(session, "list_cluster_nodes", cluster_id=cluster, node_group_id=group))
