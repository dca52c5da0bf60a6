"""What Oracle Cloud says before anything is made: compartment, region, domain, shape, limit, capacity, image, network."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from railbed.errors import RailbedError
from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.cloud import images, reservations
from railbed.platforms.cloud.calls import ProviderError, checked
from railbed.platforms.cloud.reservations import ReservationState
from railbed.platforms.findings import Finding
from railbed.platforms.oci import capacity, session
from railbed.platforms.oci.session import Clients, asked, every
from railbed.spec.cluster import OnDemand
from railbed.spec.platforms import OciPlatform

NOT_FOUND = 404
Check = Callable[[], list[Finding]]


def check(plan: ClusterPlan, today: datetime.date) -> list[Finding]:
    """Read-only calls; every refusal becomes a finding that is not ok."""
    assert isinstance(plan.place, OciPlatform)
    place = plan.place
    try:
        cloud = session.clients(place.region)
    except RailbedError as none:
        return [Finding("credentials", False, none.message, none.hint)]
    first = checked("compartment", lambda: [_compartment(cloud, place)])
    if not first[0].ok:
        # Without it every other question has the same answer.
        return first
    questions: list[tuple[str, Check]] = [
        ("region and domain", lambda: _where(cloud, place)),
        *(("image", partial(_image, cloud, about, at)) for about, at in images.each(plan, place)),
        ("network", lambda: _network(cloud, place)),
        *((f"pool {pool.name}", partial(_pool, cloud, plan, pool, today)) for pool in plan.pools),
        *((f"filesystem {one.name}", partial(_filesystem, cloud, one.existing, place.zone))
          for one in plan.filesystems if one.existing),
    ]  # fmt: skip
    return [*first, *(finding for name, ask in questions for finding in checked(name, ask))]


def _compartment(cloud: Clients, place: OciPlatform) -> Finding:
    found = _there(lambda: cloud.identity.get_compartment(place.account).data, f"compartment {place.account}")
    if found is None:
        hint = "choose the profile of the right tenancy (OCI_CLI_PROFILE), or correct platform.account"
        return Finding("compartment", False, f"{place.account} is not shown to these credentials", hint)
    return Finding("compartment", found.lifecycle_state == "ACTIVE", f"{found.name}, {found.lifecycle_state}")


def _where(cloud: Clients, place: OciPlatform) -> list[Finding]:
    """A region that the tenancy is not subscribed to refuses the credentials; so the domain answers for both."""
    with asked("the availability domains"):
        domains = [str(one.name) for one in cloud.identity.list_availability_domains(place.account).data]
    hint = f"domains of {place.region}: {', '.join(domains) or 'none'}"
    return [Finding("availability domain", place.zone in domains, place.zone, hint)]


def _image(cloud: Clients, plan: ClusterPlan, place: OciPlatform) -> list[Finding]:
    found = _there(lambda: cloud.compute.get_image(place.image.id).data, f"image {place.image.id}")
    if found is None or found.lifecycle_state != "AVAILABLE":
        state = found.lifecycle_state if found is not None else "not shown to these credentials"
        return [Finding("image", False, f"{place.image.id}: {state}", images.CORRECT)]
    with asked("the shapes of the image"):
        shapes = {
            str(one.shape)
            for one in every(cloud.compute.list_image_shape_compatibility_entries, place.image.id)
        }
    wanted = sorted({pool.machine.shape for pool in plan.pools})
    # A list that is empty says nothing: custom images have none until somebody adds entries.
    lacking = [shape for shape in wanted if shapes and shape not in shapes]
    hint = f"add the shape to the image's compatible ones, or name an image for {', '.join(lacking)}"
    finding = Finding("image", not lacking, f"{found.display_name}, for {', '.join(lacking or wanted)}", hint)
    return [finding, *images.compared(place, [str(found.display_name or "")])]


def _network(cloud: Clients, place: OciPlatform) -> list[Finding]:
    if place.subnet is None:
        return []
    found = _there(lambda: cloud.network.get_subnet(place.subnet).data, f"subnet {place.subnet}")
    if found is None:
        return [
            Finding(
                "subnet",
                False,
                f"{place.subnet} is not shown to these credentials",
                "correct platform.subnet",
            )
        ]
    wrong = []
    if place.network not in (None, found.vcn_id):
        wrong.append(f"it is in network {found.vcn_id}")
    if not found.prohibit_public_ip_on_vnic:
        wrong.append("it gives nodes public addresses")
    if found.availability_domain not in (None, place.zone):
        wrong.append(f"it is in {found.availability_domain}")
    return [Finding("subnet", not wrong, "; ".join(wrong) or str(found.cidr_block), "name a private subnet")]


def _pool(cloud: Clients, plan: ClusterPlan, pool: PlannedPool, today: datetime.date) -> list[Finding]:
    place = plan.place
    assert isinstance(place, OciPlatform)
    shape = pool.machine.shape
    with asked(f"the shapes of {place.zone}"):
        offered = {
            str(one.shape): one
            for one in every(cloud.compute.list_shapes, place.account, availability_domain=place.zone)
        }
    name = f"shape of pool {pool.name}"
    if shape not in offered:
        hint = f"ask Oracle for it, or choose another domain than {place.zone}"
        return [Finding(name, False, f"{shape} is not offered to this tenancy in {place.zone}", hint)]
    findings = [Finding(name, True, shape), *_limits(cloud, place, pool, offered[shape])]
    if capacity.is_rack(pool):
        return findings
    if isinstance(pool.capacity, OnDemand):
        return [*findings, _on_demand(cloud, place, pool)]
    return [*findings, *_reserved(cloud, plan, pool, today)]


def _limits(cloud: Clients, place: OciPlatform, pool: PlannedPool, shape: Any) -> Iterator[Finding]:
    """The limits that the shape itself names; those of GPU shapes count GPUs, others whole instances."""
    for limit in shape.quota_names or []:
        wanted = pool.size * (pool.machine.gpus if "gpu" in limit else 1)
        with asked(f"the limit {limit}"):
            left = cloud.limits.get_resource_availability(
                "compute", limit, place.account, availability_domain=place.zone
            ).data
        name = f"limit {limit} for pool {pool.name}"
        if left.available is None:
            yield Finding(name, False, "not told", "look at Limits, Quotas and Usage", needed=False)
        else:
            enough = left.available + (left.used or 0) >= wanted
            found = f"{left.available} left, {left.used or 0} used, {wanted} wanted"
            # What this very cluster uses already is in `used`: only a sum that cannot do is refused.
            yield Finding(name, enough, found, "ask for a higher limit")


def _on_demand(cloud: Clients, place: OciPlatform, pool: PlannedPool) -> Finding:
    """Advice: on-demand capacity comes and goes, and a pool that is not whole is resumed by another `up`."""
    from oci.core import models

    details = models.CreateComputeCapacityReportDetails(
        compartment_id=place.account,
        availability_domain=place.zone,
        shape_availabilities=[
            models.CreateCapacityReportShapeAvailabilityDetails(instance_shape=pool.machine.shape)
        ],
    )
    with asked("a capacity report"):
        (report,) = cloud.compute.create_compute_capacity_report(details).data.shape_availabilities
    count = "" if report.available_count is None else f", {report.available_count} hosts"
    ok = report.availability_status == "AVAILABLE" and (report.available_count or pool.size) >= pool.size
    hint = "reserve the nodes, or expect a pool that is not whole"
    return Finding(
        f"capacity of pool {pool.name}", ok, f"{report.availability_status}{count}", hint, needed=False
    )


def _reserved(cloud: Clients, plan: ClusterPlan, pool: PlannedPool, today: datetime.date) -> list[Finding]:
    place = plan.place
    assert isinstance(place, OciPlatform)
    reservation = capacity.reservation(pool) or ""
    found = _there(
        lambda: cloud.compute.get_compute_capacity_reservation(reservation).data, f"reservation {reservation}"
    )
    longest = max((one.job.days or 0.0 for one in plan.jobs), default=0.0)
    until = reservations.needed_until(today, pool, longest)
    return list(
        reservations.findings(pool, pool.machine.shape, place.zone, found and _state_of(found, pool), until)
    )


def _state_of(found: Any, pool: PlannedPool) -> ReservationState:
    """Oracle's reservations have no dates: the last day is the spec's."""
    parts = [one for one in found.instance_reservation_configs if one.instance_shape == pool.machine.shape]
    others = [str(one.instance_shape) for one in found.instance_reservation_configs]
    return ReservationState(
        id=str(found.id),
        active=found.lifecycle_state == "ACTIVE",
        status=str(found.lifecycle_state),
        shape=pool.machine.shape if parts else ", ".join(others) or "nothing",
        free=sum(int(one.reserved_count or 0) for one in parts),
        zone=str(found.availability_domain),
        starts=getattr(pool.capacity, "starts", None),
        ends=getattr(pool.capacity, "ends", None),
    )


def _filesystem(cloud: Clients, existing: str, zone: str) -> list[Finding]:
    found = _there(lambda: cloud.lustre.get_lustre_file_system(existing).data, f"filesystem {existing}")
    name = f"filesystem {existing}"
    if found is None:
        return [Finding(name, False, "not shown to these credentials", "correct filesystems[].existing")]
    near = found.availability_domain == zone
    hint = "" if near else "it is in another domain: every read crosses it"
    ok = found.lifecycle_state == "ACTIVE"
    return [Finding(name, ok, f"{found.lifecycle_state} in {found.availability_domain}", hint)]


def _there(ask: Callable[[], Any], what: str) -> Any:
    """The answer; None where Oracle shows no such thing to this identity (it never says which of the two it is)."""
    try:
        with asked(what):
            return ask()
    except ProviderError as refused:
        if refused.found in ("NotAuthorizedOrNotFound", NOT_FOUND):
            return None
        raise
