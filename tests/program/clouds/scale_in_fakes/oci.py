"""Oracle Cloud."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import oci
from oci.core import models as oci_models
from tests.program.clouds.scale_in_fakes.base import BUSY, SAID, Fake


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
