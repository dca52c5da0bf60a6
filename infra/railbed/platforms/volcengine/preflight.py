"""A look at the account before anything is made: reads only, and says what could not be read."""

from __future__ import annotations

import datetime
from functools import partial

from railbed.errors import SpecError
from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.cloud import images, reservations
from railbed.platforms.cloud.calls import ProviderError, looked
from railbed.platforms.findings import Finding
from railbed.platforms.volcengine import capacity
from railbed.platforms.volcengine.session import Session
from railbed.spec.cluster import Reservation
from railbed.spec.platforms import VolcenginePlatform

X86 = ("amd64", "x86_64")
AVAILABLE = "Available"


def look(plan: ClusterPlan, today: datetime.date) -> list[Finding]:
    """Account, zone, shapes, image, reserved instances and network, in this order."""
    place = plan.place
    if not isinstance(place, VolcenginePlatform):
        raise SpecError("not a plan for Volcengine", found=place.kind, allowed="volcengine")
    try:
        session = Session(place.region)
        account = session.account()
    except ProviderError as failed:
        return [Finding("account", False, failed.message, failed.hint)]
    right = account == place.account
    if not right:
        hint = "use the access key of the account in the spec"
        return [Finding("account", False, f"{account}, the spec says {place.account}", hint)]
    until = max((one.job.days or 0.0 for one in plan.jobs), default=0.0)
    found = [Finding("account", True, account)]
    found += looked(f"zone {place.zone}", lambda: _zone(session, place))
    for pool in plan.pools:
        found += looked(f"shape of pool {pool.name}", lambda p=pool: _shape(session, place, p))  # type: ignore[misc]
        if isinstance(pool.capacity, Reservation):
            found += looked(
                f"reservation of pool {pool.name}",
                lambda p=pool: _reservation(session, place, p, reservations.needed_until(today, p, until)),  # type: ignore[misc]
            )
    for about, at in images.each(plan, place):
        found += looked(f"image {at.image}", partial(_image, session, about, at))
    found.append(_quota(plan))
    return found


def _zone(session: Session, place: VolcenginePlatform) -> list[Finding]:
    there = session.ecs("describe_zones", zone_ids=[place.zone]).zones or []
    ok = any(zone.zone_id == place.zone for zone in there)
    return [Finding(f"zone {place.zone}", ok, place.region if ok else f"not in region {place.region}",
                    "correct platform.zone or platform.region")]  # fmt: skip


def _shape(session: Session, place: VolcenginePlatform, pool: PlannedPool) -> list[Finding]:
    """Whether the zone sells the shape now; sold out is no error of the spec, but nothing would be made."""
    shape = capacity.shape(pool)
    answer = session.ecs(
        "describe_available_resource",
        destination_resource="InstanceType",
        zone_id=place.zone,
        instance_type_id=shape,
    )
    states = [
        value.status
        for zone in answer.available_zones or []
        for resource in zone.available_resources or []
        for value in resource.supported_resources or []
        if value.value == shape
    ]
    name = f"shape {shape} of pool {pool.name}"
    if not states:
        return [Finding(name, False, f"not offered in {place.zone}", "take another zone, or another machine")]
    # A reserved instance is sold out for everybody but its owner.
    owned = isinstance(pool.capacity, Reservation)
    ok = owned or AVAILABLE in states
    return [Finding(name, ok, ", ".join(sorted(set(states))), "reserve the nodes, or take another zone")]


def _reservation(
    session: Session, place: VolcenginePlatform, pool: PlannedPool, until: datetime.date
) -> list[Finding]:
    record = capacity.reserved(session, pool)
    told = capacity.held(record) if record is not None else None
    return list(reservations.findings(pool, capacity.shape(pool), place.zone, told, until))


def _image(session: Session, plan: ClusterPlan, place: VolcenginePlatform) -> list[Finding]:
    name = f"image {place.image}"
    shown = session.ecs("describe_images", image_ids=[place.image]).images or []
    if not shown:
        return [Finding(name, False, "not in this account and region", images.CORRECT)]
    wrong = [
        p.name
        for p in plan.pools
        if p.machine.cpu_architecture == "x86_64" and shown[0].architecture not in X86
    ]
    if wrong:
        hint = "take an image of the machine's architecture"
        return [
            Finding(name, False, f"{shown[0].architecture}, for pools {', '.join(wrong)} of x86_64", hint)
        ]
    if shown[0].is_support_cloud_init is False:
        return [
            Finding(name, False, "without cloud-init", "take an image with cloud-init: it sets up logins")
        ]
    return [Finding(name, True, f"{shown[0].os_name or shown[0].platform}, {shown[0].architecture}")]


def _quota(plan: ClusterPlan) -> Finding:
    nodes = sum(pool.size for pool in plan.pools)
    hint = "compare it at the console: Quota Center, product ECS"
    return Finding("quota", False, f"not read; {nodes} GPU nodes are needed", hint, needed=False)
