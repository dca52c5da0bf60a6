"""What is read of a Kubernetes cluster before anything is declared in it: which nodes are taken, and what is refused."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support import kube_api, kube_objects
from tests.support.kube_objects import POOL, machine_id, node
from tests.unit.validate.conftest import contract

from railbed import plan as plans
from railbed import platforms, spec
from railbed.contract import Contract
from railbed.errors import RailbedError, Unsupported
from railbed.plan import ClusterPlan
from railbed.platforms import tools
from railbed.platforms.kubernetes import discover, members, preflight, system

__all__ = ["contract"]
ROOT = Path(__file__).resolve().parents[3]
SPEC = yaml.safe_load((ROOT / "examples/kubernetes-cluster.yaml").read_text())["config"]["railbed:cluster"]
OPERATOR = {"kind": "CustomResourceDefinition", "metadata": {"name": discover.POLICY_CRD}}
CRD = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{discover.POLICY_CRD}"


class Site:
    def __init__(self, cluster: kube_api.Cluster, kubeconfig: Path) -> None:
        self.cluster, self.kubeconfig = cluster, kubeconfig

    def plan(self, *, nodes: int = 4, **platform: Any) -> ClusterPlan:
        data = copy.deepcopy(SPEC)
        data["pools"][0]["nodes"] = nodes
        data["workloads"] = []
        data["platform"] |= {
            "kubeconfig": str(self.kubeconfig), "context": kube_api.CONTEXT, "driver": "image",
            "tenants": {"team-a": {"gpus": 8}}, **platform,
        }  # fmt: skip
        return plans.plan(spec.from_config(data, "test"))

    def has(self, *objects: kube_objects.Object) -> None:
        self.cluster.add(*objects)

    def policy(self, enabled: bool | None) -> None:
        self.cluster.put(CRD, OPERATOR)
        driver = {} if enabled is None else {"driver": {"enabled": enabled}}
        self.cluster.put(f"{discover.POLICIES}/policy", {"metadata": {"name": "policy"}, "spec": driver})


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with kube_api.serving(tmp_path) as (cluster, kubeconfig):
        yield Site(cluster, kubeconfig)


def found(site: Site, plan: ClusterPlan, known: tuple[str, ...] = ()) -> tuple[list[str], list[str]]:
    pool = discover.read_cluster(plan, known).pools["h100"]
    return [one["metadata"]["name"] for one in pool.nodes], pool.reasons


def refused(site: Site, plan: ClusterPlan, **more: Any) -> RailbedError:
    with pytest.raises(RailbedError) as why:
        discover.read_cluster(plan, **more)
    return why.value


def test_nodes_are_found_by_all_labels_of_their_pool(site: Site) -> None:
    site.has(
        *(node(f"n{index}") for index in range(4)), node("other", labels={"railbed.example/pool": "a100"})
    )
    assert found(site, site.plan()) == (["n0", "n1", "n2", "n3"], [])
    assert found(site, site.plan(selectors={"h100": {**POOL, "zone": "z"}})) == ([], [])


@pytest.mark.parametrize(
    ("strange", "why"),
    [
        (node("n1", gpus=7), "n1 offers 7 nvidia.com/gpu, and metal/hgx-h100-ib has 8"),
        (node("n1", resources={"rdma/hca": "4"}), "n1 offers 4 rdma/hca, and the spec asks for 8"),
        (node("n1", resources={}), "n1 offers 0 rdma/hca, and the spec asks for 8"),
        (node("n1", ready=False), "n1 is not ready: Kubelet stopped posting node status."),
        (node("n1", machine=""), "n1 its kubelet reports no machine id, by which it could be told from another"),
        (node("n1", taints=[{"key": "site/broken", "value": "fan", "effect": "NoExecute"}]),
         "n1 carries the taint site/broken=fan:NoExecute, which `platform.taints` does not name"),
        (node("n1", labels={**POOL, members.PRODUCT: "NVIDIA-A100-SXM4-80GB"}),
         "n1 its label nvidia.com/gpu.product is NVIDIA-A100-SXM4-80GB, and metal/hgx-h100-ib has NVIDIA H100 80GB HBM3"),
        (node("n1", labels={**POOL, members.PRODUCT: "NVIDIA-H100-80GB-HBM3-SHARED"}),
         "n1 its label nvidia.com/gpu.product is NVIDIA-H100-80GB-HBM3-SHARED, and metal/hgx-h100-ib has NVIDIA H100 80GB HBM3"),
    ],
)  # fmt: skip
def test_a_node_that_is_not_the_pools_is_left_out_with_the_reason(site: Site, strange: Any, why: str) -> None:
    site.has(node("n0"), strange)
    assert found(site, site.plan()) == (["n0"], [why])
    if strange["status"]["nodeInfo"]["machineID"]:
        assert found(site, site.plan(), (machine_id("n1"),)) == (["n1", "n0"], []), (
            "one of the contract stays"
        )


@pytest.mark.parametrize(
    "taint",
    [
        {"key": "nvidia.com/gpu", "effect": "NoSchedule"}, {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"},
        {"key": "railbed/acceptance", "effect": "NoSchedule"}, {"key": "site/hint", "effect": "PreferNoSchedule"},
    ],
)  # fmt: skip
def test_taints_of_the_site_of_kubernetes_and_of_railbed_are_no_strangers(site: Site, taint: Any) -> None:
    site.has(node("n0", taints=[taint], labels={**POOL, members.PRODUCT: "NVIDIA-H100-80GB-HBM3"}))
    assert found(site, site.plan()) == (["n0"], [])


def test_many_reasons_are_cut_short(site: Site) -> None:
    site.has(*(node(f"n{index}", gpus=0) for index in range(9)))
    names, reasons = found(site, site.plan())
    assert names == [] and len(reasons) == 6 and reasons[-1] == "and 4 more"


def test_two_pools_or_two_nodes_that_cannot_be_told_apart(site: Site) -> None:
    site.has(node("n0"), node("n1", machine=machine_id("n0")))
    twice = refused(site, site.plan())
    assert twice.code == "NODE_TWICE" and "cloned" in twice.message
    data = copy.deepcopy(SPEC)
    data["pools"].append({**data["pools"][0], "name": "more"})
    data["platform"]["selectors"]["more"] = {"a": "b"}
    made = plans.plan(spec.from_config(data, "test"))
    place = discover.place_of(made)
    both = [node("n0", labels={**POOL, "a": "b"})]
    with pytest.raises(RailbedError, match="labels of two pools"):
        members.of_pools(made, place, both, ())


def test_an_old_server_and_another_cluster(site: Site) -> None:
    other = refused(site, site.plan(), before="99999999-2222-3333-4444-555555555555")
    assert other.code == "OTHER_CLUSTER" and other.found == kube_objects.CLUSTER_ID
    site.cluster.version = ("1", "33")
    old = refused(site, site.plan())
    assert (old.code, old.found, old.allowed) == ("KUBERNETES_OLD", "1.33", "≥ 1.34")


def test_the_driver_has_one_owner(site: Site) -> None:
    site.has(node("n0"))
    missing = refused(site, site.plan(driver="gpu_operator"))
    assert missing.code == "CRD_MISSING" and discover.POLICY_CRD in missing.allowed
    for enabled in (True, None):
        site.policy(enabled)
        both = refused(site, site.plan())
        assert both.code == "DRIVER_OWNERS" and "two owners" in both.message
        assert found(site, site.plan(driver="gpu_operator"))[0] == ["n0"]
    site.policy(enabled=False)
    assert found(site, site.plan())[0] == ["n0"]
    none = refused(site, site.plan(driver="gpu_operator"))
    assert none.code == "DRIVER_OWNERS" and "no ClusterPolicy" in none.message


def test_a_namespace_of_somebody_else_is_not_taken(site: Site) -> None:
    space = {"kind": "Namespace", "metadata": {"name": "team-a", "labels": {"team": "a"}}}
    site.cluster.put("/api/v1/namespaces/team-a", space)
    taken = refused(site, site.plan())
    assert taken.code == "NAMESPACE_TAKEN" and taken.path.endswith("tenants.team-a")
    space["metadata"]["labels"] = {discover.CLUSTER_LABEL: "pretrain-kube"}
    site.cluster.put("/api/v1/namespaces/team-a", space)
    assert found(site, site.plan()) == ([], [])


def checked(plan: ClusterPlan) -> list[Any]:
    return preflight.check(plan)


def test_preflight_says_what_is_there_and_what_stops(site: Site) -> None:
    site.has(node("n0"), node("n1"), node("n2", gpus=4))
    server, pool = checked(site.plan())
    assert server.ok and "Kubernetes 1.37" in server.found
    assert (pool.ok, pool.needed) == (False, False), "a pool that is not whole stops nothing"
    assert pool.found.startswith("2 nodes for 4; n2 offers 4")
    assert checked(site.plan(nodes=2))[1].ok
    _, empty = checked(site.plan(selectors={"h100": {"a": "b"}}))
    assert empty.needed and not empty.ok
    site.cluster.denied = {"clusterroles"}
    (denied,) = checked(site.plan())
    assert denied.name == "API_DENIED" and "create clusterroles.rbac.authorization.k8s.io" in denied.found
    site.kubeconfig.unlink()
    (gone,) = checked(site.plan())
    assert gone.name == "KUBECONFIG" and gone.needed and not gone.ok


def test_no_image_is_made_and_no_node_is_ended(site: Site) -> None:
    plan = site.plan()
    with pytest.raises(Unsupported, match="recipe"):
        platforms.image(plan, plan.pools[0])
    gone = platforms.NodeToRemove(pool="h100", name="h100-4", id="x")
    assert platforms.scale_in(plan, "s", [gone]) == [
        "h100-4 leaves pool h100 and stays in the cluster: remove its labels"
    ]


@pytest.mark.parametrize(
    "right", ["patch namespaces", "delete priorityclasses", "create pods/eviction", "update leases"]
)
def test_every_right_that_is_used_is_asked_for(site: Site, right: str) -> None:
    site.has(*(node(f"n{index}") for index in range(4)))
    assert all(one.ok for one in checked(site.plan()))
    site.cluster.denied = {right}
    (denied,) = checked(site.plan())
    assert denied.name == "API_DENIED" and right in denied.found


def test_nodes_of_the_contract_that_are_not_ready_stop_no_run(site: Site, contract: Contract) -> None:
    site.has(node("n0", ready=False))
    before = kube_objects.stack(contract, str(site.kubeconfig), kube_api.CONTEXT, ["n0"])
    _, pool = checked(site.plan(nodes=1))
    assert pool.needed and "n0 is not ready" in pool.found, "a new one is not taken"
    assert all(one.ok for one in preflight.check(site.plan(nodes=1), before))
    elsewhere = kube_objects.stack(
        contract,
        str(site.kubeconfig),
        kube_api.CONTEXT,
        ["n0"],
        cluster_id="99999999-2222-3333-4444-555555555555",
    )
    (other,) = preflight.check(site.plan(nodes=1), elsewhere)
    assert other.name == "OTHER_CLUSTER" and not other.ok


def test_doctor_names_the_client_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {one.name: one for one in tools.examine("kubernetes")}
    assert there["API client"].ok and there["API client"].found.startswith("kubernetes ")
    real = tools.importlib.util.find_spec
    monkeypatch.setattr(
        tools.importlib.util, "find_spec", lambda name: None if name == "kubernetes" else real(name)
    )
    lacking = {one.name: one for one in tools.examine("kubernetes")}["API client"]
    assert not lacking.ok and lacking.needed and "--extra kubernetes" in lacking.hint
    assert "API client" not in [one.name for one in tools.examine("aws")]


def test_no_class_preempts_what_is_others() -> None:
    assert {policy for _, policy, _ in system.PRIORITIES.values()} == {"Never"}


def test_no_spares_are_asked_for(site: Site) -> None:
    assert "NO_SPARES" not in [one.code for one in site.plan().warnings]
