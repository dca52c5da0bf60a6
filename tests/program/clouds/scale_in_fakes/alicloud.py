"""Alibaba Cloud."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import alibabacloud_ecs20140526.models as ali_ecs
import alibabacloud_ess20220222.models as ess
from darabonba.exceptions import DaraException
from tests.program.clouds.scale_in_fakes.base import BUSY, SAID, Fake


class Alicloud(Fake):
    """Alibaba Cloud's SDK: the clients below a session."""

    def name(self, pool: str, order: int) -> str:
        return f"pool-{pool}" + (f"-{order}" if order else "")

    def install(self, monkeypatch: Any) -> None:
        def init(session: Any, region: str) -> None:
            session.region = region
            session._ecs = session._ess = session._eflo = session._sts = self

        monkeypatch.setattr("railbed.platforms.alicloud.session.Session.__init__", init)

    def get_caller_identity_with_options(self, _runtime: Any) -> Any:
        return SimpleNamespace(body=SimpleNamespace(account_id=self.plan.place.account))

    def describe_scaling_groups_with_options(self, request: Any, _runtime: Any) -> Any:
        wanted = request.scaling_group_ids or list(self.groups)
        tag = ess.DescribeScalingGroupsResponseBodyScalingGroupsTags
        found = [
            ess.DescribeScalingGroupsResponseBodyScalingGroups(
                scaling_group_id=name, scaling_group_name=name, desired_capacity=one.size,
                tags=[tag(tag_key=key, tag_value=value) for key, value in one.labels.items()],
            )
            for name, one in self.groups.items()
            if name in wanted
        ]  # fmt: skip
        return SimpleNamespace(
            body=ess.DescribeScalingGroupsResponseBody(scaling_groups=found, total_count=len(found))
        )

    def describe_scaling_instances_with_options(self, request: Any, _runtime: Any) -> Any:
        one = ess.DescribeScalingInstancesResponseBodyScalingInstances
        members = self.groups[request.scaling_group_id].members
        found = [one(instance_id=key, lifecycle_state="InService") for key in members]
        return SimpleNamespace(
            body=ess.DescribeScalingInstancesResponseBody(scaling_instances=found, total_count=len(found))
        )

    def describe_scaling_activities_with_options(self, _request: Any, _runtime: Any) -> Any:
        one = ess.DescribeScalingActivitiesResponseBodyScalingActivities(
            status_code="Successful", start_time="2026"
        )
        return SimpleNamespace(body=ess.DescribeScalingActivitiesResponseBody(scaling_activities=[one]))

    def describe_instances_with_options(self, request: Any, _runtime: Any) -> Any:
        found = [one for one in json.loads(request.instance_ids) if one in self.instances()]
        one = ali_ecs.DescribeInstancesResponseBodyInstancesInstance
        some = ali_ecs.DescribeInstancesResponseBodyInstances(
            instance=[one(instance_id=key) for key in found]
        )
        return SimpleNamespace(body=ali_ecs.DescribeInstancesResponseBody(instances=some))

    def remove_instances_with_options(self, request: Any, _runtime: Any) -> Any:
        if self.refuse:
            code = "Throttling.User" if self.refuse.pop(0) == BUSY else "Forbidden.RAM"
            raise DaraException({"code": code, "message": SAID, "data": {"statusCode": 400}})
        assert request.decrease_desired_capacity and request.remove_policy == "release"
        self.end(self.groups[request.scaling_group_id], request.instance_ids)
        return SimpleNamespace(body=ess.RemoveInstancesResponseBody())

    def modify_scaling_group_with_options(self, request: Any, _runtime: Any) -> Any:
        self.groups[request.scaling_group_id].size = request.desired_capacity
        return SimpleNamespace(body=None)
