"""Workloads of the kind scientific in a plan: whole nodes, double precision, claims, packages and refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from railbed import plan, spec
from railbed.contract import Software
from railbed.errors import RailbedError, UsageError

ROOT = Path(__file__).resolve().parents[3]
IMAGE = {"path": "/scratch/images/hpc-benchmarks.sqsh", "sha256": "5e" * 32}
OWN = [
    "science.hpl", "science.hpl@4", "science.stream", "science.repeatable", "science.mpi_latency", "science.mpi_bandwidth",
]  # fmt: skip


def made(
    example: str, gpus: int = 32, machine: str = "", software: Any = None, **more: Any
) -> plan.ClusterPlan:
    data = yaml.safe_load((ROOT / f"examples/{example}.yaml").read_text())["config"]["railbed:cluster"]
    if machine:
        pool = data["pools"][0]
        pool["machine"] = machine
        if machine.endswith("b300"):
            data["fabric"]["node_gbps"] = 6400
        data["platform"] |= {
            "switch": "nvidia/sn5600",
            "pools": {pool["name"]: {"storage_interface": "ens9"}},
        }
    data["workloads"] = [{"kind": "scientific", "gpus": gpus}]
    data["software"] |= software or {}
    return plan.plan(spec.from_config({**data, **more}, "x"))


def ids(planned: plan.ClusterPlan) -> list[str]:
    return [one.id for one in planned.claims if one.id.startswith("science.")]


def codes(planned: plan.ClusterPlan) -> set[str]:
    return {one.code for one in planned.warnings}


def test_the_lab_proves_all_of_it_on_processors() -> None:
    planned = made("lab-cluster")
    assert ids(planned) == OWN
    assert all(one.simulated for one in planned.claims if one.id in OWN and one.id != "science.repeatable")
    (job,) = planned.science
    assert (job.nodes, job.ranks, job.idle_gpus, job.hpl_n) == (4, 4, 0, 640)
    assert planned.as_json()["science"][0]["nodes"] == 4 and not planned.jobs
    assert not codes(planned) & {"PART_OF_A_NODE", "NO_HPL", "FP64_UNKNOWN"}


def test_a_part_of_a_node_idles_and_is_said() -> None:
    planned = made("lab-cluster", 28)
    assert planned.science[0].idle_gpus == 4 and "PART_OF_A_NODE" in codes(planned)


def test_one_node_has_no_claims_between_nodes() -> None:
    planned = made("lab-cluster", 8)
    assert ids(planned) == ["science.hpl", "science.stream", "science.repeatable"]
    outside = {one.id: one.reason for one in planned.out_of_scope}
    assert "one node" in outside["science.mpi_bandwidth"] and "one node" in outside["science.hpl@2"]


def test_on_gpus_hpl_needs_its_image() -> None:
    without = made("metal-cluster", 512)
    assert "science.hpl" not in ids(without) and "NO_HPL" in codes(without)
    assert "names no image" in next(one.reason for one in without.out_of_scope if one.id == "science.hpl")
    planned = made("metal-cluster", 512, software={"hpc_benchmarks": IMAGE})
    assert "NO_HPL" not in codes(planned) and "science.hpl@64" in ids(planned)
    claim = next(one for one in planned.claims if one.id == "science.hpl")
    assert claim.expectation and claim.expectation.floor == pytest.approx(328.86)
    (job,) = planned.science
    assert job.peak_tflops == 512 * 67 and job.hpl_s and 200 < job.hpl_s < 600
    image = Software(**planned.software.model_dump(exclude={"repositories"}), repositories=[]).hpc_benchmarks
    assert image is not None and image.model_dump() == IMAGE


def test_a_vendor_s_mpi_is_not_the_distribution_s() -> None:
    planned = made("aws-cluster", 512)
    assert ids(planned) == []
    assert {one.reason for one in planned.out_of_scope if one.id == "science.repeatable"} == {
        "the nodes' MPI is of a vendor's installer, and the distribution's hpcc is made for the distribution's"
    }


@pytest.mark.parametrize("machine", ["metal/hgx-h20", "metal/hgx-b300"])
def test_gpus_with_next_to_no_double_precision_are_refused(machine: str) -> None:
    with pytest.raises(RailbedError, match=r"TFLOPS in FP64") as refused:
        made("metal-cluster", 512, machine)
    assert (refused.value.path or "").endswith("workloads[0].kind")


def test_an_unknown_rate_is_said() -> None:
    planned = made("metal-cluster", 512, "metal/hgx-h800")
    assert planned.science[0].peak_tflops is None and "FP64_UNKNOWN" in codes(planned)


def test_an_image_on_no_filesystem_is_refused() -> None:
    with pytest.raises(UsageError) as refused:
        made("metal-cluster", 512, software={"hpc_benchmarks": {**IMAGE, "path": "/home/ada/hpc.sqsh"}})
    assert "hpc_benchmarks" in (refused.value.path or "")
