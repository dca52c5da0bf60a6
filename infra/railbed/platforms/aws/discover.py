"""Members of a pool's group and their host keys: two look-ups for the group, then one console for each node.

Also which members EC2 has ended although the group still counts them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from railbed.claims import FrozenModel
from railbed.platforms.aws import reads
from railbed.platforms.cloud import pool_wait, scale_in
from railbed.platforms.cloud.members import Member, PoolStatus

PAGE = 1000
"""Most results of one DescribeInstances page (EC2 API Reference)."""
THERE = ("pending", "running")
TERMINATED = ("shutting-down", "terminated")
"""States that no instance comes back from (EC2 API Reference, InstanceState)."""
HALTED = ("stopping", "stopped")
TOPOLOGY_PAGE = 100
"""Most ids of one DescribeInstanceTopology (EC2 API Reference)."""
NOT_ALLOWED = "UnauthorizedOperation"
FILTERED = 200
"""Most values of one filter (EC2 API Reference)."""
LEAVING = ("Terminating", "Terminated", "Detaching", "Detached")
SHOWN_REASONS = 3
LATER = ("InvalidInstanceID", "IncorrectInstanceState", "RequestLimitExceeded", "Throttling")
"""Beginnings of the codes after which a console is looked at again, or the instance is just going. EC2 lets few consoles a
second be read: of many nodes some must wait for the next look, and fail nothing."""


class Lost(FrozenModel):
    """A member that its group still counts, and that is no node any more."""

    id: str
    state: str
    """In EC2's word; ``unknown`` where it has forgotten the instance, and the group calls it unhealthy."""

    @property
    def terminated(self) -> bool:
        """Whether it never comes back: ending it then ends nothing."""
        return self.state not in HALTED

    @property
    def description(self) -> str:
        """What it is, and what is to be done."""
        if self.terminated:
            return f"{self.id} is {self.state}: run `railbed up` again, and the group launches another one"
        return (
            f"{self.id} is {self.state}: `aws ec2 start-instances --instance-ids {self.id}`, or end it by "
            f"`aws ec2 terminate-instances --instance-ids {self.id}` and run `railbed up` again"
        )


def status(
    region: str,
    group: str,
    size: int,
    known: Mapping[str, list[str]],
    given: Mapping[str, str],
    *,
    wait: bool,
    with_fabric: bool = False,
) -> PoolStatus:
    """What became of an Auto Scaling group of ``size``; ``known``, ``given`` and ``wait`` as in ``cloud.pool_wait``.

    ``with_fabric``: members are asked for their place in EC2's network too. Raises ProviderError where AWS does not answer.
    """
    ec2, scaling = reads.client("ec2", region), reads.client("autoscaling", region)
    found = pool_wait.status(
        size,
        partial(_members, ec2, scaling, group),
        partial(_reasons, ec2, scaling, group),
        partial(_console, ec2),
        known,
        given,
        wait=wait,
    )
    return _placed(ec2, found) if with_fabric else found


def _placed(ec2: Any, found: PoolStatus) -> PoolStatus:
    """Members with the network node nearest to each: the last of the three that EC2 lists from the top (EC2 API Reference,
    InstanceTopology). Credentials that may not ask leave them without: nothing but Slurm's topology goes by it."""
    blocks: dict[str, str] = {}
    for some in scale_in.batches([one.id for one in found.members], TOPOLOGY_PAGE):
        with reads.asking("AWS on the places of instances"):
            try:
                pages = ec2.get_paginator("describe_instance_topology").paginate(InstanceIds=some)
                for page in pages:
                    blocks |= {one["InstanceId"]: one["NetworkNodes"][-1] for one in page["Instances"]}
            except ClientError as refused:
                if refused.response["Error"]["Code"] != NOT_ALLOWED:
                    raise
                return found
    members = [one.model_copy(update={"block": blocks.get(one.id, "")}) for one in found.members]
    return found.model_copy(update={"members": members})


def _members(ec2: Any, scaling: Any, group: str) -> list[Member]:
    with reads.asking(f"AWS on the instances of {group}"):
        groups = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"]
        ids = {
            one["InstanceId"]
            for one in (groups[0]["Instances"] if groups else [])
            if not one["LifecycleState"].startswith(LEAVING)
        }
        if not ids:
            return []
        pages = ec2.get_paginator("describe_instances").paginate(
            Filters=[
                {"Name": "tag:aws:autoscaling:groupName", "Values": [group]},
                {"Name": "instance-state-name", "Values": list(THERE)},
            ],
            PaginationConfig={"PageSize": PAGE},
        )
        return [member(one) for one in instances(pages) if one["InstanceId"] in ids]


def instances(pages: Any) -> list[dict[str, Any]]:
    """All instances of DescribeInstances' pages."""
    return [one for page in pages for booked in page["Reservations"] for one in booked["Instances"]]


def member(instance: Mapping[str, Any]) -> Member:
    """One instance; its address is the primary interface's."""
    launched = instance.get("LaunchTime")
    return Member(
        id=instance["InstanceId"],
        address=instance.get("PrivateIpAddress", ""),
        created=launched.isoformat() if launched else "",
    )


def _reasons(ec2: Any, scaling: Any, group: str) -> list[str]:
    """Members that are no nodes any more come first: the group waits for nothing there, so nobody else should."""
    with reads.asking(f"AWS on the launches of {group}"):
        groups = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"]
        activities = scaling.describe_scaling_activities(AutoScalingGroupName=group)["Activities"]
    found = lost(ec2, groups[0]["Instances"]) if groups else []
    return [one.description for one in found] + failures(activities)


def lost(ec2: Any, counted: list[dict[str, Any]]) -> list[Lost]:
    """Those of a group's ``counted`` instances that EC2 has ended or stopped. Raises ProviderError.

    An instance that EC2 does not know counts only where the group calls it unhealthy: a new one is not seen everywhere yet.
    """
    health = {
        one["InstanceId"]: one["HealthStatus"]
        for one in counted
        if not one["LifecycleState"].startswith(LEAVING)
    }
    states: dict[str, str] = {}
    for some in scale_in.batches(sorted(health), FILTERED):
        with reads.asking("AWS on the states of instances"):
            pages = ec2.get_paginator("describe_instances").paginate(
                Filters=[{"Name": "instance-id", "Values": some}]
            )
            states.update({one["InstanceId"]: one["State"]["Name"] for one in instances(pages)})
    for name, word in health.items():
        if name not in states and word.lower() == "unhealthy":
            states[name] = "unknown"
    return [
        Lost(id=name, state=state)
        for name, state in sorted(states.items())
        if state in (*TERMINATED, *HALTED, "unknown")
    ]


def failures(activities: list[dict[str, Any]]) -> list[str]:
    """Why launches failed, newest first, each once; empty while one is under way.

    Failures before the last success no longer count: the zone has had instances since.
    """
    reasons: list[str] = []
    for activity in sorted(activities, key=lambda one: one["StartTime"], reverse=True):
        status = activity["StatusCode"]
        if status == "Successful":
            break
        if status not in ("Failed", "Cancelled"):
            return []
        reasons.append(activity.get("StatusMessage") or activity.get("Cause") or status)
    return list(dict.fromkeys(reasons))[:SHOWN_REASONS]


def _console(ec2: Any, name: str) -> str:
    """The last 64 KiB that an instance printed; empty where it printed nothing yet, or nobody may look now."""
    with reads.asking(f"AWS on the console of {name}"):
        try:
            answer = ec2.get_console_output(InstanceId=name, Latest=True)
        except ClientError as refused:
            if refused.response["Error"]["Code"].startswith(LATER):
                return ""
            raise
    text: str = answer.get("Output", "")
    return text
