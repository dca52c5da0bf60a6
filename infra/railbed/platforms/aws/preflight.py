"""Whether account, zone, shape, quota, capacity, image and network are what the plan needs. Read-only calls."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from functools import partial

from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.aws import discover, layout, policies, reads
from railbed.platforms.aws.facts import facts
from railbed.platforms.cloud import calls, images, reservations
from railbed.platforms.cloud.tags import PREFIX, plain
from railbed.platforms.findings import Finding
from railbed.spec.cluster import Block, OnDemand, Reservation, Spot
from railbed.spec.platforms import AwsPlatform

BLOCK = "capacity-block"
AVAILABLE = "available"


def check(plan: ClusterPlan, today: datetime.date) -> list[Finding]:
    """One finding and more for each thing that must be there before anything is made; no finding raises.

    Without valid credentials of the right account the other looks are left out: they would only repeat it.
    """
    place = plan.place
    assert isinstance(place, AwsPlatform)
    account = calls.checked("credentials and account", partial(_account, place))
    if not all(finding.ok for finding in account):
        return account
    checks: list[tuple[str, Callable[[], list[Finding]]]] = [
        ("zone", partial(_zone, place)),
        *(("image", partial(_image, about, at)) for about, at in images.each(plan, place)),
        ("network", partial(_network, plan, place)),
        ("permissions boundary", partial(_boundary, plan, place)),
        ("quota", partial(_quota, plan, place)),
        ("quota of network interfaces", partial(_interfaces, plan, place)),
    ]
    shapes = dict.fromkeys(pool.machine.shape for pool in plan.pools)
    checks += [(f"shape {shape}", partial(_shape, plan, place, shape)) for shape in shapes]
    checks += [
        (
            f"reservation {pool.capacity.id} of pool {pool.name}",
            partial(_reservation, plan, place, pool, today),
        )
        for pool in plan.pools
        if isinstance(pool.capacity, (Reservation, Block))
    ]
    checks += [
        (f"filesystem {one.name}", partial(_filesystem, place, one.existing, one.name))
        for one in plan.filesystems
        if one.existing
    ]
    return [*account, *(finding for name, ask in checks for finding in calls.checked(name, ask))]


def _account(place: AwsPlatform) -> list[Finding]:
    with reads.asking("AWS on who is asking"):
        who = reads.client("sts", place.region).get_caller_identity()
    ok = who["Account"] == place.account
    hint = "" if ok else "use credentials of that account (AWS_PROFILE), or correct platform.account"
    return [Finding(f"account {place.account}", ok, f"{who['Account']} as {who['Arn']}", hint)]


def _zone(place: AwsPlatform) -> list[Finding]:
    with reads.asking("AWS on its zones"):
        zones = reads.client("ec2", place.region).describe_availability_zones()["AvailabilityZones"]
    states = {one["ZoneName"]: one["State"] for one in zones}
    state = states.get(place.zone, f"not in {place.region}: it has {', '.join(sorted(states))}")
    return [
        Finding(f"zone {place.zone}", state == AVAILABLE, state, "" if state == AVAILABLE else "name another")
    ]


def _image(plan: ClusterPlan, place: AwsPlatform) -> list[Finding]:
    name = f"image {place.image.id}"
    with reads.asking(f"AWS on {name}"):
        shown = reads.client("ec2", place.region).describe_images(
            Filters=[{"Name": "image-id", "Values": [place.image.id]}]
        )["Images"]
    if not shown:
        return [
            Finding(
                name,
                False,
                f"not in {place.region}, or not shared with this account",
                "images belong to a region",
            )
        ]
    image, wanted = shown[0], plan.pools[0].machine.cpu_architecture
    found = f"{image['Architecture']}, {image['State']}, {image.get('RootDeviceType', 'unknown root device')}"
    ok = image["Architecture"] == wanted and image["State"] == AVAILABLE
    finding = Finding(name, ok, found, "" if ok else f"the machines need {wanted}")
    return [finding, *images.compared(place, [str(image.get("Name") or "")])]


def _network(plan: ClusterPlan, place: AwsPlatform) -> list[Finding]:
    """Of an existing network: the subnet is in it and in the zone, gives no public addresses and has room."""
    if place.network is None or place.subnet is None:
        return []
    name = f"subnet {place.subnet}"
    with reads.asking(f"AWS on {name}"):
        subnets = reads.client("ec2", place.region).describe_subnets(
            Filters=[{"Name": "subnet-id", "Values": [place.subnet]}]
        )["Subnets"]
    if not subnets:
        return [Finding(name, False, f"not in {place.region}", "correct platform.subnet")]
    subnet = subnets[0]
    needed = sum(pool.size for pool in plan.pools) + plan.controllers
    free = subnet["AvailableIpAddressCount"]
    wrong = [
        (
            subnet["VpcId"] != place.network,
            f"it is in {subnet['VpcId']}",
            f"name a subnet of {place.network}",
        ),
        (
            subnet["AvailabilityZone"] != place.zone,
            f"it is in {subnet['AvailabilityZone']}",
            "one fabric is in one zone",
        ),
        (subnet["MapPublicIpOnLaunch"], "it gives public addresses", "name a private subnet"),
        (free < needed, f"{free} free addresses, {needed} hosts", "name a larger one"),
    ]
    bad = [Finding(name, False, found, hint) for is_wrong, found, hint in wrong if is_wrong]
    return bad or [Finding(name, True, f"in {place.zone}, {free} free addresses")]


def _boundary(plan: ClusterPlan, place: AwsPlatform) -> list[Finding]:
    """The policy that bounds the cluster's roles is there, and is the one that this release ships."""
    cluster = plain(plan.name)
    arn = policies.boundary(place.account, cluster)
    iam = reads.client("iam", place.region)
    with reads.asking(f"AWS on {arn}"):
        try:
            version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        except iam.exceptions.NoSuchEntityException:
            hint = "an administrator makes it once, from identities/boundary.json: docs/platforms/aws.md"
            return [Finding("permissions boundary", False, f"no policy {arn}", hint)]
        shown = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    if shown == policies.document("boundary", cluster, place.region, place.account):
        return [Finding("permissions boundary", True, arn)]
    hint = "compare it with identities/boundary.json: what it leaves out, the cluster's roles cannot do"
    return [Finding("permissions boundary", False, f"{arn} is another than this release ships", hint, False)]


def _shape(plan: ClusterPlan, place: AwsPlatform, shape: str) -> list[Finding]:
    """Offered in the zone, and with as many network cards as the layout asks for."""
    ec2 = reads.client("ec2", place.region)
    with reads.asking(f"AWS on {shape}"):
        offered = ec2.describe_instance_type_offerings(
            LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": [shape]}]
        )["InstanceTypeOfferings"]
    zones = sorted(one["Location"] for one in offered)
    where = f"offered in {', '.join(zones) or 'no zone'} of {place.region}"
    findings = [
        Finding(
            f"shape {shape}",
            place.zone in zones,
            where,
            "" if place.zone in zones else "choose one of those zones",
        )
    ]
    if plan.fabric is None or not zones:
        return findings
    with reads.asking(f"AWS on the network cards of {shape}"):
        types = ec2.describe_instance_types(Filters=[{"Name": "instance-type", "Values": [shape]}])[
            "InstanceTypes"
        ]
    known = next(pool.machine for pool in plan.pools if pool.machine.shape == shape)
    wanted = sum(one.efa for one in layout.interfaces(known, with_rails=True))
    most = types[0]["NetworkInfo"].get("EfaInfo", {}).get("MaximumEfaInterfaces", 0) if types else 0
    hint = "" if most == wanted else "the catalogue's machine and AWS differ: correct rails and NICs"
    return [
        *findings,
        Finding(f"EFA of {shape}", most == wanted, f"{most} EFA interfaces, {wanted} planned", hint),
    ]


def _quota(plan: ClusterPlan, place: AwsPlatform) -> list[Finding]:
    """vCPUs that the account may run, of each way of buying; a block needs none (EC2 User Guide, Capacity Blocks)."""
    findings = []
    for name, kinds in (("on_demand", (OnDemand, Reservation)), ("spot", (Spot,))):
        pools = [pool for pool in plan.pools if isinstance(pool.capacity, kinds)]
        if not pools:
            continue
        code = facts().quota_codes[name]
        with reads.asking(f"AWS on quota {code}"):
            quota = reads.client("service-quotas", place.region).get_service_quota(
                ServiceCode="ec2", QuotaCode=code
            )
        allowed = quota["Quota"]["Value"]
        needed = sum(pool.size * (pool.machine.known_cpus or 0) for pool in pools)
        ok = allowed >= needed
        hint = "" if ok else f"ask for {needed} vCPUs: service-quotas, EC2, {code}"
        findings.append(Finding(f"quota {code} ({name})", ok, f"{allowed:g} vCPUs, {needed} needed", hint))
    return findings


def _interfaces(plan: ClusterPlan, place: AwsPlatform) -> list[Finding]:
    """Network interfaces of the region: a node takes one for each of its cards. What others use of them is not counted."""
    code = facts().interface_quota
    with reads.asking(f"AWS on quota {code}"):
        quota = reads.client("service-quotas", place.region).get_service_quota(
            ServiceCode="vpc", QuotaCode=code
        )
    allowed = quota["Quota"]["Value"]
    with_rails = plan.fabric is not None
    each = {pool.name: len(layout.interfaces(pool.machine, with_rails)) for pool in plan.pools}
    needed = sum(pool.size * each[pool.name] for pool in plan.pools) + plan.controllers
    ok = allowed >= needed
    hint = "" if ok else f"ask for {needed} and what else the region has: service-quotas, VPC, {code}"
    return [Finding(f"quota {code} (network interfaces)", ok, f"{allowed:g}, {needed} needed", hint)]


def _reservation(
    plan: ClusterPlan, place: AwsPlatform, pool: PlannedPool, today: datetime.date
) -> list[Finding]:
    """The reservation or block of a pool, counted with this cluster's own instances that run in it."""
    capacity = pool.capacity
    assert isinstance(capacity, (Reservation, Block))
    longest = max((one.job.days or 0.0 for one in plan.jobs), default=0.0)
    until = reservations.needed_until(today, pool, longest)
    try:
        found = reads.reservation(place.region, capacity.id)
    except calls.ProviderError as refused:
        if not str(refused.found).startswith("InvalidCapacityReservationId"):
            raise
        return list(reservations.findings(pool, pool.machine.shape, place.zone, None, until))
    ours = _running(plan, place, capacity.id)
    state, starts, ends = found["State"], found.get("StartDate"), found.get("EndDate")
    known = reservations.ReservationState(
        id=capacity.id,
        active=state == "active",
        status=state if state == "active" or starts is None else f"{state}, from {starts.date()}",
        shape=found["InstanceType"],
        free=found["AvailableInstanceCount"] + ours,
        zone=found["AvailabilityZone"],
        starts=starts.date() if starts else None,
        ends=ends.date() if ends else None,
    )
    findings = list(reservations.findings(pool, pool.machine.shape, place.zone, known, until))
    is_block = found.get("ReservationType", "default") == BLOCK
    if is_block != isinstance(capacity, Block):
        kind = "block" if is_block else "reservation"
        findings.append(
            Finding(
                f"kind of {capacity.id}",
                False,
                f"it is a {kind}",
                f"write `kind: {kind}` for pool {pool.name}",
            )
        )
    return findings


def _running(plan: ClusterPlan, place: AwsPlatform, capacity: str) -> int:
    with reads.asking(f"AWS on the instances in {capacity}"):
        pages = (
            reads.client("ec2", place.region)
            .get_paginator("describe_instances")
            .paginate(
                Filters=[
                    {"Name": f"tag:{PREFIX}cluster", "Values": [plain(plan.name)]},
                    {"Name": "capacity-reservation-id", "Values": [capacity]},
                    {"Name": "instance-state-name", "Values": list(discover.THERE)},
                ]
            )
        )
        return len(discover.instances(pages))


def _filesystem(place: AwsPlatform, identifier: str, name: str) -> list[Finding]:
    found = reads.lustre(place.region, identifier)
    state, kind = found["Lifecycle"], found["FileSystemType"]
    ok = state == "AVAILABLE" and kind == "LUSTRE"
    hint = "" if ok else "name an FSx for Lustre filesystem that is available"
    findings = [Finding(f"filesystem {name}", ok, f"{identifier}: {kind}, {state}", hint)]
    if ok and place.network and found["VpcId"] != place.network:
        where = f"{identifier} is in {found['VpcId']}"
        findings.append(
            Finding(f"network of {name}", False, where, "peer the networks, or build in that one", False)
        )
    return findings
