"""Workloads of the kind finetuning in a plan: slots, queue, load of the base model, claims, warnings, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from railbed import plan, spec
from railbed.errors import RailbedError, SpecError
from railbed.platforms import assemble

ROOT = Path(__file__).resolve().parents[3]
OWN = ["finetuning.first_step", "finetuning.step_time", "finetuning.model_load"]
PART: dict[str, Any] = {
    "jobs": {"at_once": 4, "per_hour": 12.0, "hours": 0.5},
    "base_model": {"gbytes": 0.064, "filesystem": "scratch"},
    "first_step_s": 180.0,
}


def read(
    example: str = "lab-cluster", gpus: int = 4, part: dict[str, Any] | None = None, **more: Any
) -> spec.ClusterSpec:
    data = yaml.safe_load((ROOT / f"examples/{example}.yaml").read_text())["config"]["railbed:cluster"]
    one = {"kind": "finetuning", "gpus": gpus, "finetuning": {**PART, **(part or {})}}
    return spec.from_config({**data, "workloads": [one], **more}, "x")


def made(*given: Any, **more: Any) -> plan.ClusterPlan:
    return plan.plan(read(*given, **more))


def codes(planned: plan.ClusterPlan) -> set[str]:
    return {one.code for one in planned.warnings}


def test_the_lab_proves_all_but_devices() -> None:
    planned = made()
    assert [one.id for one in planned.claims if one.id.startswith("finetuning.")] == OWN
    outside = {one.id: one.reason for one in planned.out_of_scope}
    assert "no device files" in outside["finetuning.devices"]
    (jobs,) = planned.finetuning
    assert (jobs.slots, jobs.at_once, jobs.measured, jobs.nodes_per_job, jobs.reads) == (8, 4, 4, 1, 4)
    assert jobs.queue is not None and jobs.queue.load == 6.0
    assert jobs.queue.wait_chance == pytest.approx(0.35698, abs=1e-4)
    assert planned.as_json()["finetuning"][0]["queue"]["slots"] == 8 and not planned.jobs
    load = next(one.expectation for one in planned.claims if one.id == "finetuning.model_load")
    assert load is not None and load.floor == 0.04 and load.basis == "declared"
    assert not codes(planned) & {"OVERLOAD", "JOBS_WAIT", "PART_OF_A_NODE", "MODEL_LARGER_THAN_GPUS"}


def test_other_specs_have_none_of_its_claims() -> None:
    planned = plan.plan(spec.load(ROOT / "examples/lab-cluster.yaml"), "x")
    assert not [one for one in (*planned.claims, *planned.out_of_scope) if one.id.startswith("finetuning.")]
    assert "finetuning" not in planned.as_json()


def test_a_cluster_loads_at_the_planned_rate_and_shows_devices() -> None:
    planned = made(
        "aws-cluster", 1, {"jobs": {"at_once": 32}, "base_model": {"gbytes": 140, "filesystem": "scratch"}}
    )
    (jobs,) = planned.finetuning
    rates = planned.storage[0].rates
    assert jobs.slots == 64 * 8 and jobs.queue is None and rates.read_gbytes_per_s is not None
    each = rates.node_read_alone_gbytes_per_s or rates.read_gbytes_per_s / 64
    rate = min(rates.read_gbytes_per_s, 32 * each)
    assert jobs.load_all_s == pytest.approx(32 * 140 / rate) and jobs.load_one_s == pytest.approx(140 / each)
    reach = {one.id: one.expectation for one in planned.claims}
    load, step = reach["finetuning.model_load"], reach["finetuning.step_time"]
    assert (
        load is not None
        and load.floor == pytest.approx(0.9 * rate)
        and load.size_bytes == 32 * 140_000_000_000
    )
    assert step is not None and step.floor is None and step.basis == "none"
    devices = reach["finetuning.devices"]
    assert devices is not None and devices.expected == 1
    assert "MODEL_LARGER_THAN_GPUS" in codes(planned)


@pytest.mark.parametrize(
    ("gpus", "part", "code"),
    [
        (4, {"jobs": {"per_hour": 17.0, "hours": 0.5}}, "OVERLOAD"),
        (4, {"jobs": {"at_once": 9}}, "JOBS_WAIT"),
        (3, {}, "PART_OF_A_NODE"),
        (12, {"jobs": {"at_once": 1}}, "PART_OF_A_NODE"),
    ],
)  # fmt: skip
def test_what_a_user_should_know_is_said(gpus: int, part: dict[str, Any], code: str) -> None:
    assert code in codes(made("lab-cluster", gpus, part))


def test_a_load_that_takes_longer_than_the_goal_is_said() -> None:
    part = {
        "base_model": {"gbytes": 140, "filesystem": "scratch"},
        "jobs": {"at_once": 64},
        "first_step_s": 5.0,
    }
    assert "MODEL_LOADS_TOO_LONG" in codes(made("aws-cluster", 8, part))


def test_jobs_that_run_on_average_are_those_at_once() -> None:
    assert made("lab-cluster", 4, {"jobs": {"per_hour": 6.0, "hours": 0.5}}).finetuning[0].at_once == 3
    assert made("lab-cluster", 4, {"jobs": {"per_hour": 1.0, "hours": 0.01}}).finetuning[0].at_once == 1


@pytest.mark.parametrize(
    ("gpus", "part", "path", "words"),
    [
        (64, {}, "gpus", "the pools have 32"),
        (
            4,
            {"base_model": {"gbytes": 1.0, "filesystem": "scrtch"}},
            "base_model.filesystem",
            "no filesystem",
        ),
        (
            4,
            {"base_model": {"gbytes": 20_000.0, "filesystem": "scratch"}},
            "base_model.gbytes",
            "the base model has",
        ),
        (4, {"base_model": {"gbytes": 0.0, "filesystem": "scratch"}}, "base_model.gbytes", "0"),
        (4, {"jobs": {}}, "jobs", "how many jobs"),
        (4, {"jobs": {"per_hour": 3.0}}, "jobs.hours", "'hours' is missing"),
        (4, {"jobs": {"hours": 3.0}}, "jobs.per_hour", "'per_hour' is missing"),
        (4, {"jobs": {"at_once": 0}}, "jobs.at_once", "1"),
        (4, {"jobs": {"at_once": "4"}}, "jobs.at_once", "wrong type"),
        (4, {"jobs": {"at_once": 4, "tenants": 2}}, "jobs.tenants", "tenants"),
        (4, {"first_step_s": float("nan")}, "first_step_s", "finite"),
    ],
)
def test_bad_input_is_named(gpus: int, part: dict[str, Any], path: str, words: str) -> None:
    with pytest.raises(SpecError) as refused:
        read("lab-cluster", gpus, part)
    assert refused.value.path.endswith(path)
    assert words in f"{refused.value.message} {refused.value.allowed}", refused.value.message


def test_a_job_larger_than_the_largest_pool_is_refused() -> None:
    pools = [{"name": name, "machine": "lab/rail8", "nodes": 2} for name in ("a", "b")]
    with pytest.raises(SpecError, match="the largest pool has 16") as refused:
        read("lab-cluster", 24, pools=pools)
    assert refused.value.path.endswith("workloads[0].gpus") and refused.value.code == "SPEC_SUM"


@pytest.mark.parametrize(
    ("workload", "words"),
    [
        ({"kind": "finetuning", "gpus": 4}, "is missing"),
        ({"kind": "pretraining", "gpus": 4, "finetuning": PART}, "does not go with kind pretraining"),
        ({"kind": "finetuning", "gpus": 4, "days": 3.0, "finetuning": PART}, "days is of one long job"),
    ],
)
def test_its_part_goes_with_its_kind(workload: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        read(workloads=[workload])


def test_what_it_cannot_build_is_refused_by_name() -> None:
    two = [{"kind": "finetuning", "gpus": 4, "finetuning": PART}] * 2
    with pytest.raises(RailbedError, match="a second workload of kind finetuning"):
        plan.plan(read(workloads=two))
    with pytest.raises(RailbedError, match="finetuning with scheduler none"):
        made("aws-hosts", 1, {"jobs": {"at_once": 1}}, filesystems=[
            {"name": "scratch", "mount": "/scratch", "offer": "aws/fsx-lustre-persistent-2", "capacity_tib": 2.34375}
        ])  # fmt: skip


def test_a_spec_without_it_keeps_its_hash() -> None:
    """Certificates of clusters without such jobs still stand."""
    lines = spec.load(ROOT / "examples/aws-cluster.yaml").model_dump(mode="json")["workloads"]
    assert lines and all("finetuning" not in one for one in lines)


def test_the_contract_says_what_a_validation_submits() -> None:
    told = assemble.cluster(made("lab-cluster", 4), "small", [], [], []).finetuning
    assert told is not None
    assert (told.gpus, told.jobs, told.filesystem, told.model_bytes, told.load_s) == (
        4,
        4,
        "scratch",
        64_000_000,
        None,
    )
    before = assemble.cluster(
        plan.plan(spec.load(ROOT / "examples/lab-cluster.yaml"), "x"), "lab", [], [], []
    )
    assert before.finetuning is None and "finetuning" not in before.model_dump(mode="json")
