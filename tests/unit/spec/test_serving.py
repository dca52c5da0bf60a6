"""Inference services in a spec: what is refused, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from railbed import spec
from railbed.errors import SpecError

ROOT = Path(__file__).resolve().parents[3]
GOOD = {
    "replicas": 2, "gpus_per_replica": 1, "requests_per_s": 2.0, "input_length": 64, "output_length": 32, "ttft_ms": 2000.0,
    "tpot_ms": 200.0, "goodput_share": 0.95, "lost_nodes": 1,
}  # fmt: skip


def read(gpus: int = 2, kind: str = "inference", **serving: Any) -> spec.ClusterSpec:
    data = yaml.safe_load((ROOT / "examples/lab-cluster.yaml").read_text())["config"]["railbed:cluster"]
    wanted = {name: value for name, value in {**GOOD, **serving}.items() if value is not None}
    data["workloads"] = [{"kind": kind, "gpus": gpus, "serving": wanted}]
    return spec.from_config(data, "x")


def test_a_service_is_read() -> None:
    service = read().workloads[0].serving
    assert service is not None and (service.replicas, service.lost_nodes, service.ttft_ms) == (2, 1, 2000.0)


def test_a_spec_without_one_has_the_hash_of_before() -> None:
    data = yaml.safe_load((ROOT / "examples/lab-cluster.yaml").read_text())["config"]["railbed:cluster"]
    assert "serving" not in spec.from_config(data, "x").model_dump_json()


@pytest.mark.parametrize(
    ("path", "gpus", "serving"),
    [
        ("gpus", 3, {}),
        ("gpus", 64, {"replicas": 64}),
        ("serving.gpus_per_replica", 32, {"gpus_per_replica": 16}),
        ("serving.replicas", 30, {"replicas": 6, "gpus_per_replica": 5}),
        ("serving.lost_nodes", 2, {"lost_nodes": 2}),
        ("serving.requests_per_s", 2, {"requests_per_s": None}),
        ("serving.requests_per_s", 2, {"concurrency": 8}),
        ("serving.concurrency", 2, {"requests_per_s": None, "concurrency": 8, "tpot_ms": None, "goodput_share": None}),
        ("serving.goodput_share", 2, {"ttft_ms": None}),
        ("serving.tpot_ms", 2, {"output_length": 1}),
        ("serving.ttft_ms", 2, {"ttft_ms": 0.0}),
        ("serving.goodput_share", 2, {"goodput_share": 1.5}),
        ("serving.replicas", 2, {"replicas": "two"}),
        ("serving.replica", 2, {"replica": 2}),
    ],
)  # fmt: skip
def test_bad_input_is_refused_where_it_stands(path: str, gpus: int, serving: dict[str, Any]) -> None:
    with pytest.raises(SpecError) as refused:
        read(gpus, **serving)
    assert (refused.value.path or "").endswith(f"workloads[0].{path}"), refused.value


def test_only_inference_serves_and_inference_says_what() -> None:
    with pytest.raises(SpecError, match="serves nobody"):
        read(kind="scientific")
    data = yaml.safe_load((ROOT / "examples/lab-cluster.yaml").read_text())["config"]["railbed:cluster"]
    with pytest.raises(SpecError, match="'serving' is missing"):
        spec.from_config({**data, "workloads": [{"kind": "inference", "gpus": 8}]}, "x")
