"""Published healthy results against the model: none above its bound, none below its floor, none that the judge fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from railbed import catalog
from railbed.catalog import load_machine
from railbed.claims import Verdict
from railbed.judge import nccl_log
from railbed.laws import bandwidth, latency
from railbed.laws.bandwidth import BandwidthMachine
from railbed.laws.machine import group
from railbed.parse import nccl_tests

DATA = Path(__file__).parent.parent / "data"
REFERENCE = json.loads((DATA / "bandwidth" / "published.json").read_text())
LOGS = DATA / "parse" / "nccl_tests" / "published"


def machine_of(key: str, gpus: int | None = None) -> BandwidthMachine:
    machine = bandwidth.of(load_machine(key))
    return (
        machine
        if gpus is None
        else machine.model_copy(update={"collective_ranks_per_node": gpus, "gpus": gpus})
    )


def name(entry: dict[str, Any]) -> str:
    return f"{entry.get('system', entry.get('operator'))} {entry.get('collective', '')} {entry['nodes']}"


@pytest.mark.parametrize("entry", REFERENCE["results"], ids=name)
def test_no_published_result_is_above_its_bound_or_below_its_floor(entry: dict[str, Any]) -> None:
    machine = machine_of(entry["machine"], entry.get("gpus_per_node"))
    expectation = bandwidth.expect(
        machine, entry["nodes"], entry["collective"], entry["size_bytes"], entry["algorithm"]
    )
    assert expectation.bound is not None
    # A ceiling inside a domain is the highest that was published, rounded to what its source prints.
    assert entry["busbw_gbytes_per_s"] <= expectation.bound * 1.0002
    if entry.get("gpus_per_node") in (None, 8):
        assert expectation.floor is None or entry["busbw_gbytes_per_s"] >= expectation.floor


@pytest.mark.parametrize("entry", REFERENCE["results"], ids=name)
def test_the_judge_fails_no_published_result(entry: dict[str, Any]) -> None:
    machine = machine_of(entry["machine"], entry.get("gpus_per_node"))
    log = made_log(
        entry["collective"],
        group(machine, entry["nodes"]).ranks,
        entry["size_bytes"],
        entry["busbw_gbytes_per_s"],
    )
    found = nccl_log.judge(nccl_tests.read(log), machine, entry["nodes"], None, entry["algorithm"])
    if entry.get("gpus_per_node") in (None, 8):
        assert found.claims[0].verdict is not Verdict.FAIL, found.claims[0].reason
    assert "IMPOSSIBLE" not in found.problems


def made_log(collective: str, ranks: int, size: int, busbw: float) -> str:
    """One published result as a log of one size."""
    scale = {"all_reduce": 2 * (ranks - 1) / ranks, "broadcast": 1.0}.get(collective, (ranks - 1) / ranks)
    algbw = busbw / scale
    half = f"{size / algbw / 1e3:.2f} {algbw:.2f} {busbw:.2f} 0"
    header = "#  size count type redop root time algbw busbw #wrong time algbw busbw #wrong"
    return f"# {collective}_perf\n{header}\n{size} {size // 4} float sum -1 {half} {half}\n"


@pytest.mark.parametrize(
    ("log", "key", "nodes", "collective", "algorithm"),
    [
        ("aws-p5-2-nodes", "aws/p5.48xlarge", 2, None, None),
        ("gcp-a3-ultra-2-nodes-all-gather", "gcp/a3-ultragpu-8g", 2, "all_gather", None),
        ("coreweave-h100-12-nodes-sharp", "azure/Standard_ND96isr_H100_v5", 12, None, "sharp"),
        ("coreweave-gb200-1-rack", "metal/gb200-nvl72", 18, None, None),
        ("coreweave-gb200-20-racks", "metal/gb200-nvl72", 360, None, None),
        ("ml-engineering-h200-1-node", "metal/hgx-h200", 1, None, None),
        ("ml-engineering-b200-4-nodes", "aws/p6-b200.48xlarge", 4, None, None),
        ("ml-engineering-p6-b200-4-nodes", "aws/p6-b200.48xlarge", 4, None, None),
    ],
)
def test_whole_published_logs_pass(
    log: str, key: str, nodes: int, collective: str | None, algorithm: str | None
) -> None:
    found = nccl_log.judge(
        nccl_tests.read((LOGS / f"{log}.log").read_text()), machine_of(key), nodes, collective, algorithm
    )
    assert found.claims[0].verdict is Verdict.PASS, found.claims[0].reason
    assert (found.problems, found.causes) == ([], [])


def test_a_published_label_that_its_own_factor_contradicts() -> None:
    log = nccl_tests.read((LOGS / "coreweave-gb200-2-racks.log").read_text())
    for nodes in (32, 36):
        found = nccl_log.judge(log, machine_of("metal/gb200-nvl72"), nodes)
        assert found.problems == ["RANKS_MISMATCH"]
        assert found.claims[0].verdict is Verdict.UNPROVEN


@pytest.mark.parametrize("entry", REFERENCE["dispatch"], ids=name)
def test_expert_dispatch_stays_below_the_bound_of_alltoall(entry: dict[str, Any]) -> None:
    """DeepEP counts what stays in the node too: algorithm bandwidth, busbw·n/(n-1)."""
    machine = machine_of(entry["machine"])
    n = group(machine, entry["nodes"]).ranks
    bound = bandwidth.bound(machine, entry["nodes"], "alltoall")[0]
    assert bound is not None
    assert entry["gbytes_per_s_per_gpu"] / (bound * n / (n - 1)) == pytest.approx(
        entry["of_bound"], abs=0.002
    )


@pytest.mark.parametrize("entry", REFERENCE["gates"], ids=name)
def test_operators_gates_lie_below_our_bounds(entry: dict[str, Any]) -> None:
    machine = machine_of(entry["machine"])
    if entry["collective"] == "rail":
        assert entry["gate"] < machine.nic_gbps_per_rail
        return
    if entry["collective"] == "nic":
        assert entry["gate"] < load_machine(entry["machine"]).nic_gbps
        return
    bound = bandwidth.bound(machine, entry["nodes"], entry["collective"])[0]
    assert bound is not None
    assert entry["gate"] < bound


def test_seven_of_eight_rails_pass_a_published_gate_and_not_ours() -> None:
    """A3 Ultra's gate is 250 GB/s; 325.7 with one rail gone can still be 285."""
    gate = next(e["gate"] for e in REFERENCE["gates"] if e["operator"] == "GCP A3 Ultra")
    expectation = bandwidth.expect(machine_of("gcp/a3-ultragpu-8g"), 2, "all_gather", 8 << 30)
    assert expectation.floor is not None
    assert gate < 325.7 * 7 / 8 < expectation.floor


CURVES = [
    ("aws-p5-2-nodes", "aws/p5.48xlarge", 2, "all_reduce", None),
    ("gcp-a3-ultra-2-nodes-all-gather", "gcp/a3-ultragpu-8g", 2, "all_gather", None),
    ("ml-engineering-h200-1-node", "metal/hgx-h200", 1, "all_reduce", None),
    ("ml-engineering-b200-4-nodes", "aws/p6-b200.48xlarge", 4, "all_reduce", None),
    ("coreweave-gb200-1-rack", "metal/gb200-nvl72", 18, "all_reduce", None),
    ("coreweave-gb200-20-racks", "metal/gb200-nvl72", 360, "all_reduce", None),
    ("coreweave-h100-12-nodes-sharp", "azure/Standard_ND96isr_H100_v5", 12, "all_reduce", "collnet"),
]


def over_model(
    log: str, key: str, nodes: int, collective: str, algorithm: str | None
) -> list[tuple[int, float]]:
    """(size, measured time over the model's) of a published curve."""
    machine = machine_of(key)
    large = bandwidth.expect(machine, nodes, collective, 1 << 34, algorithm).expected
    assert large is not None
    (table,) = nccl_tests.read((LOGS / f"{log}.log").read_text()).tables
    found = []
    for row in table.rows:
        model = latency.time_us(group(machine, nodes), collective, row.size_bytes, large)
        assert model is not None
        found += [(row.size_bytes, m.time_us / model) for m in row.measurements() if m.time_us]
    return found


@pytest.mark.parametrize("curve", CURVES, ids=lambda c: c[0])
def test_the_latency_model_against_published_curves(curve: tuple[str, str, int, str, str | None]) -> None:
    for size, share in over_model(*curve):
        assert 0.75 <= share <= latency.SLOWEST_HEALTHY
        if size >= 16 << 20:
            assert 0.79 <= share <= 1.25, size


def test_the_slowest_published_time_is_the_one_that_is_quoted() -> None:
    worst = max(share for curve in CURVES for _, share in over_model(*curve))
    assert worst == pytest.approx(latency.SLOWEST_HEALTHY, abs=0.01)


@pytest.mark.parametrize("board", catalog.keys("boards"))
def test_every_result_is_of_a_machine_with_its_board(board: str) -> None:
    for name, result in catalog.load("boards", board).results.items():
        if result.machine:
            machine = catalog.load_machine(result.machine)
            assert machine.board == board, name
            assert group(bandwidth.of(machine), result.nodes).domains == result.domains, name


def test_a_machine_has_the_results_of_its_relatives() -> None:
    own = {point.machine for point in machine_of("aws/p5.48xlarge").results}
    assert {"metal/hgx-h100", "oci/BM.GPU.H100.8", "aws/p5.48xlarge"} <= own
    assert machine_of("metal/hgx-h800").results == ()
