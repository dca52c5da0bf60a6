"""A look at the account before anything is made: reads only, and says what could not be read."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from railbed.errors import SpecError
from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.cloud import reservations
from railbed.platforms.cloud.calls import checked
from railbed.platforms.ecs import preflight as shared
from railbed.platforms.findings import Finding
from railbed.platforms.volcengine import capacity
from railbed.platforms.volcengine.session import Session
from railbed.spec.cluster import Reservation
from railbed.spec.platforms import VolcenginePlatform

QUOTA = "at the console: Quota Center, product ECS"


def check(plan: ClusterPlan, today: datetime.date) -> list[Finding]:
    """Account, zone, shapes, reserved instances and image, in this order."""
    place = plan.place
    if not isinstance(place, VolcenginePlatform):
        raise SpecError("not a plan for Volcengine", found=place.kind, allowed="volcengine")
    days = max((one.job.days or 0.0 for one in plan.jobs), default=0.0)

    def parts(session: Session) -> Iterator[Finding]:
        for pool in plan.pools:
            yield from _pool(session, place, pool, reservations.needed_until(today, pool, days))
        yield from shared.each_image(session, plan, place)

    return shared.check(plan, place, Session, parts, QUOTA)


def _pool(
    session: Session, place: VolcenginePlatform, pool: PlannedPool, until: datetime.date
) -> Iterator[Finding]:
    owned = isinstance(pool.capacity, Reservation)
    yield from checked(
        f"shape of pool {pool.name}",
        lambda: [shared.sold(place, pool, shared.offered(session, place, pool), owned=owned)],
    )

    def reservation() -> list[Finding]:
        record = capacity.reserved(session, pool)
        state = capacity.state_of(record) if record is not None else None
        return list(reservations.findings(pool, pool.machine.shape, place.zone, state, until))

    if owned:
        yield from checked(f"reservation of pool {pool.name}", reservation)
