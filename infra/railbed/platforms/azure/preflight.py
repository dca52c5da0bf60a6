"""A look at the subscription before anything is made: reads only, and says what could not be read."""

from __future__ import annotations

import datetime
from functools import partial
from typing import Any

from railbed.errors import SpecError
from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.azure.facts import facts, resource_id, size
from railbed.platforms.azure.nodes import image
from railbed.platforms.azure.session import Session
from railbed.platforms.cloud import images, reservations
from railbed.platforms.cloud.calls import ProviderError, checked
from railbed.platforms.findings import Finding
from railbed.spec.cluster import Reservation
from railbed.spec.platforms import AzurePlatform

SUBSCRIPTIONS, FEATURES, SKUS, NETWORKS = "2022-12-01", "2021-07-01", "2021-07-01", "2024-05-01"
"""API versions of what is asked."""
ENCRYPTION = "providers/Microsoft.Features/providers/Microsoft.Compute/features/EncryptionAtHost"
ARCHITECTURES = {"x86_64": "x64", "arm64": "Arm64"}


def check(plan: ClusterPlan, today: datetime.date) -> list[Finding]:
    """Subscription, feature, sizes, zone, quota, reservations, image and network, in this order."""
    place = plan.place
    if not isinstance(place, AzurePlatform):
        raise SpecError("not a plan for Azure", found=place.kind, allowed="azure")
    session = Session(place.account)
    try:
        account = _account(session, place)
    except ProviderError as failed:
        return [Finding(f"subscription {place.account}", False, failed.message, failed.hint)]
    if not account.ok:
        return [account]
    found = [account, *checked("encryption at host", lambda: _encryption(session))]
    until = max((one.job.days or 0.0 for one in plan.jobs), default=0.0)
    for pool in plan.pools:
        found += checked(f"size of pool {pool.name}", lambda p=pool: _size(session, place, p))  # type: ignore[misc]
        if isinstance(pool.capacity, Reservation):
            day = reservations.needed_until(today, pool, until)
            found += checked(
                f"reservation of pool {pool.name}",
                lambda p=pool, d=day: _reservation(session, place, p, d),  # type: ignore[misc]
            )
        if plan.fabric is not None and pool.size > facts().ib_limit:
            found.append(_domain(pool))
    for about, at in images.each(plan, place):
        found += checked(f"image {at.image.id}", partial(_image, session, about, at))
    if place.network is not None:
        found += checked(f"network {place.network}", lambda: _network(session, place))
    return found


def _account(session: Session, place: AzurePlatform) -> Finding:
    name, hint = (
        f"subscription {place.account}",
        "correct platform.account, or `az login` as somebody who may see it",
    )
    about = session.get(f"/subscriptions/{place.account}", SUBSCRIPTIONS)
    if about is None or about.get("subscriptionId") != place.account:
        return Finding(
            name, False, f"not there for this identity: {(about or {}).get('subscriptionId')}", hint
        )
    return Finding(name, about.get("state") == "Enabled", str(about.get("state")), hint)


def _encryption(session: Session) -> list[Finding]:
    about = session.get(ENCRYPTION, FEATURES) or {}
    state = about.get("properties", {}).get("state", "NotRegistered")
    hint = "`az feature register --namespace Microsoft.Compute --name EncryptionAtHost`"
    return [Finding("encryption at host", state == "Registered", state, hint)]


def _size(session: Session, place: AzurePlatform, pool: PlannedPool) -> list[Finding]:
    """Whether the region and zone have the size for this subscription, and whether its quota is enough."""
    wanted = size(pool.machine)
    listed = session.pages(
        "providers/Microsoft.Compute/skus", SKUS, **{"$filter": f"location eq '{place.region}'"}
    )
    here = [one for one in listed if one["name"] == wanted and one["resourceType"] == "virtualMachines"]
    name = f"size {wanted} of pool {pool.name}"
    if not here:
        return [
            Finding(name, False, f"not offered in {place.region}", "take another region, or another machine")
        ]
    wrong = _restricted(here[0], place)
    if wrong:
        return [Finding(name, False, wrong, "ask for it in the portal, or take another zone")]
    return [Finding(name, True, "offered"), _quota(session, place, pool, here[0])]


def _restricted(sku: dict[str, Any], place: AzurePlatform) -> str:
    """Why this subscription cannot have the size there; empty where it can."""
    zonal = place.zone != place.region
    for one in sku.get("restrictions", []):
        zones = one.get("restrictionInfo", {}).get("zones", [])
        if one["type"] == "Location" or (zonal and place.zone in zones):
            return f"restricted: {one.get('reasonCode', '')}"
    zones = [zone for info in sku.get("locationInfo", []) for zone in info.get("zones", [])]
    if zonal and place.zone not in zones:
        return f"not in zone {place.zone}; it is in {', '.join(sorted(zones)) or 'none: name the region as the zone'}"
    return ""


def _quota(session: Session, place: AzurePlatform, pool: PlannedPool, sku: dict[str, Any]) -> Finding:
    """In vCPUs of the size's family. What is in use may be this cluster's own."""
    cores = next((int(one["value"]) for one in sku.get("capabilities", []) if one["name"] == "vCPUs"), 0)
    family, wanted = sku.get("family", ""), cores * pool.size
    usages = session.pages(f"providers/Microsoft.Compute/locations/{place.region}/usages")
    usage = next((one for one in usages if one["name"]["value"].lower() == family.lower()), None)
    name = f"quota {family}"
    if usage is None:
        return Finding(name, False, "not told", "see `az vm list-usage --location REGION`", needed=False)
    limit, used = int(usage["limit"]), int(usage["currentValue"])
    said = f"{wanted} vCPUs wanted, {used} of {limit} in use"
    hint = "ask for more in the portal: quotas of a family are raised by region"
    return Finding(name, limit >= wanted, said, hint)


def _reservation(
    session: Session, place: AzurePlatform, pool: PlannedPool, until: datetime.date
) -> list[Finding]:
    at = resource_id(getattr(pool.capacity, "id", ""))
    wanted = size(pool.machine)
    listed = session.pages(f"{at}/capacityReservations")
    ours = [one for one in listed if one["sku"]["name"] == wanted]
    states = [_state_of(session, f"{at}/capacityReservations/{one['name']}", one) for one in ours]
    best = max(states, key=lambda one: one.free, default=None)
    return list(reservations.findings(pool, wanted, place.zone, best, until))


def _state_of(session: Session, path: str, one: dict[str, Any]) -> reservations.ReservationState:
    seen = session.get(path, **{"$expand": "instanceView"}) or one
    state = seen["properties"].get("provisioningState", "")
    zones = one.get("zones") or [None]
    return reservations.ReservationState(
        id=one["name"],
        active=state == "Succeeded",
        status=state,
        shape=one["sku"]["name"],
        # VMs in it may be this cluster's own, from the run before.
        free=int(one["sku"].get("capacity", 0)),
        zone=zones[0],
    )


def _domain(pool: PlannedPool) -> Finding:
    known = facts()
    said = (
        f"{pool.size} nodes in one InfiniBand scale set; Microsoft's limits page supports {known.ib_limit}, its pages "
        f"of other sizes say {known.ib_most}"
    )
    hint = "ask Microsoft what holds for this size and subscription; its API does not tell"
    return Finding(f"InfiniBand domain of pool {pool.name}", False, said, hint, needed=False)


def _image(session: Session, plan: ClusterPlan, place: AzurePlatform) -> list[Finding]:
    wanted = ARCHITECTURES[plan.pools[0].machine.cpu_architecture]
    name, hint = (
        f"image {place.image.id}",
        "give publisher:offer:sku:version, or an image's id without the first slash",
    )
    reference = image(place.image.id)
    if "id" in reference:
        path = reference["id"]
        about = session.get(path.split("/versions/")[0])
    else:
        root = f"providers/Microsoft.Compute/locations/{place.region}/publishers/{reference['publisher']}/artifacttypes"
        versions = f"{root}/vmimage/offers/{reference['offer']}/skus/{reference['sku']}/versions"
        about = (
            session.get(f"{versions}/{reference['version']}") if reference["version"] != "latest" else None
        )
        if reference["version"] == "latest":
            return [
                Finding(
                    name, False, "`latest` makes another machine tomorrow", "name the version", needed=False
                )
            ]
    if about is None:
        return [Finding(name, False, "there is no such image for this identity", hint)]
    has = about.get("properties", {}).get("architecture")
    if has not in (None, wanted):
        return [
            Finding(
                name, False, f"it is for {has}, the machine is {wanted}", "take an image of its architecture"
            )
        ]
    finding = Finding(name, True, has or "there; its architecture is not told")
    # A gallery's images have names that their owner gives.
    named = [] if "id" in reference else [place.image.id]
    return [finding, *images.compared(place, named)]


def _network(session: Session, place: AzurePlatform) -> list[Finding]:
    at = resource_id(place.network or "")
    there = session.get(at, NETWORKS) is not None
    said = "there" if there else "there is no such network for this identity"
    return [Finding(f"network {at.rsplit('/', 1)[-1]}", there, said, "correct platform.network")]
