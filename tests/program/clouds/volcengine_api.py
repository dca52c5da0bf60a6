"""A stand-in for Volcengine's API: answers in the SDK's own models, so that a wrong field name fails. Made by hand from the
SDK's definitions; no account was asked."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import volcenginesdkautoscaling as scaling
import volcenginesdkcore
import volcenginesdkecs as ecs
import volcenginesdksts as sts
from tests.program.clouds import cases
from tests.program.clouds.view import Node

from railbed.plan import ClusterPlan
from railbed.platforms.cloud import consoles, pool_wait
from railbed.platforms.volcengine import session

ACCOUNT = "2100000001"
GROUP_LIMIT = 100
SHARED = volcenginesdkcore.Configuration()
"""Of models that there are many of: without it each makes settings of its own."""


class Api:
    """``pools`` by name as the conformance suite gives them; ``controller`` also stands for the gate of hosts."""

    def __init__(self, pools: dict[str, list[Node]], reasons: dict[str, list[str]]) -> None:
        gate = Node("i-gate", "10.64.255.5", pools[next(iter(pools))][0].console if pools else "")
        self.entrance = (pools.get("controller") or [gate])[0]
        self.pools = {name: nodes for name, nodes in pools.items() if name != "controller"}
        self.reasons = reasons
        self.nodes = {node.id: node for nodes in pools.values() for node in nodes} | {
            self.entrance.id: self.entrance,
            **{f"ctl{place}-id": node for place, node in enumerate(pools.get("controller", []))},
        }
        self.account = ACCOUNT
        self.reserved: list[Any] = []
        self.asked: list[str] = []

    @classmethod
    def whole(cls, monkeypatch: Any, plan: ClusterPlan) -> Api:
        """In the place of the real one, with every node of the plan."""
        made = cls(cases.members(plan), {})
        made.install(monkeypatch)
        return made

    def install(self, monkeypatch: Any) -> None:
        for name in session.KEYS:
            monkeypatch.setenv(name, "not-a-key")
        monkeypatch.setattr(session, "_ask", self.answer)
        monkeypatch.setattr(consoles, "CONSOLE_TIMEOUT_S", 0)
        monkeypatch.setattr(pool_wait, "CLOUD_POOL_TIMEOUT_S", 0)

    def answer(self, _method: Callable[..., Any], request: Any) -> Any:
        name = type(request).__name__.removesuffix("Request")
        self.asked.append(name)
        return getattr(self, f"_{name}")(request)

    def _GetCallerIdentity(self, _request: Any) -> Any:
        return sts.GetCallerIdentityResponse(account_id=self.account)

    def _group(self, group: str) -> tuple[str, list[Node]]:
        """Nodes of the n-th group of a pool: ``pool-<name>[-<n>]-id`` under mocks."""
        called = group.removeprefix("pool-").removesuffix("-id")
        pool, part = called, 0
        if pool not in self.pools:
            pool, _, number = called.rpartition("-")
            part = int(number)
        return pool, self.pools[pool][part * GROUP_LIMIT : (part + 1) * GROUP_LIMIT]

    def _DescribeScalingInstances(self, request: Any) -> Any:
        _, nodes = self._group(request.scaling_group_id)
        first = (request.page_number - 1) * request.page_size
        found = [
            scaling.ScalingInstanceForDescribeScalingInstancesOutput(
                instance_id=node.id, status="InService", _configuration=SHARED
            )
            for node in nodes[first : first + request.page_size]
        ]
        return scaling.DescribeScalingInstancesResponse(scaling_instances=found, total_count=len(nodes))

    def _DescribeScalingActivities(self, request: Any) -> Any:
        pool, _ = self._group(request.scaling_group_id)
        failed = [
            scaling.ScalingActivityForDescribeScalingActivitiesOutput(
                scaling_group_id=request.scaling_group_id, status_code="PartialSuccess", result_msg=reason,
                created_at="2026-11-24T10:00:00Z",
            )
            for reason in self.reasons.get(pool, [])
        ]  # fmt: skip
        return scaling.DescribeScalingActivitiesResponse(scaling_activities=failed)

    def _DescribeInstances(self, request: Any) -> Any:
        assert len(request.instance_ids) <= 100, "more ids than one request may have"
        found = [self.nodes.get(one, self.entrance) for one in request.instance_ids]
        return ecs.DescribeInstancesResponse(
            instances=[
                ecs.InstanceForDescribeInstancesOutput(
                    instance_id=node.id,
                    created_at="2026-11-24T10:00:00+08:00",
                    _configuration=SHARED,
                    network_interfaces=[
                        ecs.NetworkInterfaceForDescribeInstancesOutput(
                            type="secondary", primary_ip_address="192.0.2.1", _configuration=SHARED
                        ),
                        ecs.NetworkInterfaceForDescribeInstancesOutput(
                            type="primary", primary_ip_address=node.address, _configuration=SHARED
                        ),
                    ],
                )
                for node in found
            ]
        )

    def _GetConsoleOutput(self, request: Any) -> Any:
        text = base64.b64encode(self.nodes[request.instance_id].console.encode()).decode()
        return ecs.GetConsoleOutputResponse(
            instance_id=request.instance_id, output=text, _configuration=SHARED
        )

    def _DescribeReservedInstances(self, request: Any) -> Any:
        wanted = [one for one in self.reserved if one.reserved_instance_id in request.reserved_instance_ids]
        return ecs.DescribeReservedInstancesResponse(reserved_instances=wanted)

    def _DescribeZones(self, request: Any) -> Any:
        return ecs.DescribeZonesResponse(
            zones=[
                ecs.ZoneForDescribeZonesOutput(zone_id=zone)
                for zone in request.zone_ids
                if zone == "cn-beijing-d"
            ]
        )

    def _DescribeAvailableResource(self, request: Any) -> Any:
        value = ecs.SupportedResourceForDescribeAvailableResourceOutput(
            status="Available", value=request.instance_type_id
        )
        kind = ecs.AvailableResourceForDescribeAvailableResourceOutput(
            type="InstanceType", supported_resources=[value]
        )
        zone = ecs.AvailableZoneForDescribeAvailableResourceOutput(
            zone_id=request.zone_id, available_resources=[kind]
        )
        return ecs.DescribeAvailableResourceResponse(available_zones=[zone])

    def _DescribeImages(self, request: Any) -> Any:
        image = ecs.ImageForDescribeImagesOutput(
            image_id=request.image_ids[0],
            architecture="amd64",
            os_name="Ubuntu 24.04",
            is_support_cloud_init=True,
        )
        return ecs.DescribeImagesResponse(images=[image])


def reserved(plan: ClusterPlan, **changed: Any) -> Any:
    """The plan's reservation as the provider tells of it."""
    fields = {
        "reserved_instance_id": plan.pools[0].capacity.id,  # type: ignore[union-attr]
        "instance_type_id": plan.pools[0].machine.shape, "instance_count": 68, "status": "Active",
        "zone_id": "cn-beijing-d", "start_at": "2027-01-04T00:00:00+08:00", "expired_at": "2027-03-04T00:00:00+08:00",
        "hpc_cluster_id": "",
    }  # fmt: skip
    return ecs.ReservedInstanceForDescribeReservedInstancesOutput(**{**fields, **changed})
