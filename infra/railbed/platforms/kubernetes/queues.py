"""Queues of tenants for Kueue: a job starts as a whole, within the part of the fabric that it asks for, or waits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from railbed.effects.kubernetes.objects import GPU, quantity
from railbed.platforms.kubernetes.system import meta
from railbed.spec.kubernetes import KubernetesPlatform, Kueue

API = "kueue.x-k8s.io/v1beta2"
HOST = "kubernetes.io/hostname"
"""The innermost level of a topology: the node itself."""
QUEUE = "jobs"
"""Name of a tenant's queue in its namespace; jobs name it by the label ``kueue.x-k8s.io/queue-name``."""
NO_LIMIT = {"cpu": "1M", "memory": "1Pi"}
"""A queue admits only what all of its resources are named of; these have no limit."""
SEES_QUEUES = k8s.rbac.v1.PolicyRuleArgs(
    api_groups=["kueue.x-k8s.io"], resources=["localqueues", "workloads"], verbs=["get", "list", "watch"]
)
"""Of the people of a tenant: why their job waits."""


def topology(kueue: Kueue) -> dict[str, Any]:
    """Levels from the outermost to the node. Pure, as the others are."""
    return {"levels": [{"nodeLabel": label} for label in (*kueue.topology, HOST)]}


def flavor(place: KubernetesPlatform, pool: str, topology_name: str) -> dict[str, Any]:
    """The nodes of a pool. Jobs tolerate what the site put on them; the gate they do not."""
    spec: dict[str, Any] = {
        "nodeLabels": dict(place.selectors[pool]),
        "tolerations": [{"key": key, "operator": "Exists"} for key in place.taints],
    }
    return {**spec, "topologyName": topology_name} if topology_name else spec


def cluster_queue(place: KubernetesPlatform, tenant: str, flavors: Mapping[str, int]) -> dict[str, Any]:
    """What one tenant's jobs may hold at once. ``flavors``: name → GPUs that its pool has."""
    covered = [GPU, *place.resources, *NO_LIMIT]
    limits = [
        {
            "name": name,
            "resources": [
                {"name": GPU, "nominalQuota": quantity(min(place.tenants[tenant].gpus, gpus))},
                *({"name": one, "nominalQuota": "1M"} for one in place.resources),
                *({"name": one, "nominalQuota": most} for one, most in NO_LIMIT.items()),
            ],
        }
        for name, gpus in flavors.items()
    ]
    preempts = place.kueue is not None and place.kueue.preemption
    return {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": tenant}},
        "queueingStrategy": "BestEffortFIFO",
        "preemption": {"withinClusterQueue": "LowerPriority" if preempts else "Never", "reclaimWithinCohort": "Never"},
        "resourceGroups": [{"coveredResources": covered, "flavors": limits}],
    }  # fmt: skip


class Queues(pulumi.ComponentResource):
    """One for each stack whose spec has them. Objects grow with pools and tenants, never with nodes."""

    def __init__(
        self, name: str, place: KubernetesPlatform, gpus: Mapping[str, int], labels: Mapping[str, str],
        opts: pulumi.ResourceOptions, spaces: Mapping[str, pulumi.Resource],
    ) -> None:  # fmt: skip
        """``gpus``: pool → GPUs that it has. ``spaces``: tenant → what makes its namespace."""
        super().__init__("railbed:kubernetes:Queues", name, None, opts)
        kueue = place.kueue
        assert kueue is not None
        where = name if kueue.topology else ""
        before: list[pulumi.Resource] = []
        if where:
            before = [self._made("Topology", "topology", meta(where, labels), topology(kueue), [])]
        flavors = [
            self._made(
                "ResourceFlavor",
                f"flavor-{pool}",
                meta(f"{name}-{pool}", labels),
                flavor(place, pool, where),
                before,
            )
            for pool in gpus
        ]
        counted = {f"{name}-{pool}": count for pool, count in gpus.items()}
        for tenant in place.tenants:
            title = f"{name}-{tenant}"
            queue = self._made(
                "ClusterQueue",
                f"queue-{tenant}",
                meta(title, labels),
                cluster_queue(place, tenant, counted),
                flavors,
            )
            self._made(
                "LocalQueue", f"{tenant}-jobs", meta(QUEUE, labels, tenant), {"clusterQueue": title},
                [queue, spaces[tenant]],
            )  # fmt: skip
        self.register_outputs({})

    def _made(
        self, kind: str, name: str, metadata: k8s.meta.v1.ObjectMetaArgs, spec: dict[str, Any],
        after: list[pulumi.Resource],
    ) -> pulumi.Resource:  # fmt: skip
        opts = pulumi.ResourceOptions(parent=self, depends_on=after)
        made: pulumi.Resource = k8s.apiextensions.CustomResource(
            name, api_version=API, kind=kind, metadata=metadata, spec=spec, opts=opts
        )
        return made
