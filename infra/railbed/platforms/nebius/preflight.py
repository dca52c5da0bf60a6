"""What can be looked at without Nebius's SDK: the spec's own dates and shapes; for the rest, the command that shows it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from railbed.errors import SpecError
from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.cloud import images, reservations
from railbed.platforms.findings import Finding
from railbed.platforms.nebius import presets
from railbed.spec.cluster import Block, Reservation
from railbed.spec.platforms import NebiusPlatform

UNSEEN = "not looked at: the extra has no SDK of Nebius"


def check(plan: ClusterPlan, today: datetime.date) -> list[Finding]:
    """Asks nothing of the provider: what the program checks by itself is not repeated, what nobody checks is named."""
    place = plan.place
    assert isinstance(place, NebiusPlatform)
    unseen = [
        (
            "project",
            f"`nebius iam project get --id {place.account}`; the program checks it before anything is made",
        ),
        *(("image", f"`nebius compute image get --id {at.image.id}`") for _, at in images.each(plan, place)),
        ("quota", "`nebius quotas quota-allowance list`"),
    ]
    if plan.fabric is not None:
        unseen.append(
            ("fabric", f"ask for {place.infiniband_fabric} and its platform in docs.nebius.com, GPU clusters")
        )
    found = [finding for pool in plan.pools for finding in _pool(plan, pool, today)]
    return [*found, *(Finding(name, False, UNSEEN, hint, needed=False) for name, hint in unseen)]


def _pool(plan: ClusterPlan, pool: PlannedPool, today: datetime.date) -> Iterator[Finding]:
    try:
        yield Finding(f"preset of pool {pool.name}", True, presets.preset(pool.machine))
    except SpecError as unknown:
        yield Finding(f"preset of pool {pool.name}", False, unknown.message, unknown.hint)
    if not isinstance(pool.capacity, (Reservation, Block)) or pool.capacity.ends is None:
        return
    longest = max((one.job.days or 0.0 for one in plan.jobs), default=0.0)
    until = reservations.needed_until(today, pool, longest)
    yield Finding(
        f"capacity block group {pool.capacity.id} of pool {pool.name}",
        pool.capacity.ends >= until,
        f"it ends on {pool.capacity.ends}, the longest job needs it until {until}",
        "extend it, or shorten the job",
    )
