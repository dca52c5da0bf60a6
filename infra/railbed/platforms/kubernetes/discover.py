"""Looks at a Kubernetes cluster before anything is declared in it: version, rights, driver, namespaces, nodes. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from railbed.contract import Contract
from railbed.defaults import KUBERNETES_MIN
from railbed.effects.kubernetes import api as apis
from railbed.effects.kubernetes import objects
from railbed.effects.kubernetes.api import Api
from railbed.effects.kubernetes.scheduler import NODES
from railbed.errors import RailbedError, Unsupported
from railbed.plan import ClusterPlan
from railbed.platforms.kubernetes import members
from railbed.platforms.kubernetes.members import PoolNodes
from railbed.spec.kubernetes import KubernetesPlatform

CLUSTER_LABEL = "railbed/cluster"
POLICY_CRD = "clusterpolicies.nvidia.com"
POLICIES = "/apis/nvidia.com/v1/clusterpolicies"
"""ClusterPolicy of NVIDIA's GPU Operator; ``spec.driver.enabled`` says whether it installs drivers (its documentation,
"Installing the GPU Operator", chart customisation options; true by default)."""
KUEUE_CRD, KUEUE_VERSION = "clusterqueues.kueue.x-k8s.io", "v1beta2"
RBAC = "rbac.authorization.k8s.io"
KEPT = ("create", "delete", "get", "list", "patch", "watch")
"""Verbs of what the engine keeps: its provider applies by patches, and watches what it deletes until it is gone."""
RIGHTS = {
    ("", "nodes"): ("get", "list", "patch"), ("", "pods"): ("list",), ("", "pods/eviction"): ("create",),
    ("apiextensions.k8s.io", "customresourcedefinitions"): ("get",),
    ("coordination.k8s.io", "leases"): ("create", "delete", "get", "update"),
    ("", "namespaces"): KEPT, ("", "resourcequotas"): KEPT, ("", "serviceaccounts"): KEPT,
    ("networking.k8s.io", "networkpolicies"): KEPT, ("scheduling.k8s.io", "priorityclasses"): KEPT,
    (RBAC, "roles"): KEPT, (RBAC, "rolebindings"): KEPT, (RBAC, "clusterroles"): KEPT, (RBAC, "clusterrolebindings"): KEPT,
}  # fmt: skip
"""API group and resource → verbs that `up`, `node` and `destroy` need, on the cluster as a whole."""
CHECK_RIGHTS = {
    ("batch", "jobs"): ("create", "delete", "get", "list"), ("", "configmaps"): ("create", "delete", "get"),
    ("", "pods"): ("get", "list"), ("", "pods/log"): ("get",),
}  # fmt: skip
"""The same of `validate`, where the spec names an image for checks."""


QUEUE_RIGHTS = {
    ("kueue.x-k8s.io", kind): KEPT
    for kind in ("clusterqueues", "localqueues", "resourceflavors", "topologies")
} | {("kueue.x-k8s.io", "workloads"): ("get", "list", "watch")}
"""The same of `up`, where the spec has queues."""


@dataclass(frozen=True)
class Cluster:
    """What there is."""

    server: str
    version: str
    cluster_id: str
    pools: Mapping[str, PoolNodes]


def place_of(plan: ClusterPlan) -> KubernetesPlatform:
    """The plan's own cluster. Raises Unsupported for a plan of another platform."""
    if not isinstance(plan.place, KubernetesPlatform):
        raise Unsupported("platform kubernetes", f"a plan of platform {plan.platform}")
    return plan.place


def known(before: Contract | None) -> tuple[dict[str, str], str]:
    """Machine id → name of the last contract's nodes, and the cluster's id; empty before the first one."""
    if before is None:
        return {}, ""
    cluster_id = before.kubernetes.cluster_id if before.kubernetes else ""
    return {node.identity.value: node.name for node in before.nodes}, cluster_id


def read_cluster(plan: ClusterPlan, known: Collection[str] = (), before: str = "") -> Cluster:
    """All of it. ``known``: machine ids of the contract's nodes; ``before``: the contract's cluster, empty before the first one.

    Raises RailbedError for a cluster that is another one, too old, lacks rights, whose driver has two owners, or where a
    namespace is somebody else's.
    """
    place = place_of(plan)
    api = apis.opened(place.kubeconfig, place.context)
    version = require_version(api)
    found = apis.cluster_id(api)
    if before and before != found:
        raise RailbedError(
            "the context leads to another cluster than before", code="OTHER_CLUSTER", path=api.where, found=found,
            allowed=before, hint="mend the kubeconfig; for another cluster use another stack",
        )  # fmt: skip
    require_driver(api, place)
    require_kueue(api, place)
    require_namespaces(api, plan, place)
    nodes = list(api.items(NODES))
    return Cluster(api.server, version, found, members.of_pools(plan, place, nodes, known))


def require_version(api: Api) -> str:
    """The version as text. Raises RailbedError for one that is too old."""
    version = apis.version(api)
    text = ".".join(map(str, version))
    if version < KUBERNETES_MIN:
        raise RailbedError(
            f"the API server is of Kubernetes {text}", code="KUBERNETES_OLD", path=api.where, found=text,
            allowed=f"≥ {'.'.join(map(str, KUBERNETES_MIN))}", hint="upgrade the cluster's control plane",
        )  # fmt: skip
    return text


def require_rights(api: Api, place: KubernetesPlatform) -> None:
    """Raises RailbedError naming the rights that the context's user lacks for what the spec asks."""
    lacking = []
    wanted = [*RIGHTS.items()]
    wanted += CHECK_RIGHTS.items() if place.checks is not None else ()
    wanted += QUEUE_RIGHTS.items() if place.kueue is not None else ()
    for group, resource, verb in dict.fromkeys((*what, verb) for what, verbs in wanted for verb in verbs):
        kind, _, part = resource.partition("/")
        asked = {"group": group, "resource": kind, "verb": verb, **({"subresource": part} if part else {})}
        answer = api.request(
            "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            body={
                "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": asked},
            },
        )  # fmt: skip
        if not (answer.get("status") or {}).get("allowed"):
            lacking.append(f"{verb} {resource}{'.' if group else ''}{group}")
    if lacking:
        raise RailbedError(
            "the context's user lacks rights in the cluster", code="API_DENIED", path=api.where, found=lacking,
            allowed="all that docs/platforms/kubernetes.md lists", hint="ask the cluster's owners for them",
        )  # fmt: skip


def require_kueue(api: Api, place: KubernetesPlatform) -> None:
    """Raises RailbedError ``CRD_MISSING`` where the spec has queues, and the cluster no Kueue that serves them."""
    if place.kueue is None:
        return
    crd = api.get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{KUEUE_CRD}")
    versions = [
        one.get("name") for one in ((crd or {}).get("spec") or {}).get("versions") or [] if one.get("served")
    ]
    if KUEUE_VERSION not in versions:
        raise RailbedError(
            "the spec has queues, and the cluster's Kueue does not serve them" if crd else "the cluster has no Kueue",
            code="CRD_MISSING", path="railbed:cluster.platform.kueue", found=versions or None,
            allowed=f"the resource definition {KUEUE_CRD} in {KUEUE_VERSION}",
            hint="install Kueue 0.17 or newer, or remove `kueue`",
        )  # fmt: skip


def require_driver(api: Api, place: KubernetesPlatform) -> None:
    """Raises RailbedError where the GPU driver has two owners, or the GPU Operator that should own it is not there."""
    crd = api.get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{POLICY_CRD}")
    if crd is None and place.driver == "gpu_operator":
        raise RailbedError(
            "the GPU Operator should own the driver, and the cluster does not have it", code="CRD_MISSING",
            path="railbed:cluster.platform.driver", found=None, allowed=f"the resource definition {POLICY_CRD}",
            hint="install NVIDIA's GPU Operator, or say `driver: image` where the nodes' image brings the driver",
        )  # fmt: skip
    managing = [] if crd is None else list(_managing(api))
    if managing and place.driver == "image":
        raise RailbedError(
            "the GPU driver would have two owners: the nodes' image, and the GPU Operator", code="DRIVER_OWNERS",
            path="railbed:cluster.platform.driver", found=f"ClusterPolicy {', '.join(managing)} installs drivers",
            allowed="one owner",
            hint="say `driver: gpu_operator`, or set `spec.driver.enabled: false` in the ClusterPolicy",
        )  # fmt: skip
    if not managing and place.driver == "gpu_operator":
        raise RailbedError(
            "the GPU Operator should own the driver, and no ClusterPolicy lets it install one", code="DRIVER_OWNERS",
            path="railbed:cluster.platform.driver", found="spec.driver.enabled: false, or no ClusterPolicy",
            allowed="a ClusterPolicy with `spec.driver.enabled: true`",
            hint="make one, or say `driver: image` where the nodes' image brings the driver",
        )  # fmt: skip


def _managing(api: Api) -> Iterator[str]:
    for policy in api.items(POLICIES):
        driver = (policy.get("spec") or {}).get("driver") or {}
        if driver.get("enabled", True):
            yield objects.api_name(policy)


def require_namespaces(api: Api, plan: ClusterPlan, place: KubernetesPlatform) -> None:
    """Raises RailbedError for a namespace of the plan that is there and was not made for it: its owner would lose it."""
    for name in place.tenants:
        there = api.get(f"/api/v1/namespaces/{apis.name(name)}")
        if there is not None and objects.labels(there).get(CLUSTER_LABEL) != plan.name:
            raise RailbedError(
                f"the namespace {name} is there already and is not this cluster's", code="NAMESPACE_TAKEN",
                path=f"railbed:cluster.platform.tenants.{name}", found=dict(_few(there)),
                allowed=f"none of that name, or one with the label {CLUSTER_LABEL}={plan.name}",
                hint="choose another name, or let its owner put that label on it, which gives it to railbed",
            )  # fmt: skip


def _few(one: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from list(objects.labels(one).items())[:5]
