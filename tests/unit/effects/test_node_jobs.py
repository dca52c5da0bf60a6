"""The suite by a Job on each node, over the stand-in of an API server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support import kube_api, kube_objects
from tests.unit.effects.test_check_jobs import CHECKS, NO_PLACE, container
from tests.unit.validate.conftest import contract

from railbed.contract import Contract
from railbed.effects.kubernetes import api as apis
from railbed.effects.kubernetes import lease
from railbed.effects.kubernetes.node_jobs import NodeJobs, NotRun

__all__ = ["contract"]
SPACE = "/api/v1/namespaces/railbed-a-checks"
POD = f"{SPACE}/pods/checks-h100-0-x"
RAN = {"phase": "Succeeded", "containerStatuses": container({"terminated": {"exitCode": 0}})}


class Site:
    def __init__(self, cluster: kube_api.Cluster, jobs: NodeJobs) -> None:
        self.cluster, self.jobs = cluster, jobs

    def run(self) -> Any:
        with self.jobs.prepared():
            return self.jobs.run("h100-0", {"claims": []}, 60)

    def left(self, word: str) -> list[str]:
        return [path for path in self.cluster.objects if word in path]


@pytest.fixture
def site(contract: Contract, tmp_path: Path) -> Iterator[Site]:
    with kube_api.serving(tmp_path) as (cluster, kubeconfig):
        made = kube_objects.stack(contract, str(kubeconfig), kube_api.CONTEXT, ["gpu-0"], checks=CHECKS)
        clock = iter(range(0, 100_000, 10))
        api = apis.opened(str(kubeconfig), kube_api.CONTEXT)
        yield Site(cluster, NodeJobs(made, CHECKS, api, lambda: float(next(clock)), lambda _: None))


def test_the_log_has_the_answer_and_nothing_is_left(site: Site) -> None:
    site.cluster.pod_of = lambda _: RAN
    site.cluster.logs[POD] = "2 passed\n\nrailbed-records [1]\n"
    result = site.run()
    assert (result.returncode, result.stdout, "2 passed" in result.stderr) == (0, "[1]", True)
    assert site.left("/jobs/") == site.left("/configmaps/") == site.left("/leases/") == []


def test_a_log_without_records_is_no_answer(site: Site) -> None:
    site.cluster.pod_of = lambda _: {
        "phase": "Failed",
        "containerStatuses": container({"terminated": {"exitCode": 4}}),
    }
    site.cluster.logs[POD] = "nsenter: reassociate failed\n"
    result = site.run()
    assert (result.returncode, result.stdout) == (4, "")


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (
            {"phase": "Pending", "conditions": [NO_PLACE]},
            "pending: the scheduler finds no place: 0/1 nodes: too few cpu.",
        ),
        ({"phase": "Pending"}, "pending: its pod has not begun"),
        ({"phase": "Running"}, "its pod runs, and gave no answer within 90 s"),
    ],
)
def test_a_pod_that_does_not_end_is_not_waited_for_for_ever(
    site: Site, status: dict[str, Any], why: str
) -> None:
    site.cluster.pod_of = lambda _: status
    with pytest.raises(NotRun, match=why):
        site.run()
    assert site.left("/jobs/") == site.left("/leases/") == []


def test_a_job_that_makes_no_pod_is_not_waited_for(site: Site) -> None:
    with pytest.raises(NotRun, match="the Job has no pod yet"):
        site.run()


def test_a_node_that_another_works_on_is_left_alone(site: Site) -> None:
    with (
        lease.acquired(site.jobs.api, "railbed-pretrain", "h100-0", "ada@desk/1"),
        pytest.raises(NotRun, match="another operator is at work on h100-0: ada@desk/1"),
    ):
        site.run()
    assert site.left("/jobs/") == []


def test_a_job_of_a_run_that_was_cut_off_gives_way(site: Site) -> None:
    site.cluster.pod_of = lambda _: RAN
    site.cluster.logs[POD] = "railbed-records [1]\n"
    site.cluster.put(
        "/apis/batch/v1/namespaces/railbed-a-checks/jobs/checks-h100-0",
        {"metadata": {"name": "checks-h100-0"}},
    )
    assert site.run().stdout == "[1]"
    assert site.left("/jobs/") == []


def test_what_admission_refuses_is_a_reason(site: Site) -> None:
    site.cluster.denied = {"jobs"}
    with pytest.raises(NotRun, match="its Job cannot run: the Kubernetes API does not let this user"):
        site.run()
