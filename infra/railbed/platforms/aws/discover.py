"""Members of a pool's group and their host keys: two look-ups for the group, then one console for each node."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from railbed.platforms.aws import reads
from railbed.platforms.cloud import pool_wait
from railbed.platforms.cloud.members import Member, PoolStatus

PAGE = 1000
"""Most results of one DescribeInstances page (EC2 API Reference)."""
THERE = ("pending", "running")
LEAVING = ("Terminating", "Terminated", "Detaching", "Detached")
SHOWN_REASONS = 3
LATER = ("InvalidInstanceID", "IncorrectInstanceState", "RequestLimitExceeded", "Throttling")
"""Beginnings of the codes after which a console is looked at again, or the instance is just going. EC2 lets few consoles a
second be read: of many nodes some must wait for the next look, and fail nothing."""


def status(
    region: str,
    group: str,
    size: int,
    known: Mapping[str, list[str]],
    given: Mapping[str, str],
    *,
    wait: bool,
) -> PoolStatus:
    """What became of an Auto Scaling group of ``size``; ``known``, ``given`` and ``wait`` as in ``cloud.pool_wait``.

    Raises ProviderError where AWS does not answer.
    """
    ec2, scaling = reads.client("ec2", region), reads.client("autoscaling", region)
    return pool_wait.status(
        size,
        partial(_members, ec2, scaling, group),
        partial(_reasons, scaling, group),
        partial(_console, ec2),
        known,
        given,
        wait=wait,
    )


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


def _reasons(scaling: Any, group: str) -> list[str]:
    with reads.asking(f"AWS on the launches of {group}"):
        return failures(scaling.describe_scaling_activities(AutoScalingGroupName=group)["Activities"])


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
