"""What an OpenStack cloud says before anything is made: project, services, zone, flavours, image, quota, networks."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from railbed.plan import ClusterPlan
from railbed.platforms.cloud import images, reservations
from railbed.platforms.cloud.calls import ProviderError, checked
from railbed.platforms.findings import Finding
from railbed.platforms.openstack import session
from railbed.platforms.openstack.fabric import BASTION, has_bastion
from railbed.platforms.openstack.session import asked
from railbed.spec.cluster import Reservation
from railbed.spec.platforms import OpenstackPlatform

UNLIMITED = -1
ARCHITECTURES = {"x86_64": ("x86_64", "amd64"), "arm64": ("aarch64", "arm64")}
"""The catalogue's word → those of image properties."""


def check(plan: ClusterPlan, today: datetime.date) -> list[Finding]:
    """Read-only calls; every refusal becomes a finding that is not ok."""
    place = plan.place
    assert isinstance(place, OpenstackPlatform)
    try:
        cloud = session.connect(place.region)
    except ProviderError as none:
        return [Finding("credentials", False, none.message, none.hint)]
    first = checked("project", lambda: [_project(cloud, place)])
    if not first[0].ok:
        # Of another project every answer would be right, and mean nothing.
        return first
    questions: list[tuple[str, Callable[[], list[Finding]]]] = [
        ("services", lambda: list(_services(cloud, plan))),
        ("zone", lambda: [_zone(cloud, place)]),
        ("flavours", lambda: list(_flavors(cloud, plan, place))),
        *(("image", partial(_image, cloud, about, at)) for about, at in images.each(plan, place)),
        ("quota", lambda: list(_quota(cloud, plan, place))),
        ("networks", lambda: list(_networks(cloud, place))),
    ]
    found = [finding for name, ask in questions for finding in checked(name, ask)]
    return [*first, *found, *_reservations(plan, today)]


def _project(cloud: Any, place: OpenstackPlatform) -> Finding:
    found = asked("the project in use", lambda: cloud.current_project_id)
    hint = "choose the right cloud (OS_CLOUD), or correct platform.account: it is the project's id"
    return Finding("project", found == place.account, f"credentials of project {found}", hint)


def _services(cloud: Any, plan: ClusterPlan) -> Iterator[Finding]:
    """Pools are Heat stacks, filesystems Manila shares: both are parts that a cloud may lack."""
    wanted = ["orchestration"]
    if any(not one.existing or ":" not in one.existing for one in plan.filesystems):
        wanted.append("shared-file-system")
    for service in wanted:
        endpoint = asked(f"the endpoint of {service}", partial(cloud.endpoint_for, service))
        hint = "the cloud lacks this service in that region: ask its owners"
        yield Finding(f"service {service}", bool(endpoint), str(endpoint or "no endpoint"), hint)


def _zone(cloud: Any, place: OpenstackPlatform) -> Finding:
    zones = asked("the zones", lambda: list(cloud.compute.availability_zones()))
    states = {str(one.name): bool((one.state or {}).get("available")) for one in zones}
    hint = f"zones: {', '.join(sorted(states)) or 'none'}"
    return Finding("zone", states.get(place.zone, False), place.zone, hint)


def _flavors(cloud: Any, plan: ClusterPlan, place: OpenstackPlatform) -> Iterator[Finding]:
    wanted = {f"flavour of pool {pool.name}": place.flavors[pool.name] for pool in plan.pools}
    if plan.has_controller or has_bastion(plan, place):
        wanted[f"flavour of controller and {BASTION}"] = place.controller_shape or ""
    for name, flavor in wanted.items():
        there = flavor and asked(name, partial(cloud.compute.find_flavor, flavor))
        hint = "`openstack flavor list` shows what the project may use"
        yield Finding(name, bool(there), flavor or "none named (platform.controller_shape)", hint)


def _image(cloud: Any, plan: ClusterPlan, place: OpenstackPlatform) -> list[Finding]:
    found = asked("the image", lambda: cloud.image.find_image(place.image.id))
    if found is None or found.status != "active":
        state = "not shown to this project" if found is None else str(found.status)
        return [
            Finding("image", False, f"{place.image.id}: {state}", f"{images.CORRECT}: it is the image's id")
        ]
    architecture = str(found.architecture or "")
    wanted = plan.pools[0].machine.cpu_architecture
    fits = not architecture or architecture in ARCHITECTURES[wanted]
    said = f"{found.name}, {architecture or 'architecture not told'}"
    return [Finding("image", fits, said, f"an image for {wanted}")]


def _quota(cloud: Any, plan: ClusterPlan, place: OpenstackPlatform) -> Iterator[Finding]:
    """Servers in all, and members of one server group, of which Nova allows ten by default."""
    limits = asked("the quota", lambda: cloud.compute.get_limits()).absolute
    wanted = sum(pool.size for pool in plan.pools) + plan.controllers + int(has_bastion(plan, place))
    largest = max(pool.size for pool in plan.pools)
    for name, allowed, number in (
        ("quota of servers", limits.instances, wanted),
        ("quota of members of a server group", limits.server_group_members, largest),
    ):
        # Servers of this cluster are already in what is used, so that only the whole quota is compared.
        enough = allowed in (None, UNLIMITED) or allowed >= number
        yield Finding(name, enough, f"{allowed} allowed, {number} wanted", "ask the cloud's owners for more")


def _networks(cloud: Any, place: OpenstackPlatform) -> Iterator[Finding]:
    named = {"platform.network": place.network, "platform.external_network": place.external_network}
    named |= {f"platform.rail_networks[{i}]": one for i, one in enumerate(place.rail_networks)}
    for key, network in named.items():
        if network is not None:
            there = asked(key, partial(cloud.network.find_network, network))
            yield Finding(key, there is not None, network, "`openstack network list --long` shows them")


def _reservations(plan: ClusterPlan, today: datetime.date) -> Iterator[Finding]:
    """The SDK has no Blazar: the spec's own dates are compared, and the rest is its owner's to look at."""
    longest = max((one.job.days or 0.0 for one in plan.jobs), default=0.0)
    for pool in plan.pools:
        if not isinstance(pool.capacity, Reservation):
            continue
        name = f"reservation {pool.capacity.id} of pool {pool.name}"
        until = reservations.needed_until(today, pool, longest)
        ends = pool.capacity.ends
        if ends is not None and ends < until:
            found = f"it ends on {ends}, the longest job needs it until {until}"
            yield Finding(name, False, found, "extend it, or shorten the job")
        hint = "look with `openstack reservation lease list`"
        yield Finding(name, False, "not looked at: the SDK has no Blazar", hint, needed=False)
