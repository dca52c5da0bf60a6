"""Nodes that leave a pool's Auto Scaling group: each is ended by its id, and the group's size goes down with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from botocore.exceptions import ClientError

from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.aws import discover, reads
from railbed.platforms.cloud import scale_in as shared
from railbed.platforms.cloud.calls import ApiFailure, patiently
from railbed.platforms.cloud.scale_in import Group, NodeToRemove
from railbed.platforms.cloud.tags import PREFIX, tags
from railbed.spec.platforms import AwsPlatform

PROTECTED = 50
"""Most instances of one SetInstanceProtection (Amazon EC2 Auto Scaling API Reference)."""
ALIVE = ("pending", "running", "stopping", "stopped")
CONTENDED = ("ResourceContention", "ScalingActivityInProgress")
"""Another change of the group goes on; the same call is taken in a moment."""
BUSY_STATUS = 429


def scale_in(plan: ClusterPlan, stack: str, to_remove: Sequence[NodeToRemove]) -> list[str]:
    """Ends exactly these instances; says what was done. Raises RailbedError where it must not, or AWS refuses."""
    assert isinstance(plan.place, AwsPlatform)
    scaling, ec2 = (reads.client(name, plan.place.region) for name in ("autoscaling", "ec2"))
    said: list[str] = []
    for pool, mine in shared.by_pool(plan, to_remove):
        found = shared.leaving(
            pool, [_read(one) for one in described(scaling, plan, stack, pool)], [pool.size], mine,
            lambda ids: _alive(ec2, ids),
        )  # fmt: skip
        for one in found:
            _end(scaling, one.group.name, one.ids)
            shared.until(
                f"the end of nodes of {one.group.name}",
                lambda one=one: not set(one.ids) & set(_group(scaling, one.group.name).members),  # type: ignore[misc]
            )
            _lower(scaling, one.group.name, one.declared)
        said += shared.summary(pool, [name for one in found for name in one.ids], mine)
    return said


def described(scaling: Any, plan: ClusterPlan, stack: str, pool: PlannedPool) -> list[dict[str, Any]]:
    """The pool's groups, found by their tags, as AWS describes them. Raises ProviderError."""
    own = tags(plan, stack)
    marks = [{"Name": f"tag:{PREFIX}{key}", "Values": [own[PREFIX + key]]} for key in ("cluster", "stack")]
    with reads.asking(f"AWS on the groups of {plan.name}"):
        pages = scaling.get_paginator("describe_auto_scaling_groups").paginate(Filters=marks)
        return [
            one
            for page in pages
            for one in page["AutoScalingGroups"]
            if shared.is_of(plan, stack, pool, {tag["Key"]: tag["Value"] for tag in one["Tags"]})
        ]


def _group(scaling: Any, name: str) -> Group:
    with reads.asking(f"AWS on {name}"):
        (one,) = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    return _read(one)


def _read(one: Any) -> Group:
    members = [
        each["InstanceId"]
        for each in one["Instances"]
        if not each["LifecycleState"].startswith(discover.LEAVING)
    ]
    return Group(name=one["AutoScalingGroupName"], size=one["DesiredCapacity"], members=members)


def _alive(ec2: Any, ids: list[str]) -> Iterator[str]:
    """Those that live. By a filter: EC2 refuses an id that it has forgotten, and finds none by it."""
    for some in shared.batches(ids, discover.FILTERED):
        filters = [
            {"Name": "instance-id", "Values": some},
            {"Name": "instance-state-name", "Values": list(ALIVE)},
        ]
        with reads.asking("AWS on instances that leave"):
            pages = ec2.get_paginator("describe_instances").paginate(Filters=filters)
            yield from (one["InstanceId"] for one in discover.instances(pages))


def _end(scaling: Any, group: str, ids: list[str]) -> None:
    for some in shared.batches(ids, PROTECTED):
        with reads.asking(f"AWS on the protection of nodes of {group}"):
            scaling.set_instance_protection(
                AutoScalingGroupName=group, InstanceIds=some, ProtectedFromScaleIn=False
            )
    for name in ids:
        terminate(scaling, name, lower=True)


def terminate(scaling: Any, name: str, *, lower: bool) -> None:
    """Ends a member; without ``lower`` its group launches another one in its place. Raises ProviderError."""
    with reads.asking(f"AWS on the end of {name}"):
        patiently(
            f"AWS on the end of {name}",
            lambda: scaling.terminate_instance_in_auto_scaling_group(
                InstanceId=name, ShouldDecrementDesiredCapacity=lower
            ),
            (ClientError,),
            _read_failure,
        )


def _read_failure(refusal: Exception) -> ApiFailure:
    error = getattr(refusal, "response", {}).get("Error", {})
    code = str(error.get("Code", ""))
    status = getattr(refusal, "response", {}).get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in reads.INVALID:
        status = reads.REFUSED
    return ApiFailure(BUSY_STATUS if code in CONTENDED else status, code, str(error.get("Message", "")))


def _lower(scaling: Any, group: str, declared: int) -> None:
    """A group that never got all of its nodes asks for no more than the spec does; it has no members to give up then."""
    if _group(scaling, group).size > declared:
        with reads.asking(f"AWS on the size of {group}"):
            scaling.update_auto_scaling_group(AutoScalingGroupName=group, DesiredCapacity=declared)
