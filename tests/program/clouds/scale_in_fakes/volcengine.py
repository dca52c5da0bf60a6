"""Volcengine."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import volcenginesdkautoscaling as scaling
import volcenginesdkecs as volc_ecs
from tests.program.clouds.scale_in_fakes.base import BUSY, SAID, Fake
from volcenginesdkcore.rest import ApiException


class Volcengine(Fake):
    """Volcengine's SDK: the clients below a session."""

    def name(self, pool: str, order: int) -> str:
        return f"x-pool-{pool}" + (f"-{order}" if order else "")

    def install(self, monkeypatch: Any) -> None:
        def init(session: Any, _region: str) -> None:
            session._ecs = session._groups = session._sts = self

        monkeypatch.setattr("railbed.platforms.volcengine.session.Session.__init__", init)

    def get_caller_identity(self, _request: Any) -> Any:
        return SimpleNamespace(account_id=self.plan.place.account)

    def describe_scaling_groups(self, request: Any) -> Any:
        wanted = request.scaling_group_ids or list(self.groups)
        tag = scaling.TagForDescribeScalingGroupsOutput
        found = [
            scaling.ScalingGroupForDescribeScalingGroupsOutput(
                scaling_group_id=name, scaling_group_name=name, desire_instance_number=one.size,
                tags=[tag(key=key, value=value) for key, value in one.labels.items()],
            )
            for name, one in self.groups.items()
            if name in wanted
        ]  # fmt: skip
        return scaling.DescribeScalingGroupsResponse(scaling_groups=found, total_count=len(found))

    def describe_scaling_instances(self, request: Any) -> Any:
        one = scaling.ScalingInstanceForDescribeScalingInstancesOutput
        found = [
            one(instance_id=key, status="InService") for key in self.groups[request.scaling_group_id].members
        ]
        return scaling.DescribeScalingInstancesResponse(scaling_instances=found, total_count=len(found))

    def describe_scaling_activities(self, _request: Any) -> Any:
        one = scaling.ScalingActivityForDescribeScalingActivitiesOutput(
            status_code="Success", created_at="2026-11-24"
        )
        return scaling.DescribeScalingActivitiesResponse(scaling_activities=[one])

    def describe_instances(self, request: Any) -> Any:
        found = [one for one in request.instance_ids if one in self.instances()]
        return volc_ecs.DescribeInstancesResponse(
            instances=[volc_ecs.InstanceForDescribeInstancesOutput(instance_id=one) for one in found]
        )

    def remove_instances(self, request: Any) -> Any:
        if self.refuse:
            how = self.refuse.pop(0)
            refusal = ApiException(status=429 if how == BUSY else 403, reason=SAID)
            error = {"Code": "FlowLimitExceeded" if how == BUSY else "AccessDenied", "Message": SAID}
            refusal.body = json.dumps({"ResponseMetadata": {"Error": error}})
            raise refusal
        assert request.decrease_desired_capacity
        self.end(self.groups[request.scaling_group_id], request.instance_ids)

    def modify_scaling_group(self, request: Any) -> Any:
        self.groups[request.scaling_group_id].size = request.desire_instance_number
