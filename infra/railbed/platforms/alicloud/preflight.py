"""A look at the account before anything is made: reads only, and says what could not be read."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from railbed.errors import RailbedError, SpecError
from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.alicloud import capacity
from railbed.platforms.alicloud.session import Session
from railbed.platforms.cloud import reservations
from railbed.platforms.cloud.calls import ProviderError, checked
from railbed.platforms.ecs import preflight as shared
from railbed.platforms.findings import Finding
from railbed.spec.platforms import AlicloudPlatform

QUOTA = "with `aliyun quotas ListProductQuotas --ProductCode ecs`"


def check(plan: ClusterPlan, today: datetime.date) -> list[Finding]:
    """Account, zone, shapes, private pools and Lingjun nodes, and image, in this order."""
    place = plan.place
    if not isinstance(place, AlicloudPlatform):
        raise SpecError("not a plan for Alibaba Cloud", found=place.kind, allowed="alicloud")
    days = max((one.job.days or 0.0 for one in plan.jobs), default=0.0)

    def parts(session: Session) -> Iterator[Finding]:
        taken: set[str] = set()
        for pool in plan.pools:
            until = reservations.needed_until(today, pool, days)
            if capacity.is_lingjun(pool):
                yield from checked(
                    f"Lingjun nodes of pool {pool.name}",
                    lambda pool=pool, until=until: _lingjun(session, plan, pool, until, taken),  # type: ignore[misc]
                )
            else:
                yield from _pool(session, plan, place, pool, until)
        if not capacity.needs_lingjun(plan):
            yield from shared.each_image(session, plan, place)

    return shared.check(plan, place, Session, parts, QUOTA)


def _pool(
    session: Session, plan: ClusterPlan, place: AlicloudPlatform, pool: PlannedPool, until: datetime.date
) -> Iterator[Finding]:
    """Whether the zone sells the shape now, has eRDMA where a fabric is asked for, and the private pool is right."""
    owned = bool(capacity.private_pool(pool))

    def offer() -> list[Finding]:
        states = shared.offered(session, place, pool)
        rdma = _erdma(session, pool) if plan.fabric is not None and states else []
        return [shared.sold(place, pool, states, owned=owned), *rdma]

    yield from checked(f"shape of pool {pool.name}", offer)
    if owned:
        yield from checked(
            f"reservation of pool {pool.name}",
            lambda: list(
                reservations.findings(
                    pool, pool.machine.shape, place.zone, capacity.reservation_of(session, pool), until
                )
            ),
        )


def _erdma(session: Session, pool: PlannedPool) -> list[Finding]:
    name = f"eRDMA of pool {pool.name}"
    try:
        return [Finding(name, True, f"{capacity.interfaces(session, pool)} interfaces a node")]
    except SpecError as none:
        return [Finding(name, False, none.message, none.hint)]


def _lingjun(
    session: Session, plan: ClusterPlan, pool: PlannedPool, until: datetime.date, taken: set[str]
) -> list[Finding]:
    name = f"Lingjun nodes of pool {pool.name} in HPN zone {getattr(pool.capacity, 'id', '')}"
    try:
        bought = capacity.bought(session, plan, pool, taken)
    except ProviderError:
        raise
    except RailbedError as wrong:
        return [Finding(name, False, f"{wrong.message}: {wrong.found}", wrong.hint)]
    taken |= set(bought.nodes)
    said = f"{len(bought.nodes)} of {pool.size}, machine type {bought.machine_type or 'unknown'}"
    if len(bought.nodes) < pool.size:
        return [Finding(name, False, said, "buy the others, or take fewer nodes or spares")]
    if bought.until is not None and bought.until < until:
        said = f"{said}; one ends on {bought.until}, the longest job needs it until {until}"
        return [Finding(name, False, said, "renew the nodes, or shorten the job")]
    return [Finding(name, True, said)]
