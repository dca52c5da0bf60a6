"""Nodes and pods in the form that the Kubernetes API gives them (core/v1 of the API reference), constructed for tests."""

from __future__ import annotations

import hashlib
from typing import Any

from railbed import contract
from railbed.contract import Contract

Object = dict[str, Any]
CLUSTER_ID = "11111111-2222-3333-4444-555555555555"
POOL = {"railbed.example/pool": "h100"}


def machine_id(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def node(name: str, *, gpus: int = 8, labels: dict[str, str] | None = None, **more: Any) -> Object:
    """A node that is ready. ``more``: taints, ready, machine, resources."""
    offered = {"nvidia.com/gpu": str(gpus), "cpu": "192", "memory": "2Ti", "pods": "110"}
    offered |= more.get("resources", {"rdma/hca": "8"})
    ready = more.get("ready", True)
    return {
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {**POOL, "kubernetes.io/hostname": name} if labels is None else labels},
        "spec": {"taints": more["taints"]} if "taints" in more else {},
        "status": {
            "allocatable": offered, "capacity": offered,
            "addresses": [{"type": "InternalIP", "address": "10.1.0.7"}],
            "nodeInfo": {"machineID": more.get("machine", machine_id(name))},
            "conditions": [{
                "type": "Ready", "status": "True" if ready else "Unknown", "reason": "KubeletReady",
                "message": "kubelet is posting ready status" if ready else "Kubelet stopped posting node status.",
                "lastTransitionTime": "2026-11-30T12:00:00Z",
            }],
        },
    }  # fmt: skip


def pod(
    name: str, on: str = "", *, namespace: str = "team-a", gpus: int = 0, owner: str = "", **more: Any
) -> Object:
    """A pod; ``owner``: ``Kind/name`` of its controller."""
    kind, _, maker = owner.partition("/")
    references = (
        [{"apiVersion": "v1", "kind": kind, "name": maker, "uid": "0", "controller": True}] if owner else []
    )
    limits = {"nvidia.com/gpu": str(gpus)} if gpus else {}
    made: Object = {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": more.get("labels", {}),
                     "annotations": more.get("annotations", {}), "ownerReferences": references},
        "spec": {"containers": [{"name": "main", "image": "registry.example/none", "resources": {"limits": limits}}]},
        "status": {"phase": more.get("phase", "Running" if on else "Pending")},
    }  # fmt: skip
    if on:
        made["spec"]["nodeName"] = on
    return made


def stack(base: Contract, kubeconfig: str, context: str, names: list[str], **more: Any) -> Contract:
    """``base`` as the contract of a Kubernetes cluster with these nodes, called h100-0, h100-1, … in it."""
    first = base.with_role("compute")[0]
    nodes = [
        first.model_copy(
            update={
                "name": f"h100-{index}", "pool": "h100", "gpus": 8, "api_name": name,
                "ssh": contract.Ssh(user="root", host_keys=[]),
                "identity": contract.Identity(kind="machine_id", value=machine_id(name)),
            }
        )
        for index, name in enumerate(names)
    ]  # fmt: skip
    place = contract.Kubernetes(
        kubeconfig=kubeconfig, context=context, server="https://127.0.0.1:6443", version="1.37",
        cluster_id=more.get("cluster_id", CLUSTER_ID), namespace=more.get("namespace", "railbed-pretrain"),
        taints=["nvidia.com/gpu"], gate=more.get("gate", True), checks=more.get("checks"),
    )  # fmt: skip
    return base.model_copy(
        update={"scheduler": "kubernetes", "kubernetes": place, "nodes": nodes, "filesystems": []}
    ).sealed()
