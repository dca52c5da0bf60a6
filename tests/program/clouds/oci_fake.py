"""Oracle's API as the platform asks it, from members that a test names. Answers are the SDK's own model objects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import oci
from oci.core import models
from tests.program.clouds.view import Node


def response(data: Any) -> Any:
    """One page, with no next."""
    return oci.response.Response(200, {}, data, None)


@dataclass
class Fake:
    """All services in one: ``Clients`` takes it for each."""

    pools: dict[str, list[Node]]
    """Pool → members that run."""
    reasons: dict[str, list[str]] = field(default_factory=dict)
    captured: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.consoles = {node.id: node.console for node in self._nodes()}

    def _pool(self, group: str) -> str:
        """Ids of recorded resources are ``<name>-id``; a GPU memory cluster's name is ``<pool>-<index>``."""
        name = group.removesuffix("-id")
        return name if name in self.pools else name.rsplit("-", 1)[0]

    def list_cluster_network_instances(self, compartment_id: str, cluster_network_id: str, **_: Any) -> Any:
        found = self.pools[self._pool(cluster_network_id)]
        return response([models.InstanceSummary(id=n.id, state="Running") for n in found])

    def list_instance_pool_instances(self, compartment_id: str, instance_pool_id: str, **_: Any) -> Any:
        return self.list_cluster_network_instances(compartment_id, instance_pool_id)

    def list_compute_gpu_memory_cluster_instances(self, compute_gpu_memory_cluster_id: str, **_: Any) -> Any:
        name = self._pool(compute_gpu_memory_cluster_id)
        index = int(compute_gpu_memory_cluster_id.removesuffix("-id").rsplit("-", 1)[1])
        mine = self.pools[name][index * 18 : (index + 1) * 18]
        summary = models.ComputeGpuMemoryClusterInstanceSummary
        found = [summary(id=n.id, lifecycle_state="RUNNING") for n in mine]
        return response(models.ComputeGpuMemoryClusterInstanceCollection(items=found))

    def _nodes(self) -> list[Node]:
        return [node for members in self.pools.values() for node in members]

    def list_vnic_attachments(self, compartment_id: str, **_: Any) -> Any:
        one = models.VnicAttachment
        return response(
            [one(instance_id=n.id, vnic_id=f"vnic-{n.id}", lifecycle_state="ATTACHED") for n in self._nodes()]
        )

    def list_private_ips(self, *, subnet_id: str, **_: Any) -> Any:
        one = models.PrivateIp
        return response(
            [one(vnic_id=f"vnic-{n.id}", ip_address=n.address, is_primary=True) for n in self._nodes()]
        )

    def capture_console_history(self, details: models.CaptureConsoleHistoryDetails) -> Any:
        self.captured.append(details.instance_id)
        return response(
            models.ConsoleHistory(id=f"history-{details.instance_id}", lifecycle_state="SUCCEEDED")
        )

    def get_console_history_content(self, history: str, *, length: int) -> Any:
        return response(self.consoles[history.removeprefix("history-")].encode()[-length:])

    def delete_console_history(self, history: str) -> Any:
        self.deleted.append(history)
        return response(None)

    def get_bastion(self, bastion: str) -> Any:
        return response(oci.bastion.models.Bastion(id=bastion, max_sessions_allowed=20))

    def list_work_requests(self, compartment_id: str, *, resource_id: str, **_: Any) -> Any:
        summary = oci.work_requests.models.WorkRequestSummary
        told = self.reasons.get(self._pool(resource_id), [])
        return response([summary(id=resource_id, status="FAILED")] if told else [])

    def list_work_request_errors(self, work_request_id: str, **_: Any) -> Any:
        error = oci.work_requests.models.WorkRequestError
        return response([error(message=text) for text in self.reasons[self._pool(work_request_id)]])
