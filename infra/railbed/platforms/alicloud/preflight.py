"""A look at the account before anything is made: reads only, and says what could not be read."""

from __future__ import annotations

import datetime
from functools import partial

from railbed.errors import RailbedError, SpecError
from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.alicloud import capacity
from railbed.platforms.alicloud.session import Session
from railbed.platforms.cloud import images, reservations
from railbed.platforms.cloud.calls import ProviderError, looked
from railbed.platforms.findings import Finding
from railbed.spec.platforms import AlicloudPlatform

AVAILABLE = "Available"


def look(plan: ClusterPlan, today: datetime.date) -> list[Finding]:
    """Account, zone, shapes, image, private pools and Lingjun nodes, in this order."""
    place = plan.place
    if not isinstance(place, AlicloudPlatform):
        raise SpecError("not a plan for Alibaba Cloud", found=place.kind, allowed="alicloud")
    try:
        session = Session(place.region)
        account = session.account()
    except ProviderError as failed:
        return [Finding("account", False, failed.message, failed.hint)]
    if account != place.account:
        hint = "use the access key of the account in the spec"
        return [Finding("account", False, f"{account}, the spec says {place.account}", hint)]
    found = [Finding("account", True, account)]
    found += looked(f"zone {place.zone}", lambda: _zone(session, place))
    days = max((one.job.days or 0.0 for one in plan.jobs), default=0.0)
    taken: set[str] = set()
    for pool in plan.pools:
        until = reservations.needed_until(today, pool, days)
        found += _pool(session, plan, place, pool, until, taken)
    if not any(capacity.is_lingjun(pool) for pool in plan.pools):
        for about, at in images.each(plan, place):
            found += looked(f"image {at.image}", partial(_image, session, about, at))
    found.append(_quota(plan))
    return found


def _pool(
    session: Session, plan: ClusterPlan, place: AlicloudPlatform, pool: PlannedPool, until: datetime.date,
    taken: set[str],
) -> list[Finding]:  # fmt: skip
    if capacity.is_lingjun(pool):
        return looked(
            f"Lingjun nodes of pool {pool.name}", lambda: _lingjun(session, plan, pool, until, taken)
        )
    found = looked(f"shape of pool {pool.name}", lambda: _shape(session, plan, place, pool))
    if capacity.private_pool(pool):
        found += looked(
            f"reservation of pool {pool.name}",
            lambda: list(
                reservations.findings(
                    pool, capacity.shape(pool), place.zone, capacity.held(session, pool), until
                )
            ),
        )
    return found


def _zone(session: Session, place: AlicloudPlatform) -> list[Finding]:
    there = session.ecs("describe_zones").zones.zone or []
    ok = any(zone.zone_id == place.zone for zone in there)
    return [Finding(f"zone {place.zone}", ok, place.region if ok else f"not in region {place.region}",
                    "correct platform.zone or platform.region")]  # fmt: skip


def _shape(session: Session, plan: ClusterPlan, place: AlicloudPlatform, pool: PlannedPool) -> list[Finding]:
    """Whether the zone sells the shape now, and has eRDMA where a fabric is asked for."""
    shape = capacity.shape(pool)
    name = f"shape {shape} of pool {pool.name}"
    answer = session.ecs(
        "describe_available_resource",
        destination_resource="InstanceType",
        zone_id=place.zone,
        instance_type=shape,
    )
    states = [
        value.status
        for zone in answer.available_zones.available_zone or []
        for resource in zone.available_resources.available_resource or []
        for value in resource.supported_resources.supported_resource or []
        if value.value == shape
    ]
    if not states:
        return [Finding(name, False, f"not offered in {place.zone}", "take another zone, or another machine")]
    # A private pool is sold out for everybody but its owner.
    ok = bool(capacity.private_pool(pool)) or AVAILABLE in states
    found = [Finding(name, ok, ", ".join(sorted(set(states))), "reserve the nodes, or take another zone")]
    if plan.fabric is None:
        return found
    try:
        cards = capacity.interfaces(session, pool)
    except SpecError as none:
        return [*found, Finding(f"eRDMA of pool {pool.name}", False, none.message, none.hint)]
    return [*found, Finding(f"eRDMA of pool {pool.name}", True, f"{cards} interfaces a node")]


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


def _image(session: Session, plan: ClusterPlan, place: AlicloudPlatform) -> list[Finding]:
    name = f"image {place.image}"
    shown = session.ecs("describe_images", image_id=place.image).images.image or []
    if not shown:
        return [Finding(name, False, "not in this account and region", images.CORRECT)]
    wrong = [p.name for p in plan.pools if p.machine.cpu_architecture != shown[0].architecture]
    if wrong:
        hint = "take an image of the machine's architecture"
        return [Finding(name, False, f"{shown[0].architecture}, not that of pools {', '.join(wrong)}", hint)]
    if shown[0].is_support_cloudinit is False:
        return [
            Finding(name, False, "without cloud-init", "take an image with cloud-init: it sets up logins")
        ]
    return [Finding(name, True, f"{shown[0].osname}, {shown[0].architecture}")]


def _quota(plan: ClusterPlan) -> Finding:
    nodes = sum(pool.size for pool in plan.pools)
    hint = "compare it with `aliyun quotas ListProductQuotas --ProductCode ecs`"
    return Finding("quota", False, f"not read; {nodes} GPU nodes are needed", hint, needed=False)
