"""A stand-in for Alibaba Cloud's API: answers in the SDK's own models, so that a wrong field name fails. Made by hand from
the SDK's definitions; no account was asked."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace
from typing import Any

import alibabacloud_ecs20140526.models as ecs
import alibabacloud_eflo_controller20221215.models as eflo
import alibabacloud_ess20220222.models as ess
from tests.program.clouds import cases
from tests.program.clouds.view import Node

from railbed.plan import ClusterPlan
from railbed.platforms.alicloud import session
from railbed.platforms.cloud import consoles, pool_wait

ACCOUNT = "1000000000000001"
GROUP_LIMIT = 2000
MACHINE_TYPE = "efg2.example"


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
        self.interfaces = 2
        self.private_pools: list[Any] = []
        self.assurances: list[Any] = []
        self.free_nodes = [eflo_node(node.id) for nodes in self.pools.values() for node in nodes]
        self.free_nodes += [eflo_node(f"zz-never-up-{number}") for number in range(100)]
        self.cluster_nodes: list[Any] = []
        self.commands: dict[str, str] = {}

    @classmethod
    def whole(cls, monkeypatch: Any, plan: ClusterPlan) -> Api:
        """In the place of the real one, with every node of the plan."""
        made = cls(cases.members(plan), {})
        made.install(monkeypatch)
        return made

    def install(self, monkeypatch: Any) -> None:
        for name in session.KEYS:
            monkeypatch.setenv(name, "not-a-key")
        monkeypatch.setattr(session, "ask", self.answer)
        monkeypatch.setattr(consoles, "CONSOLE_TIMEOUT_S", 0)
        monkeypatch.setattr(pool_wait, "CLOUD_POOL_TIMEOUT_S", 0)
        monkeypatch.setattr("railbed.platforms.alicloud.discover.CONSOLE_CAPTURE_TIMEOUT_S", 0)

    def answer(self, _client: Any, call: str, request: Any) -> Any:
        return getattr(self, f"_{call}")(request)

    def _get_caller_identity(self, _request: Any) -> Any:
        return SimpleNamespace(account_id=self.account)

    def _group(self, group: str) -> tuple[str, list[Node]]:
        """Nodes of the n-th group of a pool: ``pool-<name>[-<n>]-id`` under mocks."""
        called = group.removeprefix("pool-").removesuffix("-id")
        pool, part = called, 0
        if pool not in self.pools:
            pool, _, number = called.rpartition("-")
            part = int(number)
        return pool, self.pools[pool][part * GROUP_LIMIT : (part + 1) * GROUP_LIMIT]

    def _describe_scaling_instances(self, request: Any) -> Any:
        _, nodes = self._group(request.scaling_group_id)
        first = (request.page_number - 1) * request.page_size
        found = [
            ess.DescribeScalingInstancesResponseBodyScalingInstances(
                instance_id=node.id, lifecycle_state="InService"
            )
            for node in nodes[first : first + request.page_size]
        ]
        return ess.DescribeScalingInstancesResponseBody(scaling_instances=found, total_count=len(nodes))

    def _describe_scaling_activities(self, request: Any) -> Any:
        pool, _ = self._group(request.scaling_group_id)
        failed = [
            ess.DescribeScalingActivitiesResponseBodyScalingActivities(
                scaling_group_id=request.scaling_group_id, status_code="Failed", error_message=reason,
                start_time="2026-11-24T10:00Z",
            )
            for reason in self.reasons.get(pool, [])
        ]  # fmt: skip
        return ess.DescribeScalingActivitiesResponseBody(scaling_activities=failed)

    def _describe_instances(self, request: Any) -> Any:
        wanted = json.loads(request.instance_ids)
        assert len(wanted) <= 100, "more ids than one request may have"
        found = [self.nodes.get(one, self.entrance) for one in wanted]
        instances = [
            ecs.DescribeInstancesResponseBodyInstancesInstance(
                instance_id=node.id, creation_time="2026-11-24T10:00Z",
                vpc_attributes=ecs.DescribeInstancesResponseBodyInstancesInstanceVpcAttributes(
                    private_ip_address=ecs.DescribeInstancesResponseBodyInstancesInstanceVpcAttributesPrivateIpAddress(
                        ip_address=[node.address]
                    )
                ),
            )
            for node in found
        ]  # fmt: skip
        return ecs.DescribeInstancesResponseBody(
            instances=ecs.DescribeInstancesResponseBodyInstances(instance=instances)
        )

    def _get_instance_console_output(self, request: Any) -> Any:
        return ecs.GetInstanceConsoleOutputResponseBody(
            console_output=_coded(self.nodes[request.instance_id].console)
        )

    def _describe_instance_types(self, request: Any) -> Any:
        one = ecs.DescribeInstanceTypesResponseBodyInstanceTypesInstanceType(
            instance_type_id=request.instance_types[0], eri_quantity=self.interfaces
        )
        types = ecs.DescribeInstanceTypesResponseBodyInstanceTypes(instance_type=[one])
        return ecs.DescribeInstanceTypesResponseBody(instance_types=types)

    def _describe_capacity_reservations(self, request: Any) -> Any:
        found = _with_id(self.private_pools, request)
        return SimpleNamespace(capacity_reservation_set=SimpleNamespace(capacity_reservation_item=found))

    def _describe_elasticity_assurances(self, request: Any) -> Any:
        found = _with_id(self.assurances, request)
        return SimpleNamespace(elasticity_assurance_set=SimpleNamespace(elasticity_assurance_item=found))

    def _describe_zones(self, _request: Any) -> Any:
        zones = [
            ecs.DescribeZonesResponseBodyZonesZone(zone_id=z) for z in ("cn-beijing-l", "cn-wulanchabu-b")
        ]
        return ecs.DescribeZonesResponseBody(zones=ecs.DescribeZonesResponseBodyZones(zone=zones))

    def _describe_available_resource(self, request: Any) -> Any:
        value = SimpleNamespace(status="Available", value=request.instance_type)
        kind = SimpleNamespace(supported_resources=SimpleNamespace(supported_resource=[value]))
        zone = SimpleNamespace(available_resources=SimpleNamespace(available_resource=[kind]))
        return SimpleNamespace(available_zones=SimpleNamespace(available_zone=[zone]))

    def _describe_images(self, request: Any) -> Any:
        image = ecs.DescribeImagesResponseBodyImagesImage(
            image_id=request.image_id, architecture="x86_64", osname="Ubuntu 24.04", is_support_cloudinit=True
        )
        return ecs.DescribeImagesResponseBody(images=ecs.DescribeImagesResponseBodyImages(image=[image]))

    def _list_clusters(self, _request: Any) -> Any:
        there = eflo.ListClustersResponseBodyClusters(cluster_id="c-1", cluster_name="pretrain-ali")
        return eflo.ListClustersResponseBody(clusters=[there] if self.cluster_nodes else [])

    def _list_free_nodes(self, request: Any) -> Any:
        """In two pages."""
        assert request.hpn_zone
        half = len(self.free_nodes) // 2
        if request.next_token:
            return eflo.ListFreeNodesResponseBody(nodes=self.free_nodes[half:])
        return eflo.ListFreeNodesResponseBody(nodes=self.free_nodes[:half], next_token="more")

    def _list_cluster_nodes(self, request: Any) -> Any:
        if request.node_group_id is None:
            return eflo.ListClusterNodesResponseBody(nodes=self.cluster_nodes)
        pool = request.node_group_id.removesuffix("-group")
        nodes = self.pools[pool]
        failed = [
            eflo.ListClusterNodesResponseBodyNodes(
                node_id=f"zz-never-up-{number}", operating_state=state, networks=[]
            )
            for number, state in enumerate(self.reasons.get(pool, []))
        ]
        return eflo.ListClusterNodesResponseBody(
            nodes=failed
            + [
                eflo.ListClusterNodesResponseBodyNodes(
                    node_id=node.id, operating_state="Using", create_time="1700000000",
                    networks=[eflo.ListClusterNodesResponseBodyNodesNetworks(bond_name="bond0", ip=node.address)],
                )
                for node in nodes
            ]
        )  # fmt: skip

    def _run_command(self, request: Any) -> Any:
        (node,) = request.node_id_list
        assert b"ssh_host_ed25519_key.pub" in base64.b64decode(request.command_content)
        self.commands[f"t-{node}"] = node
        return eflo.RunCommandResponseBody(invoke_id=f"t-{node}")

    def _describe_invocations(self, request: Any) -> Any:
        node = self.commands[request.invoke_id]
        one = eflo.DescribeInvocationsResponseBodyInvocationsInvocationInvokeNodesInvokeNode(
            node_id=node, output=_coded(self.nodes[node].console)
        )
        nodes = eflo.DescribeInvocationsResponseBodyInvocationsInvocationInvokeNodes(invoke_node=[one])
        invocation = eflo.DescribeInvocationsResponseBodyInvocationsInvocation(invoke_nodes=nodes)
        return eflo.DescribeInvocationsResponseBody(
            invocations=eflo.DescribeInvocationsResponseBodyInvocations(invocation=[invocation])
        )


def eflo_node(node: str, **changed: Any) -> Any:
    """A bought Lingjun node that is in no cluster."""
    fields = {
        "node_id": node,
        "machine_type": MACHINE_TYPE,
        "hpn_zone": "A1",
        "expired_time": "2027-06-30T00:00Z",
    }
    return eflo.ListFreeNodesResponseBodyNodes(**{**fields, **changed})


def private_pool(pool: str, **changed: Any) -> Any:
    """A capacity reservation, with the fields of the SDK's model."""
    item = ecs.DescribeCapacityReservationsResponseBodyCapacityReservationSetCapacityReservationItem
    resource = getattr(ecs, f"{item.__name__}AllocatedResourcesAllocatedResource")
    part = resource(instance_type="ecs.ebmgn8v.48xlarge", total_amount=8, zone_id="cn-beijing-l")
    fields = {
        "private_pool_options_id": pool, "status": "Active", "start_time": "2026-11-01T00:00Z", "end_time": "",
        "allocated_resources": SimpleNamespace(allocated_resource=[part]),
    }  # fmt: skip
    return item(**{**fields, **changed})


def _with_id(items: list[Any], request: Any) -> list[Any]:
    return [
        one for one in items if one.private_pool_options_id in json.loads(request.private_pool_options.ids)
    ]


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
