"""A look at the account before anything is made: reads only, and says what could not be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.cloud import images
from railbed.platforms.cloud.calls import ProviderError, checked
from railbed.platforms.cloud.images import Place
from railbed.platforms.ecs.session import Session, items
from railbed.platforms.findings import Finding

AVAILABLE = "Available"
S = TypeVar("S", bound=Session)


def check(
    plan: ClusterPlan, place: Place, start: Callable[[str], S], parts: Callable[[S], Iterator[Finding]], quota: str
) -> list[Finding]:  # fmt: skip
    """Account, zone, ``parts`` (of the cloud's own) and ``quota`` (how to compare it), in this order."""
    try:
        session = start(place.region)
        account = session.account()
    except ProviderError as failed:
        return [Finding("account", False, failed.message, failed.hint)]
    if account != place.account:
        hint = "use the access key of the account in the spec"
        return [Finding("account", False, f"{account}, the spec says {place.account}", hint)]
    found = [Finding("account", True, account)]
    found += checked(f"zone {place.zone}", lambda: [_zone(session, place)])
    found += parts(session)
    nodes = sum(pool.size for pool in plan.pools)
    said = f"not read; {nodes} GPU nodes are needed"
    return [*found, Finding("quota", False, said, f"compare it {quota}", needed=False)]


def each_image(session: Session, plan: ClusterPlan, place: Place) -> Iterator[Finding]:
    """The platform's image, and those of pools."""
    for about, at in images.each(plan, place):
        yield from checked(f"image {at.image.id}", partial(_image, session, about, at.image.id))


def offered(session: Session, place: Place, pool: PlannedPool) -> set[str]:
    """In which states the zone offers the pool's shape now; none where it does not."""
    wanted = pool.machine.shape
    answer = session.ecs(
        "describe_available_resource", destination_resource="InstanceType", zone_id=place.zone,
        **{session.words.shape: wanted},
    )  # fmt: skip
    return {
        value.status
        for zone in items(answer, "available_zones")
        for resource in items(zone, "available_resources")
        for value in items(resource, "supported_resources")
        if value.value == wanted
    }


def sold(place: Place, pool: PlannedPool, states: set[str], *, owned: bool) -> Finding:
    """Whether the shape can be had; sold out is no error of the spec, but nothing would be made.

    ``states``: of ``offered``. ``owned``: what is bought ahead is sold out for everybody but its owner.
    """
    name = f"shape {pool.machine.shape} of pool {pool.name}"
    if not states:
        return Finding(name, False, f"not offered in {place.zone}", "take another zone, or another machine")
    hint = "reserve the nodes, or take another zone"
    return Finding(name, owned or AVAILABLE in states, ", ".join(sorted(states)), hint)


def _zone(session: Session, place: Place) -> Finding:
    wanted = {session.words.zones: [place.zone]} if session.words.zones else {}
    shown = items(session.ecs("describe_zones", **wanted), "zones")
    there = any(zone.zone_id == place.zone for zone in shown)
    said = place.region if there else f"not in region {place.region}"
    return Finding(f"zone {place.zone}", there, said, "correct platform.zone or platform.region")


def _image(session: Session, plan: ClusterPlan, image: str) -> list[Finding]:
    name, shown = f"image {image}", session.image(image)
    if shown is None:
        return [Finding(name, False, "not in this account and region", images.CORRECT)]
    fits = session.words.architectures
    wrong = [
        pool.name
        for pool in plan.pools
        if shown.architecture not in fits.get(pool.machine.cpu_architecture, (shown.architecture,))
    ]
    if wrong:
        hint = "take an image of the machine's architecture"
        return [Finding(name, False, f"{shown.architecture}, not that of pools {', '.join(wrong)}", hint)]
    if shown.cloud_init is False:
        return [
            Finding(name, False, "without cloud-init", "take an image with cloud-init: it sets up logins")
        ]
    return [Finding(name, True, f"{shown.system}, {shown.architecture}")]
