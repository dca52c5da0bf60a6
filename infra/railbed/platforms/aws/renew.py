"""Places of members that EC2 has ended are filled again.

The process by which a group replaces what is unhealthy is suspended (`nodes`), since it would end nodes that have jobs. So a
group goes on counting an instance that is gone, and launches none for it: Amazon EC2 Auto Scaling User Guide, "How suspended
processes affect other processes". railbed reports exactly those that no job can run on any more; an instance that is
stopped, or whose hardware fails under it, may still have data or jobs, and ending it is an operator's to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from railbed.plan import ClusterPlan
from railbed.platforms.aws import discover, reads, scale_in

IMPAIRED = [{"Name": "system-status.status", "Values": ["impaired"]}]


def renew(plan: ClusterPlan, stack: str, names: Mapping[str, str]) -> list[str]:
    """Has each pool's group launch others for members that are gone; says what was done, and what is not railbed's to do.

    ``names``: instance id → node of the last contract. Raises ProviderError.
    """
    groups = scale_in.Groups(plan, stack)
    said: list[str] = []
    counted: list[dict[str, Any]] = []
    for pool in plan.pools:
        for group in groups.described(pool):
            counted += group["Instances"]
            for one in discover.lost(groups.ec2, group["Instances"]):
                if one.terminated:
                    scale_in.terminate(groups.scaling, one.id, lower=False)
                    said.append(
                        f"pool {pool.name}: {_called(one.id, names)} is {one.state}; its group launches another one"
                    )
                else:
                    said.append(f"pool {pool.name}: {_called(one.id, names)}: {one.description}")
    return said + [
        f"{_called(one, names)}: EC2 says that its system is impaired; it was not ended, for it may have jobs: drain it, "
        f"`aws ec2 terminate-instances --instance-ids {one}`, and run `railbed up` again"
        for one in _impaired(groups.ec2, {each["InstanceId"] for each in counted})
    ]


def _called(instance: str, names: Mapping[str, str]) -> str:
    return f"{names[instance]} ({instance})" if instance in names else instance


def _impaired(ec2: Any, ours: set[str]) -> Iterator[str]:
    """Those of ``ours`` that run on hardware that EC2 finds at fault."""
    if not ours:
        return
    with reads.asking("AWS on the status of instances"):
        pages = ec2.get_paginator("describe_instance_status").paginate(Filters=IMPAIRED)
        found = [
            one["InstanceId"]
            for page in pages
            for one in page["InstanceStatuses"]
            if one["SystemStatus"]["Status"] == "impaired"
        ]
    yield from sorted(ours & set(found))
