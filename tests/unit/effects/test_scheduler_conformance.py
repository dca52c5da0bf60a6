"""The conformance suite of schedulers, over Slurm's own words and over a stand-in of Kubernetes' API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support import kube_api, kube_objects, scheduler_conformance, slurm_model
from tests.support.scheduler_conformance import Bench
from tests.unit.validate.conftest import contract

from railbed.contract import Contract
from railbed.effects.kubernetes.scheduler import KubernetesScheduler
from railbed.effects.scheduler import Scheduler

__all__ = ["contract"]


class OverSlurm:
    def __init__(self, contract: Contract) -> None:
        self.model = slurm_model.Slurm(contract)
        self.scheduler = Scheduler(self.model)  # type: ignore[arg-type]
        self.names = [node.name for node in contract.with_role("compute")]

    def start_job(self, node: str) -> None:
        self.model.running["7"] = node

    def end_jobs(self) -> None:
        self.model.running.clear()

    def person_drains(self, node: str) -> None:
        self.model.reasons[node] = "disk, ada"


class OverKubernetes:
    def __init__(self, contract: Contract, cluster: kube_api.Cluster, kubeconfig: Path) -> None:
        api_names = [f"gpu-{index}.site.example" for index in range(3)]
        cluster.add(*(kube_objects.node(name) for name in api_names), kube_objects.node("others", labels={}))
        self.cluster = cluster
        made = kube_objects.stack(contract, str(kubeconfig), kube_api.CONTEXT, api_names)
        self.scheduler = KubernetesScheduler(made)
        self.api_names = {node.name: node.api_name for node in made.nodes}
        self.names = list(self.api_names)

    def start_job(self, node: str) -> None:
        self.cluster.add(kube_objects.pod("train-0", self.api_names[node], gpus=8, owner="Job/train"))

    def end_jobs(self) -> None:
        for path in [path for path in self.cluster.objects if path.endswith("/train-0")]:
            del self.cluster.objects[path]

    def person_drains(self, node: str) -> None:
        self.cluster.cordon(self.api_names[node])


@pytest.fixture(params=["slurm", "kubernetes"])
def bench(request: Any, contract: Contract, tmp_path: Path) -> Iterator[Bench]:
    if request.param == "slurm":
        yield OverSlurm(contract)
        return
    with kube_api.serving(tmp_path) as (cluster, kubeconfig):
        yield OverKubernetes(contract, cluster, kubeconfig)


@pytest.mark.parametrize("check", scheduler_conformance.CHECKS, ids=lambda check: check.__name__)
def test_both_do_alike(bench: Bench, check: Callable[[Bench], None]) -> None:
    check(bench)
