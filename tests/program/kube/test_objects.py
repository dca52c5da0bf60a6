"""What the program declares in a Kubernetes cluster beside the usual, under Pulumi's mocks: no engine, no API server."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml
from tests.program.clouds import recording

from railbed import plan as plans
from railbed import spec
from railbed.platforms.kubernetes import discover, platform

ROOT = Path(__file__).resolve().parents[3]
SPEC = yaml.safe_load((ROOT / "examples/kubernetes-cluster.yaml").read_text())["config"]["railbed:cluster"]
SPACE = "railbed-pretrain-kube"
QUEUES = {"ClusterQueue": 2, "LocalQueue": 2, "ResourceFlavor": 1, "Topology": 1}


def declared(nodes: int = 64, **place: Any) -> list[recording.Declared]:
    data = copy.deepcopy(SPEC)
    data["workloads"], data["pools"][0]["nodes"] = [], nodes
    data["platform"] |= {"driver": "image", **place}
    plan = plans.plan(spec.from_config(data, "test"))
    made = recording.run(
        lambda: platform.declare(plan, discover.place_of(plan), "1").namespace.id,
        lambda *_: {},
        lambda *_: {},
    )
    return made.declared


def names(found: list[recording.Declared], kind: str) -> list[str]:
    return sorted(one.inputs["metadata"]["name"] for one in found if one.typ.endswith(f":{kind}"))


def test_checks_get_a_namespace_of_their_own_and_an_account() -> None:
    plain = declared()
    found = declared(checks={"image": f"registry.example/checks@sha256:{'0' * 64}"})
    assert set(names(found, "Namespace")) - set(names(plain, "Namespace")) == {f"{SPACE}-checks"}
    levels = {
        one.inputs["metadata"]["name"]: one.inputs["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        for one in found if one.typ.endswith(":Namespace")
    }  # fmt: skip
    assert levels == {
        SPACE: "restricted",
        f"{SPACE}-checks": "privileged",
        "team-a": "baseline",
        "team-b": "baseline",
    }
    bound = [
        one.inputs
        for one in found
        if one.typ.endswith("Binding") and one.inputs["metadata"]["name"].endswith("validator")
    ]
    assert sorted(one["roleRef"]["name"] for one in bound) == ["operator", f"{SPACE}-operator", "validator"]
    assert {one["subjects"][0]["namespace"] for one in bound} == {f"{SPACE}-checks"}


def test_queues_grow_with_tenants_and_not_with_nodes() -> None:
    found = declared(kueue={"topology": ["site.example/block"]})
    kinds = [one.typ.rpartition(":")[2] for one in found]
    assert {kind: kinds.count(kind) for kind in QUEUES} == QUEUES
    assert names(found, "ClusterQueue") == ["pretrain-kube-team-a", "pretrain-kube-team-b"]
    assert len(declared(512, kueue={"topology": ["site.example/block"]})) == len(found)
    (role, *_) = [
        one.inputs
        for one in found
        if one.typ.endswith(":Role") and one.inputs["metadata"]["namespace"] == "team-a"
    ]
    assert any(rule.get("apiGroups") == ["kueue.x-k8s.io"] for rule in role["rules"])
