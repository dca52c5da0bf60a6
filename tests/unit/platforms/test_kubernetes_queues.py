"""Queues of tenants: the objects that Kueue gets, and what is refused before any is declared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from tests.support.kube_objects import POOL, node
from tests.unit.platforms.test_kubernetes import Site, found, refused, site

from railbed.errors import Unsupported
from railbed.platforms.kubernetes import discover, queues
from railbed.spec.kubernetes import KubernetesPlatform

__all__ = ["site"]
BLOCK = "site.example/block"
DATA = Path(__file__).resolve().parents[1] / "data/kueue"
CRD = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{discover.KUEUE_CRD}"


def place(**kueue: Any) -> KubernetesPlatform:
    return KubernetesPlatform(
        kind="kubernetes", kubeconfig="/k", context="site", selectors={"h100": POOL}, resources={"rdma/hca": 8},
        kueue=kueue, tenants={"team-a": {"gpus": 24}},
    )  # fmt: skip


def test_a_topology_ends_at_the_node() -> None:
    spec = place(topology=[BLOCK, "site.example/leaf"]).kueue
    assert spec is not None
    labels = [one["nodeLabel"] for one in queues.topology(spec)["levels"]]
    assert labels == [BLOCK, "site.example/leaf", "kubernetes.io/hostname"]


def test_a_flavor_is_a_pools_nodes_and_never_tolerates_the_gate() -> None:
    made = queues.flavor(place(), "h100", "train")
    assert made == {
        "nodeLabels": POOL, "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}], "topologyName": "train",
    }  # fmt: skip
    assert "topologyName" not in queues.flavor(place(), "h100", "")


@pytest.mark.parametrize(("preemption", "policy"), [(False, "Never"), (True, "LowerPriority")])
def test_a_queue_has_the_tenants_gpus_and_ends_no_job_unasked(preemption: bool, policy: str) -> None:
    made = queues.cluster_queue(place(preemption=preemption), "team-a", {"train-h100": 16})
    assert made["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": "team-a"}}
    assert made["preemption"] == {"withinClusterQueue": policy, "reclaimWithinCohort": "Never"}
    (group,) = made["resourceGroups"]
    quotas = {one["name"]: one["nominalQuota"] for one in group["flavors"][0]["resources"]}
    assert quotas == {"nvidia.com/gpu": "16", "rdma/hca": "1M", "cpu": "1M", "memory": "1Pi"}
    assert list(quotas) == group["coveredResources"]


def closed(schema: Any) -> Any:
    """The schema, which takes no field that it does not know: the API server would drop one without a word."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(value) for key, value in schema.items()}
    return {**made, "additionalProperties": False} if isinstance(schema.get("properties"), dict) else made


def problems(plural: str, spec: dict[str, Any]) -> list[str]:
    """What Kueue's own resource definition says against a ``spec``."""
    crd = yaml.safe_load((DATA / f"{plural}.yaml").read_text())
    version = next(
        one for one in crd["spec"]["versions"] if one["name"] == discover.KUEUE_VERSION and one["served"]
    )
    schema = closed(version["schema"]["openAPIV3Schema"]["properties"]["spec"])
    return [one.message for one in jsonschema.Draft202012Validator(schema).iter_errors(spec)]


def test_what_kueue_gets_is_of_its_own_schemas() -> None:
    spec = place(topology=[BLOCK], preemption=True)
    assert spec.kueue is not None
    flavor = queues.flavor(spec, "h100", "train")
    queue = queues.cluster_queue(spec, "team-a", {"train-h100": 16})
    assert problems("topologies", queues.topology(spec.kueue)) == []
    assert problems("resourceflavors", flavor) == problems("clusterqueues", queue) == []
    assert problems("localqueues", {"clusterQueue": "train-team-a"}) == []
    assert problems("resourceflavors", {**flavor, "topology": "train"})
    assert problems("clusterqueues", {**queue, "queueingStrategy": "Random"})
    assert problems("clusterqueues", {**queue, "preemption": {"withinClusterQueue": "Always"}})


def test_a_cluster_without_kueue_or_with_an_old_one_is_refused(site: Site) -> None:
    site.has(node("n0"))
    assert refused(site, site.plan(kueue={})).code == "CRD_MISSING"
    site.cluster.put(CRD, {"metadata": {}, "spec": {"versions": [{"name": "v1beta1", "served": True}]}})
    old = refused(site, site.plan(kueue={}))
    assert old.code == "CRD_MISSING" and old.found == ["v1beta1"]
    site.cluster.put(CRD, {"metadata": {}, "spec": {"versions": [{"name": "v1beta2", "served": True}]}})
    assert found(site, site.plan(kueue={})) == (["n0"], [])


def test_a_node_that_no_label_places_is_left_out(site: Site) -> None:
    site.cluster.put(CRD, {"metadata": {}, "spec": {"versions": [{"name": "v1beta2", "served": True}]}})
    site.has(node("n0", labels={**POOL, BLOCK: "b0"}), node("n1"))
    names, reasons = found(site, site.plan(kueue={"topology": [BLOCK]}))
    assert names == ["n0"]
    assert reasons == [f"n1 lacks the label {BLOCK}, by which `platform.kueue.topology` knows where it is"]


@pytest.mark.parametrize(
    ("platform", "path"),
    [
        ({"kueue": {"installed_by": "railbed"}}, ".platform.kueue.installed_by"),
        ({"kueue": {}, "tenants": {}}, ".platform.kueue"),
    ],
)
def test_what_this_release_does_not_install_is_refused(
    site: Site, platform: dict[str, Any], path: str
) -> None:
    with pytest.raises(Unsupported) as wrong:
        site.plan(**platform)
    assert wrong.value.path.endswith(path)
