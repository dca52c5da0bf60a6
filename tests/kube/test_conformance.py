"""The conformance suite of schedulers over a real API server, controllers and scheduler; nodes are KWOK's."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tests.kube.cluster import Cluster, pod_spec
from tests.support import kube_api, kube_objects, scheduler_conformance
from tests.support.scheduler_conformance import Bench
from tests.unit.validate.conftest import contract

from railbed.contract import Contract
from railbed.effects.kubernetes import api as apis
from railbed.effects.kubernetes.scheduler import KubernetesScheduler

__all__ = ["contract"]
TENANT = "team-conformance"
API_NAMES = [f"conform-{index}.site.example" for index in range(3)]


class OverKubernetes:
    def __init__(self, contract: Contract, cluster: Cluster) -> None:
        self.cluster = cluster
        made = kube_objects.stack(
            contract, str(cluster.kubeconfig), kube_api.CONTEXT, API_NAMES,
            cluster_id=apis.cluster_id(cluster.api), namespace=TENANT,
        )  # fmt: skip
        self.scheduler = KubernetesScheduler(made)
        self.api_names = {node.name: node.api_name for node in made.nodes}
        self.names = list(self.api_names)

    def start_job(self, node: str) -> None:
        self.cluster.job(TENANT, "train", pod_spec(self.api_names[node], gpus=8))
        self.cluster.until("the job runs", lambda: bool(self.cluster.running(TENANT, "job=train")))

    def end_jobs(self) -> None:
        self.cluster.end_jobs(TENANT)

    def person_drains(self, node: str) -> None:
        self.cluster.cordon(self.api_names[node])


@pytest.fixture(scope="module", autouse=True)
def _nodes(cluster: Cluster) -> None:
    cluster.namespace(TENANT)
    cluster.add_nodes(*API_NAMES)


@pytest.fixture
def bench(contract: Contract, cluster: Cluster) -> Iterator[Bench]:
    made = OverKubernetes(contract, cluster)
    yield made
    made.end_jobs()
    made.scheduler.release(made.names)
    for name in made.names:
        made.scheduler.resume(name)


@pytest.mark.parametrize("check", scheduler_conformance.CHECKS, ids=lambda check: check.__name__)
def test_kubernetes_does_as_slurm_does(bench: Bench, check: Callable[[Bench], None]) -> None:
    check(bench)
