"""`up`, gate, drain and `destroy` of a stack on a real control plane; Pulumi's provider is the stand-in, nodes are KWOK's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.kube.cluster import Cluster, pod_spec
from tests.kube.site import QUOTA, SPACE, TENANT, Site
from tests.support import kube_api, kube_stack

from railbed import flow, validate
from railbed.effects import contract_store
from railbed.effects.kubernetes import api as apis
from railbed.effects.kubernetes.api import Api, ApiError
from railbed.effects.kubernetes.scheduler import KubernetesScheduler
from railbed.errors import UsageError

pytestmark = pytest.mark.engine
API_NAMES = [f"gpu-{index}" for index in range(3)]


@pytest.fixture(scope="module")
def site(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    cluster.add_nodes(*API_NAMES)
    with kube_stack.checkout(tmp_path_factory.mktemp("checkout")) as work:
        made = Site(cluster, work, API_NAMES)
        done = made.up()
        assert str(done.report.verdict) == "unproven" and done.missing == []
        yield made


def refused(api: Api, path: str, spec: dict[str, Any]) -> str:
    """What admission says to a pod of that spec."""
    with pytest.raises(ApiError) as said:
        api.request(
            "POST", path, body={"metadata": {"name": "refused"}, "spec": spec}, query={"dryRun": "All"}
        )
    assert said.value.status == 403
    return str(said.value)


def test_a_second_up_changes_nothing_and_mends_what_somebody_changed(site: Site) -> None:
    assert site.up().changes.total == 0
    site.cluster.api.merge(QUOTA, {"spec": {"hard": {"requests.nvidia.com/gpu": "999"}}})
    assert site.up().changes.total == 1
    quota = site.cluster.api.get(QUOTA)
    assert quota is not None and quota["spec"]["hard"] == {"requests.nvidia.com/gpu": "8"}


def test_a_tenant_gets_its_quota_and_no_privileges(site: Site) -> None:
    """By the API server's own admission, which no stand-in has."""
    site.cluster.namespace(TENANT)
    counted = site.cluster.api
    site.cluster.until(
        "the quota is counted", lambda: "used" in ((counted.get(QUOTA) or {}).get("status") or {})
    )
    pods = f"/api/v1/namespaces/{TENANT}/pods"
    assert "exceeded quota: gpus" in refused(site.cluster.api, pods, pod_spec(gpus=9))
    privileged = pod_spec()
    privileged["containers"][0]["securityContext"] = {"privileged": True}
    assert "baseline" in refused(site.cluster.api, pods, privileged)


def test_a_gated_node_takes_no_job_until_an_operator_accepts_it(site: Site) -> None:
    assert site.gated() == API_NAMES
    tolerant = {**pod_spec(gpus=8), "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}]}
    site.cluster.job(TENANT, "train", tolerant)

    said: list[str] = []

    def kept_out() -> bool:
        found = site.cluster.pods(TENANT, labelSelector="job=train")
        said[:] = [c.get("message", "") for one in found for c in one["status"].get("conditions", [])]
        return bool(said)

    site.cluster.until("the scheduler says why the job waits", kept_out)
    assert "3 node(s) had untolerated taint" in said[0], said
    contract = contract_store.load(site.work)
    trusted = {one.id: "the site's own burn-in" for one in contract.claims if one.id != "scheduler.state"}
    report = validate.run(contract, site.work, accept=trusted)
    assert str(report.verdict) == "pass" and report.certificate == "" and site.gated() == []
    site.cluster.until("the job runs", lambda: bool(site.cluster.running(TENANT, "job=train")))


def test_a_drain_ends_no_job_and_breaks_no_budget(site: Site) -> None:
    (api_name,) = site.cluster.running(TENANT, "job=train")
    name = site.names()[api_name]
    for service in ("web", "db"):
        # What tolerates all comes back to a node that is cordoned.
        site.cluster.deployment(TENANT, service, {**pod_spec(api_name), "tolerations": []})
    site.cluster.create(
        "apis/policy/v1/namespaces/{}/poddisruptionbudgets", TENANT, "db",
        {"minAvailable": 1, "selector": {"matchLabels": {"app": "db"}}},
    )  # fmt: skip
    for service in ("web", "db"):
        site.cluster.until(
            f"{service} runs", lambda one=service: bool(site.cluster.running(TENANT, f"app={one}"))
        )  # type: ignore[misc]
    status, said = site.railbed("node", "drain", name, "--reason", "fan of GPU 3")
    words = " ".join(said.split())
    assert status == 0 and f"job {TENANT}/train goes on to its end" in words and "budget" in words
    site.cluster.until("web is evicted", lambda: not site.cluster.running(TENANT, "app=web"))
    assert site.cluster.running(TENANT, "app=db") == site.cluster.running(TENANT, "job=train") == [api_name]
    status, said = site.railbed("node", "list", "--json")
    listed = {one["name"]: one for one in json.loads(said)["nodes"]}
    assert listed[name]["state"] == "draining" and listed[name]["jobs"] == [f"{TENANT}/train of {TENANT}"]
    assert site.railbed("node", "resume", name)[0] == 0
    site.cluster.until("web runs again", lambda: bool(site.cluster.running(TENANT, "app=web")))


def test_the_operators_account_drains_and_does_no_more(site: Site, tmp_path: Path) -> None:
    own = site.account(tmp_path)
    contract = contract_store.load(site.work)
    assert contract.kubernetes is not None
    place = contract.kubernetes.model_copy(update={"kubeconfig": str(own)})
    scheduler = KubernetesScheduler(contract.model_copy(update={"kubernetes": place}))
    free = next(
        name for name, state in scheduler.nodes().items() if not scheduler.jobs(name) and state.usable
    )
    scheduler.drain(free, "[railbed:operator] by the account")
    assert scheduler.nodes()[free].drained and scheduler.resume(free)
    api = apis.opened(str(own), kube_api.CONTEXT)
    (pod,) = site.cluster.pods(TENANT, labelSelector="job=train")
    for verb, path in (
        ("GET", f"/api/v1/namespaces/{TENANT}/secrets"),
        ("DELETE", f"/api/v1/namespaces/{TENANT}/pods/{pod['metadata']['name']}"),
        ("DELETE", "/api/v1/nodes/gpu-0"),
        ("GET", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"),
    ):
        with pytest.raises(ApiError, match="does not let this user"):
            api.request(verb, path)


def test_a_node_that_is_lost_is_seen(site: Site) -> None:
    used = site.cluster.running(TENANT, "job=train")
    lost = next(name for name in API_NAMES if name not in used)
    name = site.names()[lost]
    site.cluster.lose(lost)

    def state() -> dict[str, Any]:
        said = site.railbed("node", "list", "--json")[1]
        return next(one for one in json.loads(said)["nodes"] if one["name"] == name)

    site.cluster.until("the list says that it does not answer", lambda: state()["state"] == "unknown")
    site.cluster.bring_back(lost)
    site.cluster.until("it is back", lambda: state()["state"] == "healthy")


def test_a_destroy_waits_for_jobs_and_leaves_the_tenants_namespace(site: Site) -> None:
    with pytest.raises(UsageError, match="jobs run"):
        flow.destroy(site.work, site.said.append)
    site.cluster.end_jobs(TENANT)
    flow.destroy(site.work, site.said.append)
    api = site.cluster.api
    assert (
        api.get(f"/api/v1/namespaces/{SPACE}") is None and api.get(f"/api/v1/namespaces/{TENANT}") is not None
    )
    assert api.get(QUOTA) is None
    assert site.left() == []
    assert site.gated() == []
