"""Nodes that leave a pool's Auto Scaling group: each is ended by its id, and the group's size goes down with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from typing import Any

from botocore.exceptions import ClientError

from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.aws import discover, reads
from railbed.platforms.cloud import scale_in as shared
from railbed.platforms.cloud.calls import ApiFailure, patiently
from railbed.platforms.cloud.scale_in import Group, Leaving
from railbed.platforms.cloud.tags import PREFIX, tags
from railbed.spec.platforms import AwsPlatform

PROTECTED = 50
"""Most instances of one SetInstanceProtection (Amazon EC2 Auto Scaling API Reference)."""
ALIVE = ("pending", "running", "stopping", "stopped")
CONTENDED = ("ResourceContention", "ScalingActivityInProgress")
"""Another change of the group goes on; the same call is taken in a moment."""
BUSY_STATUS = 429


class Groups:
    """Auto Scaling groups: one for each pool."""

    def __init__(self, plan: ClusterPlan, stack: str) -> None:
        assert isinstance(plan.place, AwsPlatform)
        self.plan, self.stack = plan, stack
        self.scaling, self.ec2 = (reads.client(name, plan.place.region) for name in ("autoscaling", "ec2"))

    def of_pool(self, pool: PlannedPool, _: Set[str]) -> list[Group]:
        return [_read(one) for one in self.described(pool)]

    def described(self, pool: PlannedPool) -> list[dict[str, Any]]:
        """The pool's groups, found by their tags, as AWS describes them. Raises ProviderError."""
        own = tags(self.plan, self.stack)
        marks = [
            {"Name": f"tag:{PREFIX}{key}", "Values": [own[PREFIX + key]]} for key in ("cluster", "stack")
        ]
        with reads.asking(f"AWS on the groups of {self.plan.name}"):
            pages = self.scaling.get_paginator("describe_auto_scaling_groups").paginate(Filters=marks)
            return [
                one
                for page in pages
                for one in page["AutoScalingGroups"]
                if shared.is_of(
                    self.plan, self.stack, pool, {tag["Key"]: tag["Value"] for tag in one["Tags"]}
                )
            ]

    def alive(self, ids: Sequence[str]) -> Iterator[str]:
        """By a filter: EC2 refuses an id that it has forgotten, and finds none by it."""
        for some in shared.batches(ids, discover.FILTERED):
            filters = [
                {"Name": "instance-id", "Values": some},
                {"Name": "instance-state-name", "Values": list(ALIVE)},
            ]
            with reads.asking("AWS on instances that leave"):
                pages = self.ec2.get_paginator("describe_instances").paginate(Filters=filters)
                yield from (one["InstanceId"] for one in discover.instances(pages))

    def remove(self, one: Leaving) -> None:
        group = one.group.name
        for some in shared.batches(one.ids, PROTECTED):
            with reads.asking(f"AWS on the protection of nodes of {group}"):
                self.scaling.set_instance_protection(
                    AutoScalingGroupName=group, InstanceIds=some, ProtectedFromScaleIn=False
                )
        for name in one.ids:
            terminate(self.scaling, name, lower=True)
        shared.until(
            f"the end of nodes of {group}", lambda: not set(one.ids) & set(self._group(group).members)
        )
        if self._group(group).size > one.declared:
            # It never got all of its nodes: it asks for no more than the spec does, and has no members to give up.
            with reads.asking(f"AWS on the size of {group}"):
                self.scaling.update_auto_scaling_group(
                    AutoScalingGroupName=group, DesiredCapacity=one.declared
                )

    def _group(self, name: str) -> Group:
        with reads.asking(f"AWS on {name}"):
            found = self.scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        (one,) = found["AutoScalingGroups"]
        return _read(one)


scale_in = shared.ending(Groups, lambda _, pool: [pool.size])


def _read(one: Any) -> Group:
    members = [
        each["InstanceId"]
        for each in one["Instances"]
        if not each["LifecycleState"].startswith(discover.LEAVING)
    ]
    return Group(name=one["AutoScalingGroupName"], size=one["DesiredCapacity"], members=members)


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
