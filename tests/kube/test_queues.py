"""Queues of tenants, with Kueue's own manager: jobs start as wholes, within blocks, by quota and priority."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.kube import building, queueing, running
from tests.kube.cluster import Cluster, pod_spec
from tests.kube.site import TENANT, Site
from tests.support import kube_stack

from railbed import flow
from railbed.effects import acceptance, contract_store, schedulers

pytestmark = pytest.mark.engine
BLOCK, LEAF = "site.example/block", "site.example/leaf"
NODES, OF_A_BLOCK, OF_A_LEAF = 16, 8, 4
API_NAMES = [f"queued-{index:02d}" for index in range(NODES)]
WORKLOADS = f"/apis/kueue.x-k8s.io/v1beta2/namespaces/{TENANT}/workloads"
QUEUES = "/apis/kueue.x-k8s.io/v1beta2/clusterqueues"
REQUIRED = "kueue.x-k8s.io/podset-required-topology"
QUEUE = "kueue.x-k8s.io/queue-name"


@pytest.fixture(scope="module")
def site(
    plane: running.ControlPlane, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Sixteen accepted nodes in two blocks of two leaves; the tenant may hold all but one of them."""
    cluster.add_nodes(*API_NAMES)
    for index, name in enumerate(API_NAMES):
        labels = {BLOCK: f"b{index // OF_A_BLOCK}", LEAF: f"l{index // OF_A_LEAF}"}
        cluster.api.merge(f"/api/v1/nodes/{name}", {"metadata": {"labels": labels}})
    programs = building.ensure_kueue(print)
    with (
        queueing.kueue(plane, programs),
        kube_stack.checkout(tmp_path_factory.mktemp("checkout")) as work,
    ):
        made = Site(cluster, work, API_NAMES)
        done = made.up(
            kueue={"topology": [BLOCK, LEAF], "preemption": True},
            tenants={TENANT: {"gpus": 8 * (NODES - 1), "group": "oidc:team-a"}},
        )
        assert done.missing == []
        contract = contract_store.load(work)
        acceptance.admit(work, contract.nodes, schedulers.of(work, contract))
        cluster.namespace(TENANT)
        yield made


def gang(site: Site, name: str, pods: int, within: str = "", priority: str = "training") -> None:
    """A Job of so many pods with a whole node each, which asks the tenant's queue."""
    template: dict[str, Any] = {
        "metadata": {"labels": {"job": name}, "annotations": {REQUIRED: within} if within else {}},
        "spec": {
            **pod_spec(gpus=8), "restartPolicy": "Never", "priorityClassName": f"pretrain-kube-{priority}",
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
        },
    }  # fmt: skip
    site.cluster.create(
        "apis/batch/v1/namespaces/{}/jobs", TENANT, name,
        {"parallelism": pods, "completions": pods, "suspend": True, "template": template}, labels={QUEUE: "jobs"},
    )  # fmt: skip


def words(site: Site, name: str) -> str:
    """What Kueue says of the job's workload."""
    found = [
        one for one in site.cluster.api.items(WORKLOADS)
        if any(owner["name"] == name for owner in one["metadata"].get("ownerReferences", []))
    ]  # fmt: skip
    return " ".join(
        c.get("message", "") for one in found for c in one.get("status", {}).get("conditions", [])
    )


def runs(site: Site, name: str, pods: int) -> list[str]:
    """The nodes of a job, once all of its pods run."""
    site.cluster.until(
        f"{name} runs whole: {words(site, name)}",
        lambda: len(site.cluster.running(TENANT, f"job={name}")) == pods,
    )
    return site.cluster.running(TENANT, f"job={name}")


def waits(site: Site, name: str, because: str) -> None:
    site.cluster.until(f"{name} waits: {words(site, name)}", lambda: because in words(site, name))
    site.cluster.until(
        f"no part of {name} runs", lambda: not site.cluster.pods(TENANT, labelSelector=f"job={name}")
    )


def blocks(names: list[str]) -> set[int]:
    return {API_NAMES.index(one) // OF_A_BLOCK for one in names}


def ended(site: Site) -> None:
    site.cluster.end_jobs(TENANT)
    site.cluster.until("no workload is left", lambda: not list(site.cluster.api.items(WORKLOADS)))


def test_up_makes_a_queue_for_each_tenant_and_changes_nothing_again(site: Site) -> None:
    (queue,) = site.cluster.api.items(QUEUES)
    conditions = {one["type"]: one["status"] for one in queue["status"]["conditions"]}
    assert conditions["Active"] == "True", queue["status"]["conditions"]
    again = site.up(
        kueue={"topology": [BLOCK, LEAF], "preemption": True},
        tenants={TENANT: {"gpus": 8 * (NODES - 1), "group": "oidc:team-a"}},
    )
    assert again.changes.total == 0


def test_a_gang_starts_as_a_whole_within_one_block(site: Site) -> None:
    gang(site, "half", OF_A_BLOCK, BLOCK)
    assert len(blocks(runs(site, "half", OF_A_BLOCK))) == 1
    gang(site, "second", OF_A_BLOCK - 1, BLOCK)
    assert blocks(runs(site, "second", OF_A_BLOCK - 1)).isdisjoint(
        blocks(site.cluster.running(TENANT, "job=half"))
    )
    ended(site)


def test_a_gang_that_no_block_holds_waits_as_a_whole(site: Site) -> None:
    gang(site, "wide", OF_A_BLOCK + 1, BLOCK)
    waits(site, "wide", "topology")
    ended(site)


def test_what_is_beyond_the_quota_waits(site: Site) -> None:
    gang(site, "all", NODES)
    waits(site, "all", "quota")
    ended(site)


def test_a_higher_class_takes_the_place_of_a_lower_one(site: Site) -> None:
    gang(site, "filler", NODES - 1, priority="backfill")
    runs(site, "filler", NODES - 1)
    gang(site, "urgent", OF_A_BLOCK, BLOCK, priority="training")
    assert len(blocks(runs(site, "urgent", OF_A_BLOCK))) == 1
    waits(site, "filler", "reempted")
    ended(site)


def test_a_gated_node_is_no_place_for_a_gang(site: Site) -> None:
    contract = contract_store.load(site.work)
    names = site.names()
    acceptance.hold(schedulers.of(site.work, contract), [names[API_NAMES[0]]])
    gang(site, "half", OF_A_BLOCK, BLOCK)
    assert blocks(runs(site, "half", OF_A_BLOCK)) == {1}
    gang(site, "rest", OF_A_BLOCK - 1, BLOCK)
    assert runs(site, "rest", OF_A_BLOCK - 1) == API_NAMES[1:OF_A_BLOCK]
    ended(site)


def test_a_destroy_leaves_nothing_of_it(site: Site) -> None:
    flow.destroy(site.work, site.said.append)
    kinds = ("clusterqueues", "resourceflavors", "topologies", "localqueues")
    left = {kind: list(site.cluster.api.items(f"/apis/kueue.x-k8s.io/v1beta2/{kind}")) for kind in kinds}
    assert not any(left.values()) and site.left() == []
