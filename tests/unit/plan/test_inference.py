"""Workloads of the kind inference in a plan: load, capacity with and without lost nodes, claims, warnings, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from railbed import plan, spec
from railbed.errors import RailbedError
from railbed.platforms import assemble

ROOT = Path(__file__).resolve().parents[3]
OWN = ["inference.ttft", "inference.tpot", "inference.goodput", "inference.failover"]
SERVING = {
    "replicas": 4, "gpus_per_replica": 4, "requests_per_s": 10.0, "concurrency_per_replica": 16, "input_length": 1000,
    "output_length": 101, "ttft_ms": 450.0, "tpot_ms": 40.0, "goodput_share": 0.95, "lost_nodes": 1,
}  # fmt: skip


def made(example: str = "lab-cluster", **serving: Any) -> plan.ClusterPlan:
    data = yaml.safe_load((ROOT / f"examples/{example}.yaml").read_text())["config"]["railbed:cluster"]
    wanted = {name: value for name, value in {**SERVING, **serving}.items() if value is not None}
    data["workloads"] = [
        {"kind": "inference", "gpus": wanted["replicas"] * wanted["gpus_per_replica"], "serving": wanted}
    ]
    return plan.plan(spec.from_config(data, "x"), "x")


def ids(planned: plan.ClusterPlan) -> list[str]:
    return [one.id for one in planned.claims if one.id.startswith("inference.")]


def codes(planned: plan.ClusterPlan) -> set[str]:
    return {one.code for one in planned.warnings}


def test_the_load_and_what_replicas_carry_follow_from_littles_law() -> None:
    planned = made()
    (one,) = planned.inference
    assert one.stay_s == pytest.approx(4.45) and one.concurrency == pytest.approx(44.5)
    assert one.service.placed == [1, 1, 1, 1] and one.replicas_left == 3
    assert one.capacity_per_s == pytest.approx(4 * 16 / 4.45)
    assert one.capacity_left_per_s == pytest.approx(3 * 16 / 4.45)
    assert ids(planned) == OWN
    assert not codes(planned) & {
        "HEADROOM_SHORT",
        "REPLICAS_FEW",
        "CAPACITY_UNKNOWN",
        "NO_GOAL",
        "NO_HEADROOM",
    }
    assert planned.as_json()["inference"][0]["replicas_left"] == 3
    reach = next(one.expectation for one in planned.claims if one.id == "inference.ttft")
    assert reach is not None and reach.expected == 450.0 and reach.basis == "declared"
    assert all(one.simulated for one in planned.claims if one.id in OWN)


def test_a_concurrency_is_a_rate_by_the_same_law() -> None:
    (one,) = made(requests_per_s=None, concurrency=89).inference
    assert one.service.requests_per_s == pytest.approx(20.0) and one.concurrency == pytest.approx(89)


def test_what_cannot_carry_the_load_is_said() -> None:
    short = made(requests_per_s=12.0)
    assert "HEADROOM_SHORT" in codes(short) and "REPLICAS_FEW" not in codes(short)
    few = made(requests_per_s=15.0)
    assert "REPLICAS_FEW" in codes(few)
    assert "CAPACITY_UNKNOWN" in codes(made(concurrency_per_replica=None))


def test_without_a_goal_its_claim_is_out_of_scope_and_says_so() -> None:
    planned = made(ttft_ms=None, goodput_share=None, lost_nodes=0)
    assert ids(planned) == ["inference.tpot"]
    outside = {one.id: one.reason for one in planned.out_of_scope}
    assert "serving.ttft_ms" in outside["inference.ttft"] and "lost_nodes" in outside["inference.failover"]
    assert "serving.goodput_share" in outside["inference.goodput"]
    assert {"NO_GOAL", "NO_HEADROOM", "CAPACITY_UNKNOWN"} <= codes(planned)


def test_a_spec_without_a_service_has_none_of_it() -> None:
    data = yaml.safe_load((ROOT / "examples/lab-cluster.yaml").read_text())["config"]["railbed:cluster"]
    planned = plan.plan(spec.from_config(data, "x"), "x")
    assert not ids(planned) and not planned.inference and "inference" not in planned.as_json()
    assert not [one for one in planned.out_of_scope if one.id.startswith("inference.")]


def test_the_contract_has_the_largest_service() -> None:
    planned = made("metal-cluster")
    contract = assemble.unsealed(planned, "x", [], [], [])
    assert contract.serving == planned.inference[0].service
    assert "serving" in contract.as_json()


def test_on_kubernetes_it_is_refused_by_name() -> None:
    with pytest.raises(RailbedError, match="inference on Kubernetes"):
        made("kubernetes-cluster")
