"""One group of a pool at each provider, which ends what it is told to and nothing else. Answers are made by hand in the
provider's own form (its SDK's models, or its REST reference); nothing was recorded from an account.

Each fake: ``groups`` by name, ``ended`` ids in their order, ``refuse``: answers that come instead of the next actions.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import alibabacloud_ecs20140526.models as ali_ecs
import alibabacloud_ess20220222.models as ess
import oci
import volcenginesdkautoscaling as scaling
import volcenginesdkecs as volc_ecs
from darabonba.exceptions import DaraException
from oci.core import models as oci_models
from openstack.exceptions import HttpException, NotFoundException
from openstack.orchestration.v1 import resource, stack
from volcenginesdkcore.rest import ApiException

from railbed.platforms.cloud.tags import tags

BUSY, DENIED = "busy", "denied"
"""What ``refuse`` holds: the provider asks to come again, or says no."""
SAID = "you are not allowed to do this"


@dataclass
class Held:
    """A group of the fake."""

    labels: dict[str, str]
    size: int
    members: list[str]
    order: int = 0


@dataclass
class Fake:
    """What all of them keep."""

    plan: Any
    groups: dict[str, Held] = field(default_factory=dict)
    loose: list[str] = field(default_factory=list)
    """Instances that live and are in no group."""
    ended: list[str] = field(default_factory=list)
    refuse: list[str] = field(default_factory=list)

    def add(self, stack_name: str, pool: str, order: int, members: list[str], size: int | None = None) -> str:
        name = self.name(pool, order)
        labels = tags(self.plan, stack_name, pool=pool)
        self.groups[name] = Held(labels, len(members) if size is None else size, members, order)
        return name

    def name(self, pool: str, order: int) -> str:
        return f"{pool}-{order}"

    def end(self, group: Held, ids: list[str]) -> None:
        assert set(ids) <= set(group.members), "a provider refuses ids that are not of the group"
        self.ended += ids
        group.members = [one for one in group.members if one not in ids]
        group.size -= len(ids)

    def instances(self) -> list[str]:
        return [one for group in self.groups.values() for one in group.members] + self.loose


@dataclass
class Answer:
    status_code: int
    body: Any

    headers: Any = field(default_factory=lambda: {"content-type": "application/json"})

    def json(self) -> Any:
        return self.body

    @property
    def text(self) -> str:
        return json.dumps(self.body)


@dataclass
class Gcp(Fake):
    """Compute Engine API v1."""

    base: str = ""
    slots: dict[str, list[str]] = field(default_factory=dict)
    """Group → places that never got an instance."""

    def name(self, pool: str, order: int) -> str:
        return f"{pool}-{order}-1a2b3c4"

    def install(self, monkeypatch: Any) -> None:
        monkeypatch.setattr("railbed.platforms.gcp.session.Session._connection", lambda _self: self)

    def request(self, method: str, url: str, params: Any, timeout: Any, json: Any = None) -> Answer:
        path = url.split("/zones/europe-west1-b/", 1)[1]
        if path == "instances":
            return Answer(
                200,
                {
                    "items": [
                        {"id": one, "name": f"vm-{one}", "status": "RUNNING"} for one in self.instances()
                    ]
                },
            )
        if path == "instanceGroupManagers":
            return Answer(200, {"items": [self.manager(name, one) for name, one in self.groups.items()]})
        if path.startswith("operations/"):
            return Answer(200, {"name": "op", "status": "DONE"})
        _, name, action = path.split("/")
        group = self.groups[name]
        if action == "listManagedInstances":
            held = [
                {"id": one, "instance": f"zones/z/instances/vm-{one}", "currentAction": "NONE"}
                for one in group.members
            ]
            empty = [
                {"instance": f"zones/z/instances/{one}", "currentAction": "CREATING"}
                for one in self.slots.get(name, [])
            ]
            return Answer(200, {"managedInstances": held + empty})
        assert (method, action) == ("POST", "deleteInstances"), path
        if self.refuse:
            return self.refused(self.refuse.pop(0))
        names = [one.rsplit("/", 1)[1] for one in json["instances"]]
        self.end(group, [one.removeprefix("vm-") for one in names if one.startswith("vm-")])
        group.size -= sum(one in self.slots.get(name, []) for one in names)
        return Answer(200, {"name": "op", "status": "RUNNING"})

    def manager(self, name: str, one: Held) -> dict[str, Any]:
        return {
            "name": name, "baseInstanceName": self.base, "targetSize": one.size,
            "description": f"railbed x: pool y, group {one.order}",
        }  # fmt: skip

    def refused(self, how: str) -> Answer:
        code, reason = (429, "rateLimitExceeded") if how == BUSY else (403, "forbidden")
        return Answer(code, {"error": {"code": code, "message": SAID, "errors": [{"reason": reason}]}})


class Azure(Fake):
    """Azure Resource Manager, Microsoft.Compute."""

    def name(self, pool: str, order: int) -> str:
        return f"/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/{pool}-{order}1a2b3c4d"

    def install(self, monkeypatch: Any) -> None:
        monkeypatch.setattr(
            "railbed.platforms.azure.session.Session._send", lambda _self, *a, **k: self.send(*a, **k)
        )

    def send(self, method: str, url: str, query: Any, *, signed: bool, body: Any = None) -> tuple[int, str]:
        path = url.partition("management.azure.com")[2].partition("?")[0]
        if path.endswith("providers/Microsoft.Compute/virtualMachineScaleSets"):
            return self.listed([self.about(name, one) for name, one in self.groups.items()])
        if path.endswith("providers/Microsoft.Compute/virtualMachines"):
            return self.listed([{"properties": {"vmId": one}} for one in self.loose])
        if path in self.groups:
            return 200, json.dumps(self.about(path, self.groups[path]))
        name, _, action = path.rpartition("/")
        group = self.groups[name]
        if action == "virtualMachines":
            return self.listed(
                [
                    {"instanceId": f"n{one}", "properties": {"vmId": one, "provisioningState": "Succeeded"}}
                    for one in group.members
                ]
            )
        assert (method, action) == ("POST", "delete"), path
        if self.refuse:
            status, code = (
                (409, "OperationNotAllowed") if self.refuse.pop(0) == BUSY else (403, "AuthorizationFailed")
            )
            return status, json.dumps({"error": {"code": code, "message": SAID}})
        self.end(group, [one.removeprefix("n") for one in body["instanceIds"]])
        return 202, ""

    def about(self, name: str, one: Held) -> dict[str, Any]:
        return {
            "id": name, "name": name.rsplit("/", 1)[1], "tags": one.labels, "sku": {"capacity": one.size},
            "properties": {"provisioningState": "Succeeded"},
        }  # fmt: skip

    def listed(self, value: list[Any]) -> tuple[int, str]:
        return 200, json.dumps({"value": value})


class Oci(Fake):
    """Oracle's SDK: a cluster network whose one instance pool has its name and ``-pool``."""

    def install(self, monkeypatch: Any) -> None:
        clients = SimpleNamespace(management=self, compute=self)
        monkeypatch.setattr("railbed.platforms.oci.session.clients", lambda _region: clients)

    def response(self, data: Any) -> Any:
        return oci.response.Response(200, {}, data, None)

    def list_cluster_networks(self, _compartment: str, **_: Any) -> Any:
        return self.response(
            [
                oci_models.ClusterNetworkSummary(
                    id=name, freeform_tags=one.labels, lifecycle_state="RUNNING",
                    instance_pools=[oci_models.InstancePoolSummary(id=f"{name}-pool", size=one.size)],
                )
                for name, one in self.groups.items()
            ]
        )  # fmt: skip

    def list_compute_gpu_memory_clusters(self, _compartment: str, **_: Any) -> Any:
        found = [
            oci_models.ComputeGpuMemoryClusterSummary(
                id=name,
                display_name=f"x-{one.order}",
                freeform_tags=one.labels,
                size=one.size,
                lifecycle_state="ACTIVE",
            )
            for name, one in self.groups.items()
        ]
        return self.response(oci_models.ComputeGpuMemoryClusterCollection(items=found))

    def list_cluster_network_instances(self, _compartment: str, name: str, **_: Any) -> Any:
        return self.response(
            [oci_models.InstanceSummary(id=one, state="Running") for one in self.groups[name].members]
        )

    def list_compute_gpu_memory_cluster_instances(self, name: str, **_: Any) -> Any:
        summary = oci_models.ComputeGpuMemoryClusterInstanceSummary
        found = [summary(id=one, lifecycle_state="RUNNING") for one in self.groups[name].members]
        return self.response(oci_models.ComputeGpuMemoryClusterInstanceCollection(items=found))

    def get_instance_pool(self, _name: str) -> Any:
        return self.response(oci_models.InstancePool(lifecycle_state="RUNNING"))

    def get_instance(self, one: str) -> Any:
        if one not in self.instances():
            raise oci.exceptions.ServiceError(404, "NotAuthorizedOrNotFound", {}, "not found")
        return self.response(oci_models.Instance(lifecycle_state="RUNNING"))

    def detach_instance_pool_instance(self, name: str, details: Any) -> Any:
        assert details.is_decrement_size and details.is_auto_terminate
        if self.refuse:
            status, code = (
                (409, "IncorrectState") if self.refuse.pop(0) == BUSY else (404, "NotAuthorizedOrNotFound")
            )
            raise oci.exceptions.ServiceError(status, code, {}, SAID)
        self.end(self.groups[name.removesuffix("-pool")], [details.instance_id])
        return self.response(None)


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


@dataclass
class Openstack(Fake):
    """The SDK's own resources; Heat removes what the parameter ``removal`` names when the size goes down."""

    empty: list[str] = field(default_factory=list)
    """Names in the group that never got a server."""

    def name(self, pool: str, order: int) -> str:
        return f"x-{pool}-{order}"

    def install(self, monkeypatch: Any) -> None:
        self.orchestration = self.compute = self
        monkeypatch.setattr("railbed.platforms.openstack.session.connect", lambda _region: self)

    def stacks(self) -> list[Any]:
        return [self.get_stack(name) for name in self.groups]

    def get_stack(self, name: str, **_: Any) -> Any:
        one = self.groups[name]
        labels = [f"{key}={value}" for key, value in one.labels.items()]
        parameters = {"size": str(one.size)}
        return stack.Stack(id=name, name=name, tags=labels, parameters=parameters, status="UPDATE_COMPLETE")

    def resources(self, name: str) -> list[Any]:
        if name in self.groups:
            group = {"resource_type": "OS::Heat::ResourceGroup", "physical_resource_id": f"{name}/inner"}
            return [resource.Resource(name="nodes", **group)]
        members = self.groups[name.removesuffix("/inner")].members
        made = {f"at-{one}": one for one in members} | dict.fromkeys(self.empty)
        server = {"resource_type": "OS::Nova::Server"}
        return [resource.Resource(name=at, physical_resource_id=one, **server) for at, one in made.items()]

    def get_server(self, one: str) -> Any:
        if one not in self.instances():
            raise NotFoundException("no such server")
        return SimpleNamespace(id=one)

    def patch(self, path: str, json: Any) -> Any:
        if self.refuse:
            raise HttpException(SAID, http_status=503 if self.refuse.pop(0) == BUSY else 403)
        group = self.groups[path.rsplit("/", 1)[1]]
        (removal,) = json["parameters"]["removal"]
        listed = removal["resource_list"]
        assert int(json["parameters"]["size"]) == group.size - len(listed), "Heat would choose the others"
        self.end(group, [one.removeprefix("at-") for one in listed if one not in self.empty])
        group.size -= sum(one in self.empty for one in listed)
        self.empty = [one for one in self.empty if one not in listed]
        return SimpleNamespace(status_code=202)
