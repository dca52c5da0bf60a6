"""A look at the project before anything is made: reads only, and says what could not be read."""

from __future__ import annotations

import datetime
from functools import partial
from typing import Any

from railbed.errors import SpecError
from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.cloud import images, reservations
from railbed.platforms.cloud.calls import ProviderError, checked
from railbed.platforms.cloud.tags import PREFIX, plain
from railbed.platforms.findings import Finding
from railbed.platforms.gcp import profile
from railbed.platforms.gcp.facts import facts, machine_type
from railbed.platforms.gcp.session import Session
from railbed.spec.cluster import Block, Reservation
from railbed.spec.platforms import GcpPlatform

ARCHITECTURES = {"x86_64": "X86_64", "arm64": "ARM64"}
PROCURED = ("FULFILLED", "APPROVED", "COMMITTED", "PROVISIONING")
"""States of a future reservation that will, or does, give its VMs (Compute Engine API v1)."""


def check(plan: ClusterPlan, today: datetime.date) -> list[Finding]:
    """Project, zone, shapes, profile of the rails, reservations, image, network and quota, in this order."""
    place = plan.place
    if not isinstance(place, GcpPlatform):
        raise SpecError("not a plan for Google Cloud", found=place.kind, allowed="gcp")
    session = Session(place.account)
    try:
        account = _account(session, place)
    except ProviderError as failed:
        return [Finding(f"project {place.account}", False, failed.message, failed.hint)]
    if not account.ok:
        return [account]
    found = [account, *checked(f"zone {place.zone}", lambda: _zone(session, place))]
    until = max((one.job.days or 0.0 for one in plan.jobs), default=0.0)
    for pool in plan.pools:
        found += checked(f"shape of pool {pool.name}", lambda p=pool: _shape(session, place, p))  # type: ignore[misc]
        if isinstance(pool.capacity, (Reservation, Block)):
            day = reservations.needed_until(today, pool, until)
            found += checked(
                f"reservation of pool {pool.name}",
                lambda p=pool, d=day: list(
                    reservations.findings(
                        p, machine_type(p.machine), place.zone, _reservation(session, place, plan, p), d
                    )
                ),  # type: ignore[misc]
            )
    if plan.fabric is not None:
        found += checked("network profile of the rails", lambda: _profile(session, plan, place))
    for about, at in images.each(plan, place):
        found += checked(f"image {at.image.id}", partial(_image, session, about, at))
    if place.network is not None:
        found += checked(f"network {place.network}", lambda: _network(session, plan, place))
    return [*found, _quota(plan)]


def _account(session: Session, place: GcpPlatform) -> Finding:
    name, hint = f"project {place.account}", "correct platform.account, or log in as somebody who may see it"
    project = session.about()
    if project is None or project.get("projectId") != place.account:
        return Finding(name, False, f"not there for this identity: {(project or {}).get('projectId')}", hint)
    state = project.get("lifecycleState", "")
    return Finding(name, state == "ACTIVE", state, hint)


def _zone(session: Session, place: GcpPlatform) -> list[Finding]:
    zone = session.get(f"zones/{place.zone}")
    name, hint = f"zone {place.zone}", "correct platform.zone or platform.region"
    if zone is None:
        return [Finding(name, False, "there is no such zone", hint)]
    region = zone["region"].rsplit("/", 1)[-1]
    if region != place.region:
        return [Finding(name, False, f"it is in {region}, not in {place.region}", hint)]
    return [Finding(name, zone["status"] == "UP", zone["status"], "wait, or take another zone")]


def _shape(session: Session, place: GcpPlatform, pool: PlannedPool) -> list[Finding]:
    shape = machine_type(pool.machine)
    there = session.get(f"zones/{place.zone}/machineTypes/{shape}") is not None
    said = "offered" if there else f"not offered in {place.zone}"
    return [
        Finding(f"shape {shape} of pool {pool.name}", there, said, "take another zone, or another machine")
    ]


def _profile(session: Session, plan: ClusterPlan, place: GcpPlatform) -> list[Finding]:
    """The zone must have a network of that kind, not every zone with the shape's GPUs has; and it must allow what is asked."""
    ending = facts().rail_profile.get(machine_type(plan.pools[0].machine))
    if ending is None:
        return []
    name = f"{place.zone}-{ending}"
    about = f"network profile {name}"
    found = session.get(f"global/networkProfiles/{name}")
    if found is None:
        hint = "take a zone with RDMA for this machine"
        return [Finding(about, False, "the zone has no such network", hint)]
    refused, untold = profile.compared(ending, found.get("features") or {})
    if refused:
        hint = "the network cannot be made as the program asks: take another zone or machine, and report it"
        return [Finding(about, False, f"refuses {'; '.join(refused)}", hint)]
    if untold:
        hint = f"compare `gcloud compute network-profiles describe {name}` with docs/platforms/gcp.md"
        return [Finding(about, False, f"does not tell {', '.join(untold)}", hint, needed=False)]
    return [Finding(about, True, "there, and allows what the rails ask")]


def _reservation(
    session: Session, place: GcpPlatform, plan: ClusterPlan, pool: PlannedPool
) -> reservations.ReservationState | None:
    """A reservation of the zone, in the project or shared with it; else one that is to come."""
    path = getattr(pool.capacity, "id", "").split("/")
    name = path[path.index("reservations") + 1] if "reservations" in path else path[-1]
    owner = path[path.index("projects") + 1] if "projects" in path else place.account
    at = f"projects/{owner}/zones/{place.zone}"
    found = session.elsewhere(f"{at}/reservations/{name}")
    if found is not None:
        return _present(name, found, _own(session, place, plan))
    coming = session.elsewhere(f"{at}/futureReservations/{name}")
    return None if coming is None else _coming(name, coming)


def _own(session: Session, place: GcpPlatform, plan: ClusterPlan) -> int:
    """Instances of this cluster that run already: they use what they are about to ask for."""
    wanted = f"labels.{PREFIX}cluster={plain(plan.name)} AND labels.{PREFIX}role=node"
    return sum(1 for _ in session.pages(f"zones/{place.zone}/instances", "items", filter=wanted))


def _present(name: str, found: dict[str, Any], own: int) -> reservations.ReservationState:
    specific = found.get("specificReservation", {})
    return reservations.ReservationState(
        id=name,
        active=found.get("status") == "READY",
        status=found.get("status", "without a status"),
        shape=specific.get("instanceProperties", {}).get("machineType", "").rsplit("/", 1)[-1],
        free=int(specific.get("count", 0)) - max(0, int(specific.get("inUseCount", 0)) - own),
        zone=found.get("zone", "").rsplit("/", 1)[-1],
        ends=_day(found.get("deleteAtTime")),
    )


def _coming(name: str, found: dict[str, Any]) -> reservations.ReservationState:
    status = found.get("status", {}).get("procurementStatus", "")
    specific, window = found.get("specificSkuProperties", {}), found.get("timeWindow", {})
    return reservations.ReservationState(
        id=name,
        active=status in PROCURED,
        status=status or "without a status",
        shape=specific.get("instanceProperties", {}).get("machineType", "").rsplit("/", 1)[-1],
        free=int(specific.get("totalCount", 0)),
        zone=found.get("zone", "").rsplit("/", 1)[-1],
        starts=_day(window.get("startTime")),
        ends=_day(window.get("endTime")),
    )


def _day(text: str | None) -> datetime.date | None:
    return datetime.date.fromisoformat(text[:10]) if text else None


def _image(session: Session, plan: ClusterPlan, place: GcpPlatform) -> list[Finding]:
    name, hint = (
        f"image {place.image.id}",
        "give `projects/PROJECT/global/images/NAME` or `…/images/family/FAMILY`",
    )
    path = place.image.id.removeprefix("https://www.googleapis.com/compute/v1/")
    full = (
        path
        if path.startswith("projects/")
        else f"projects/{place.account}/global/images/{path.rsplit('images/', 1)[-1]}"
    )
    found = session.elsewhere(full)
    if found is None:
        return [Finding(name, False, "there is no such image for this identity", hint)]
    wanted = ARCHITECTURES[plan.pools[0].machine.cpu_architecture]
    has = found.get("architecture", "X86_64")
    if has != wanted:
        return [
            Finding(
                name, False, f"it is for {has}, the machine is {wanted}", "take an image of its architecture"
            )
        ]
    finding = Finding(name, found.get("status") == "READY", str(found.get("status")), hint)
    return [finding, *images.compared(place, [str(found.get("name") or ""), str(found.get("family") or "")])]


def _network(session: Session, plan: ClusterPlan, place: GcpPlatform) -> list[Finding]:
    path = (place.network or "").split("/")
    owner = path[path.index("projects") + 1] if "projects" in path else place.account
    found = session.elsewhere(f"projects/{owner}/global/networks/{path[-1]}")
    name = f"network {path[-1]}"
    if found is None:
        return [
            Finding(name, False, "there is no such network for this identity", "correct platform.network")
        ]
    wanted, has = facts().frontend_mtu[machine_type(plan.pools[0].machine)], found.get("mtu", 1460)
    hint = f"`gcloud compute networks update {path[-1]} --mtu={wanted}` speeds up storage"
    return [Finding(name, has == wanted, f"MTU {has}, for this machine {wanted}", hint, needed=False)]


def _quota(plan: ClusterPlan) -> Finding:
    """The Compute API does not list quotas of a GPU family; reserved capacity has its own."""
    free = all(isinstance(pool.capacity, (Reservation, Block)) for pool in plan.pools)
    gpus = sum(pool.size * pool.machine.gpus for pool in plan.pools)
    if free:
        return Finding("quota", True, "reserved capacity needs none")
    return Finding(
        "quota", False, f"{gpus} GPUs: not in the API that railbed asks", needed=False,
        hint="`gcloud beta quotas info describe GPUS-PER-GPU-FAMILY-per-project-region --service=compute.googleapis.com`",
    )  # fmt: skip
