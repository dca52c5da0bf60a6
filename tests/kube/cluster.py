"""What a site and its users do on the control plane, past railbed: nodes come, jobs start and end, a person cordons."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.kube import running
from tests.processes import until
from tests.support import kube_objects

from railbed.effects.kubernetes.api import Api

WAIT_S = 120.0
"""For what takes controllers and the scheduler a second on a quiet machine."""
NODES = "/api/v1/nodes"
LOST = "node-not-ready.stage.kwok.x-k8s.io"
Object = dict[str, Any]


def gpus_of(count: int) -> Object:
    return {"limits": {"nvidia.com/gpu": str(count)}} if count else {}


def pod_spec(api_name: str = "", *, gpus: int = 0) -> Object:
    """Of a pod that may run on gated nodes too: what runs there came before the gate."""
    made: Object = {
        "containers": [{"name": "main", "image": "registry.example/none", "resources": gpus_of(gpus)}],
        "tolerations": [{"operator": "Exists"}], "terminationGracePeriodSeconds": 0,
    }  # fmt: skip
    if api_name:
        made["nodeSelector"] = {"kubernetes.io/hostname": api_name}
    return made


class Cluster:
    """Nodes are KWOK's: they are ready, and their pods run, without a machine."""

    def __init__(self, plane: running.ControlPlane) -> None:
        self.plane = plane
        self.api: Api = plane.api()

    @property
    def kubeconfig(self) -> Path:
        return self.plane.kubeconfig

    def add_nodes(self, *names: str) -> None:
        for name in names:
            node = kube_objects.node(name, ready=False)
            node["metadata"]["annotations"] = {running.FAKE: "fake"}
            # Both: for a node that lacks one, KWOK writes the list anew, with none where it has no flag of it.
            node["status"]["addresses"] = [
                {"type": kind, "address": running.LOOPBACK} for kind in ("InternalIP", "Hostname")
            ]
            node["status"]["daemonEndpoints"] = {"kubeletEndpoint": {"Port": self.plane.kubelets}}
            self.api.request("POST", NODES, body=node)
        wanted = set(names)
        self.until(f"{len(names)} nodes are ready", lambda: wanted <= self.ready())

    def ready(self) -> set[str]:
        return {
            one["metadata"]["name"] for one in self.api.items(NODES)
            if any(c["type"] == "Ready" and c["status"] == "True" for c in one["status"].get("conditions", []))
            and not one["spec"].get("taints")
        }  # fmt: skip

    def remove_nodes(self) -> None:
        self.api.request("DELETE", NODES)

    def namespace(self, name: str) -> None:
        if self.api.get(f"/api/v1/namespaces/{name}") is None:
            self.api.request("POST", "/api/v1/namespaces", body={"metadata": {"name": name}})
        account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
        self.until("the namespace has its account", lambda: self.api.get(account) is not None)

    def create(self, kind: str, namespace: str, name: str, spec: Object, **metadata: Any) -> None:
        """``kind``: the path of its group and plural, e.g. ``apis/batch/v1/namespaces/{}/jobs``."""
        self.api.request(
            "POST", "/" + kind.format(namespace), body={"metadata": {"name": name, **metadata}, "spec": spec}
        )

    def job(self, namespace: str, name: str, spec: Object, *, pods: int = 1) -> None:
        """A Job of so many pods at once, which never end by themselves."""
        template = {"metadata": {"labels": {"job": name}}, "spec": {**spec, "restartPolicy": "Never"}}
        self.create(
            "apis/batch/v1/namespaces/{}/jobs", namespace, name,
            {"parallelism": pods, "completions": pods, "template": template},
        )  # fmt: skip

    def deployment(self, namespace: str, name: str, spec: Object, *, pods: int = 1) -> None:
        """A service, in that many pods."""
        labels = {"app": name}
        template = {"metadata": {"labels": labels}, "spec": spec}
        self.create(
            "apis/apps/v1/namespaces/{}/deployments", namespace, name,
            {"replicas": pods, "selector": {"matchLabels": labels}, "template": template},
        )  # fmt: skip

    def pods(self, namespace: str, **query: str) -> list[Object]:
        return list(self.api.items(f"/api/v1/namespaces/{namespace}/pods", **query))

    def running(self, namespace: str, selector: str) -> list[str]:
        """Nodes that its pods run on."""
        found = self.pods(namespace, labelSelector=selector)
        return sorted(one["spec"]["nodeName"] for one in found if one["status"]["phase"] == "Running")

    def events(self, namespace: str, reason: str) -> list[str]:
        """What was said in a namespace, with that reason."""
        found = self.api.items(f"/api/v1/namespaces/{namespace}/events", fieldSelector=f"reason={reason}")
        return [str(one.get("note") or one.get("message", "")) for one in found]

    def end_jobs(self, namespace: str) -> None:
        jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
        self.api.request("DELETE", jobs, query={"propagationPolicy": "Background"})
        self.until("no job's pod is left", lambda: not self.pods(namespace, labelSelector="job"))

    def cordon(self, name: str) -> None:
        """As a person does by `kubectl cordon`."""
        self.api.request(
            "PATCH", f"{NODES}/{name}", body={"spec": {"unschedulable": True}}, kind="application/merge-patch+json",
            query={"fieldManager": "kubectl-cordon"},
        )  # fmt: skip

    def lose(self, name: str) -> None:
        """Its kubelet stops: KWOK's stage ``node-not-ready``."""
        self.api.merge(f"{NODES}/{name}", {"metadata": {"labels": {LOST: "true"}}})

    def bring_back(self, name: str) -> None:
        self.api.merge(f"{NODES}/{name}", {"metadata": {"labels": {LOST: None}}})

    def node(self, name: str) -> Object:
        found = self.api.get(f"{NODES}/{name}")
        assert found is not None
        return found

    def until(self, what: str, holds: Callable[[], bool]) -> None:
        """Fails with ``what``, or with the words of a program that ended."""

        def there() -> bool:
            assert not self.plane.dead(), self.plane.dead()
            return holds()

        until(what, WAIT_S, there)
