"""Specs and plans of a Kubernetes cluster that is there already: what is taken, and what is refused by name."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from railbed import plan as plans
from railbed import spec
from railbed.errors import SpecError, Unsupported
from railbed.plan import ClusterPlan

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = yaml.safe_load((ROOT / "examples/kubernetes-cluster.yaml").read_text())["config"]["railbed:cluster"]


def changed(platform: dict[str, Any] | None = None, **top: Any) -> dict[str, Any]:
    data = copy.deepcopy(EXAMPLE)
    data["platform"] |= platform or {}
    return {**data, **top}


def planned(data: dict[str, Any]) -> ClusterPlan:
    return plans.plan(spec.from_config(data, "test"))


def test_what_this_release_does_not_measure_there_is_never_a_pass() -> None:
    plan = planned(EXAMPLE)
    assert [one.id for one in plan.claims if not one.unmeasured] == ["scheduler.state"]
    assert {one.measured_by for one in plan.claims} == {"", "the Kubernetes API"}
    assert all(
        "`platform.checks`" in one.unmeasured or "does not run" in one.unmeasured for one in plan.claims[:4]
    )
    assert any(one.id == "node.logins" and "on Kubernetes" in one.reason for one in plan.out_of_scope)
    assert "NOT_MEASURED" in {one.code for one in plan.warnings}
    assert plan.controllers == 0 and plan.archives == [] and plan.software.repositories == []


IMAGE = f"registry.example:5000/site/checks@sha256:{'0' * 64}"


def test_an_image_for_checks_puts_what_nodes_show_in_scope() -> None:
    plan = planned(changed({"driver": "image", "checks": {"image": IMAGE}}))
    in_jobs = {one.id for one in plan.claims if one.measured_by == "the on-node suite in a Job"}
    assert in_jobs == {
        "node.gpus", "node.driver", "node.persistence", "node.clocks", "node.nvlink", "node.xid", "node.pcie",
        "node.aer", "node.memory", "node.identity",
    }  # fmt: skip
    assert {one.id for one in plan.claims if not one.unmeasured} == {*in_jobs, "scheduler.state"}
    assert any("a Job on each node" in one.message for one in plan.warnings if one.code == "NOT_MEASURED")


def test_checks_where_the_gpu_operator_owns_the_driver_are_refused() -> None:
    with pytest.raises(Unsupported, match="GPU Operator") as refused:
        planned(changed({"checks": {"image": IMAGE}}))
    assert refused.value.path.endswith(".platform.checks")


def test_a_gate_is_a_warning() -> None:
    assert "GATE_BY_HAND" not in {one.code for one in planned(EXAMPLE).warnings}
    assert "GATE_BY_HAND" in {one.code for one in planned(changed({"gate": True})).warnings}


POOLS = EXAMPLE["pools"]


@pytest.mark.parametrize(
    ("data", "path"),
    [
        (changed(scheduler="slurm"), ".scheduler"),
        (changed(pools=[{**POOLS[0], "spares": 2}]), ".pools[0].spares"),
        (changed(pools=[{**POOLS[0], "huge_pages_gib": 8}]), ".pools[0].huge_pages_gib"),
        (changed(pools=[{**POOLS[0], "image": {"profile": "stock"}}]), ".pools[0].image"),
        (changed(access={"ssh_from": ["10.0.0.0/8"]}), ".access.ssh_from"),
        (changed(site={"ntp": ["10.0.0.1"]}), ".site"),
        (changed(job_topology="block"), ".job_topology"),
        (changed(scheduler_api="socket"), ".scheduler_api"),
        (changed(software={"release": "2026.11", "os": "ubuntu 24.04"}), ".software.os"),
        (changed(fabric={"rails": 8, "node_gbps": 3200, "pkey": "0x12"}), ".fabric.pkey"),
    ],
)
def test_what_is_left_to_the_site_is_refused_by_name(data: dict[str, Any], path: str) -> None:
    with pytest.raises(Unsupported) as refused:
        planned(data)
    assert refused.value.path.endswith(path) and refused.value.hint


@pytest.mark.parametrize(
    ("platform", "path"),
    [
        ({"selectors": {}}, ".platform.selectors"),
        ({"selectors": {"h100": {"a": "b"}, "other": {"a": "c"}}}, ".platform.selectors"),
        ({"selectors": {"h100": {}}}, ".platform.selectors.h100"),
        ({"selectors": {"h100": {"not a label": "b"}}}, ".platform.selectors.h100"),
        ({"kubeconfig": "kubeconfig"}, ".platform.kubeconfig"),
        ({"kubeconfig": "apiVersion: v1\nkind: Config"}, ".platform.kubeconfig"),
        ({"context": ""}, ".platform.context"),
        ({"token": "x"}, ".platform.token"),
        ({"driver": "both"}, ".platform.driver"),
        ({"tenants": {"kube-system": {"gpus": 1}}}, ".platform.tenants.kube-system"),
        ({"tenants": {"default": {"gpus": 1}}}, ".platform.tenants.default"),
        ({"tenants": {"railbed-pretrain-kube": {"gpus": 1}}}, ".platform.tenants.railbed-pretrain-kube"),
        (
            {"tenants": {"railbed-pretrain-kube-checks": {"gpus": 1}}},
            ".platform.tenants.railbed-pretrain-kube-checks",
        ),
        ({"checks": {"image": "registry.example/checks:1"}}, ".platform.checks.image"),
        ({"checks": {}}, ".platform.checks.image"),
        ({"tenants": {"a": {"gpus": 513}}}, ".platform.tenants.a.gpus"),
    ],
)
def test_a_platform_part_that_does_not_hold(platform: dict[str, Any], path: str) -> None:
    with pytest.raises(SpecError) as wrong:
        spec.from_config(changed(platform), "test")
    assert path in wrong.value.path


def test_pools_that_cannot_be_told_apart() -> None:
    data = changed({"selectors": {"h100": {"a": "b"}, "more": {"a": "b", "c": "d"}}})
    data["pools"].append({**POOLS[0], "name": "more"})
    with pytest.raises(SpecError, match="another's too"):
        spec.from_config(data, "test")
    data["platform"]["selectors"]["h100"] = {"a": "b", "c": "e"}
    assert len(planned(data).pools) == 2


def test_kubernetes_elsewhere_stays_refused() -> None:
    data = yaml.safe_load((ROOT / "examples/aws-cluster.yaml").read_text())["config"]["railbed:cluster"]
    data["scheduler"] = "kubernetes"
    with pytest.raises(Unsupported, match="scheduler kubernetes") as refused:
        planned(data)
    assert "kind: kubernetes" in refused.value.hint


def test_machines_of_any_vendor_may_be_its_nodes() -> None:
    data = changed(pools=[{"name": "h100", "machine": "aws/p5.48xlarge", "nodes": 64}])
    assert planned(data).pools[0].machine.key == "aws/p5.48xlarge"
