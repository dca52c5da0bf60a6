"""Verdicts on logs: what passes, what fails, and what proves nothing either way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.catalog import load_machine
from railbed.claims import Expectation, Verdict
from railbed.errors import UsageError
from railbed.judge import nccl_log
from railbed.judge.proof import case_of, least_network_gbytes_per_s, rails_proven
from railbed.laws import bandwidth
from railbed.parse import nccl_debug, nccl_tests

DATA = Path(__file__).parent.parent / "data"
LAB = bandwidth.of(load_machine("lab/rail8"))
HGX = bandwidth.of(load_machine("metal/hgx-h100"))


def judged(
    name: str, nodes: int = 2, machine: bandwidth.BandwidthMachine = HGX, **options: Any
) -> nccl_log.Judgement:
    folder = DATA / ("collectives" if machine is LAB else "parse/nccl_tests")
    return nccl_log.judge(nccl_tests.read((folder / name).read_text()), machine, nodes, **options)


def verdicts(judgement: nccl_log.Judgement) -> dict[str, Verdict]:
    return {claim.claim: claim.verdict for claim in judgement.claims}


def test_two_healthy_nodes_leave_rails_unproven() -> None:
    """487 GB/s on 8 × 400G needs 260 GB/s of network: six rails of eight would do."""
    found = judged("two-nodes.log")
    assert verdicts(found) == {"collective.all_reduce@2": Verdict.PASS, "fabric.all_rails": Verdict.UNPROVEN}
    assert found.rails_proven == 6
    assert found.verdict is Verdict.UNPROVEN
    assert found.problems == []
    assert found.causes == []


@pytest.mark.parametrize("nodes", [2, 3, 4])
def test_the_lab_passes_with_all_rails(nodes: int) -> None:
    """Real logs of the collectives program over eight shaped rails."""
    found = judged(f"healthy-{nodes}-nodes.log", nodes, LAB)
    assert set(verdicts(found).values()) == {Verdict.PASS}
    assert len(found.claims) == 5
    assert found.rails_proven == 8
    assert all(claim.simulated for claim in found.claims)


def test_half_a_rail_fails_the_floor_and_names_what_would_tell() -> None:
    found = judged("rail-50-percent-slow.log", 4, LAB)
    assert verdicts(found)["collective.all_reduce@4"] is Verdict.FAIL
    assert found.verdict is Verdict.FAIL
    assert found.causes[0]["cause"] == "rail down"
    assert {"rail slow", "one slow node"} <= {cause["cause"] for cause in found.causes}
    assert all(cause["ambiguous"] for cause in found.causes)
    assert found.causes[0]["measure"].startswith("each rail by itself")


def test_five_per_cent_of_a_rail_are_left_to_the_claims_about_rails() -> None:
    """Four ranks on two processors lose as much."""
    assert verdicts(judged("rail-5-percent-slow.log", 4, LAB))["collective.all_reduce@4"] is Verdict.PASS


def test_half_a_rail_is_half_the_rails() -> None:
    """The slowest rail counts for all: half of the line proves no more than four or five rails."""
    assert judged("rail-50-percent-slow.log", 4, LAB).rails_proven in (4, 5)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("nan.log", "NOT_A_NUMBER"),
        ("unchecked.log", "NOT_CHECKED"),
        ("truncated.log", "TRUNCATED"),
        ("wrong-label.log", "RANKS_MISMATCH"),
        ("before-2.0.log", "RANKS_MISMATCH"),
        ("old-all-gather.log", "COLLECTIVE_UNKNOWN"),
    ],
)
def test_damaged_logs_prove_nothing(name: str, problem: str) -> None:
    found = judged(name)
    assert problem in found.problems
    assert found.verdict is Verdict.UNPROVEN
    assert found.claims[0].verdict is Verdict.UNPROVEN
    assert found.claims[0].reason


def test_wrong_data_fail_whatever_the_speed() -> None:
    found = judged("wrong-data.log")
    assert found.claims[0].verdict is Verdict.FAIL
    assert "wrong data" in found.claims[0].reason
    assert found.rails_proven == 0


def by_data(name: str, nodes: int = 2, bound: float = 500.0) -> Verdict:
    """The verdict on the first table of a log where nobody published a rate."""
    (table, *_) = nccl_tests.read((DATA / "parse/nccl_tests" / name).read_text()).tables
    expectation = Expectation(unit="GB/s", bound=bound, basis="data", derivation=[])
    return nccl_log.judge_table(table, case_of(HGX, nodes, "all_reduce"), lambda _: expectation)[0].verdict


def test_where_nobody_published_a_rate_right_data_pass_and_nothing_else() -> None:
    assert by_data("two-nodes.log") is Verdict.PASS
    assert by_data("wrong-data.log") is Verdict.FAIL
    assert by_data("two-nodes.log", bound=487.1 * 4.1) is Verdict.UNPROVEN
    assert by_data("two-nodes.log", nodes=4) is Verdict.UNPROVEN
    assert by_data("unchecked.log") is Verdict.UNPROVEN


def test_more_ranks_asked_than_ran() -> None:
    found = judged("two-nodes.log", nodes=4)
    assert found.problems == ["RANKS_MISMATCH"]
    assert found.claims[0].verdict is Verdict.UNPROVEN
    assert found.rails_proven == 0
    assert found.claims[0].measured == pytest.approx(487.1, abs=0.1)


def test_above_the_bound_is_a_wrong_number() -> None:
    slower = LAB.model_copy(update={"nic_gbps_per_rail": 0.05})
    text = (DATA / "collectives" / "healthy-4-nodes.log").read_text()
    doubled = nccl_log.judge(nccl_tests.read(text), slower, 4, "all_reduce")
    assert "IMPOSSIBLE" in doubled.problems
    assert verdicts(doubled)["collective.all_reduce@4"] is Verdict.UNPROVEN


def test_bandwidth_is_recomputed_from_size_and_time() -> None:
    """A printed figure that size and time do not give is not believed."""
    table = nccl_tests.read((DATA / "collectives" / "rail-50-percent-slow.log").read_text()).tables[0]
    row = table.rows[0].out_of_place
    assert row.algbw_gbytes_per_s is not None
    assert row.busbw_gbytes_per_s is not None
    old = (row.printed["algbw"], row.printed["busbw"])
    text = (DATA / "collectives" / "rail-50-percent-slow.log").read_text()
    painted = text.replace(old[0], f"{row.algbw_gbytes_per_s * 2:.7f}").replace(
        old[1], f"{row.busbw_gbytes_per_s * 2:.7f}"
    )
    found = nccl_log.judge(nccl_tests.read(painted), LAB, 4)
    assert "BANDWIDTH_MISMATCH" in found.problems
    assert found.claims[0].verdict is Verdict.UNPROVEN
    assert found.claims[0].measured == pytest.approx(row.busbw_gbytes_per_s, rel=1e-3)


CLOSING = "# Out of bounds values : 0 OK\n# Avg bus bandwidth    : 0.1\n"


def test_small_sizes_do_not_gate() -> None:
    header = "#  size count type redop root time algbw busbw #wrong time algbw busbw #wrong"
    row = "1048576 262144 float sum -1 15728.6 0.066666 0.1 0 N/A N/A N/A N/A"
    found = nccl_log.judge(nccl_tests.read(f"# all_reduce_perf\n{header}\n{row}\n{CLOSING}"), LAB, 4)
    assert found.problems == ["NO_GATING_SIZE"]
    assert found.claims[0].verdict is Verdict.UNPROVEN


P5 = bandwidth.of(load_machine("aws/p5.48xlarge"))


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("still-rising.log", "NO_PLATEAU"),
        ("one-size.log", "TOO_FEW_SIZES"),
        ("too-small.log", "NO_GATING_SIZE"),
        ("too-good.log", "IMPOSSIBLE"),
        ("split-mask.log", "RANKS_MISMATCH"),
    ],
)
def test_what_a_good_number_may_still_lack(name: str, problem: str) -> None:
    found = judged(name, machine=P5)
    assert found.problems == [problem]
    assert found.claims[0].verdict is Verdict.UNPROVEN
    assert found.claims[0].reason


PUBLISHED_P5 = DATA / "parse/nccl_tests/published/aws-p5-2-nodes.log"
GIB = 1 << 30


def scaled(shares: dict[int, float]) -> nccl_log.Judgement:
    """The published log of two healthy p5, its rows of some sizes at a share of their bandwidth."""
    log = nccl_tests.read(PUBLISHED_P5.read_text())
    for row in log.tables[0].rows:
        share = shares.get(row.size_bytes, 1.0)
        for half in (row.out_of_place, row.in_place):
            assert half.time_us is not None
            half.time_us /= share
            half.algbw_gbytes_per_s = row.size_bytes / half.time_us / 1000
            half.busbw_gbytes_per_s = half.algbw_gbytes_per_s * 2 * 15 / 16
            digits = {
                "time": half.time_us,
                "algbw": half.algbw_gbytes_per_s,
                "busbw": half.busbw_gbytes_per_s,
            }
            half.printed = {name: f"{value:.6f}" for name, value in digits.items()}
    return nccl_log.judge(log, P5, 2)


def test_one_dip_of_a_healthy_log_is_measured_again() -> None:
    found = judged("dip.log", machine=P5)
    claim = found.claims[0]
    assert found.problems == ["DIP"]
    assert claim.verdict is Verdict.UNPROVEN
    assert claim.measured == pytest.approx(313, abs=1)
    assert claim.detail["size_bytes"] == GIB
    assert "measure again" in claim.reason
    assert found.causes == []


@given(st.sampled_from([1, 2, 4, 8]), st.floats(0.01, 0.85))
def test_one_size_that_its_neighbours_contradict_is_unproven(size_gib: int, share: float) -> None:
    found = scaled({size_gib * GIB: share})
    assert found.claims[0].verdict is Verdict.UNPROVEN
    assert found.problems == ["DIP"]


@given(st.floats(0.01, 0.9))
def test_a_slow_curve_fails(share: float) -> None:
    found = scaled({(1 << power): share for power in range(3, 35)})
    assert found.claims[0].verdict is Verdict.FAIL
    assert "DIP" not in found.problems


@given(st.sets(st.sampled_from([1, 2, 4, 8, 16]), min_size=2), st.floats(0.01, 0.85))
def test_two_slow_sizes_fail(sizes_gib: set[int], share: float) -> None:
    assert scaled({size * GIB: share for size in sizes_gib}).claims[0].verdict is Verdict.FAIL


@given(st.integers(0, 4), st.floats(0.01, 0.85))
def test_slow_from_some_size_on_fails(first: int, share: float) -> None:
    slow = {(1 << power) * GIB: share for power in range(first, 5)}
    assert scaled(slow).claims[0].verdict is Verdict.FAIL


def test_a_split_mask_is_told() -> None:
    assert "8 groups of 2 ranks" in judged("split-mask.log", machine=P5).claims[0].reason


def test_below_the_floor_fails_with_one_size_too() -> None:
    half = f"{(16 << 30) / 130e3:.1f} 130.00 243.75 0"
    header = "#  size count type redop root time algbw busbw #wrong time algbw busbw #wrong"
    found = nccl_log.judge(
        nccl_tests.read(f"# all_reduce_perf\n{header}\n{16 << 30} 4 float sum -1 {half} {half}\n{CLOSING}"),
        P5,
        2,
    )
    assert found.claims[0].verdict is Verdict.FAIL
    assert found.problems == ["TOO_FEW_SIZES"]


def test_the_lab_may_measure_one_size() -> None:
    """Its line is shaped: nothing ramps above the gating size."""
    assert judged("healthy-4-nodes.log", 4, LAB).problems == []


@pytest.mark.parametrize(
    ("name", "machine", "nodes", "cause"),
    [
        ("nvls-off-1-node.log", HGX, 1, "NVLS off"),
        ("sockets-2-nodes.log", P5, 2, "socket fallback"),
        ("gpudirect-off-2-nodes.log", bandwidth.of(load_machine("oci/BM.GPU.H100.8")), 2, "GPUDirect off"),
    ],
)
def test_nccls_lines_in_the_same_log_name_the_cause(
    name: str, machine: bandwidth.BandwidthMachine, nodes: int, cause: str
) -> None:
    text = (DATA / "parse/nccl_tests" / name).read_text()
    found = nccl_log.judge(nccl_tests.read(text), machine, nodes, nccl=nccl_debug.read(text))
    assert found.claims[0].verdict is Verdict.FAIL
    assert found.causes[0]["cause"] == cause
    assert not found.causes[0]["ambiguous"]


def test_slow_small_messages_of_a_passing_log_are_told() -> None:
    text = (DATA / "parse/nccl_tests/published/aws-p5-2-nodes.log").read_text()
    assert nccl_log.judge(nccl_tests.read(text), P5, 2).causes == []
    slow = text.replace("   69.12    0.00    0.00", "   900.0    0.00    0.00")
    assert slow != text
    found = nccl_log.judge(nccl_tests.read(slow), P5, 2)
    assert found.claims[0].verdict is Verdict.PASS
    assert [c["cause"] for c in found.causes] == ["small-message latency"]


def test_no_rows_and_no_log() -> None:
    for text in (
        "",
        "nothing of the kind",
        "# all_reduce_perf\n#  size count type redop root time algbw busbw #wrong",
    ):
        found = nccl_log.judge(nccl_tests.read(text), LAB, 4)
        assert "NO_ROWS" in found.problems
        assert found.verdict is Verdict.UNPROVEN
        assert found.rails_proven == 0


def test_one_collective_of_several() -> None:
    found = judged("healthy-4-nodes.log", 4, LAB, collective="alltoall")
    assert list(verdicts(found)) == ["collective.alltoall@4", "fabric.all_rails"]


@pytest.mark.parametrize(
    "options", [{"collective": "alltoall"}, {"collective": "allreduce"}, {"algorithm": "best"}]
)
def test_what_cannot_be_asked(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        judged("two-nodes.log", **options)


def test_the_name_of_the_collective_can_be_given() -> None:
    text = "\n".join(
        line
        for line in (DATA / "parse/nccl_tests/published/gcp-a3-ultra-2-nodes-all-gather.log")
        .read_text()
        .splitlines()
        if "_perf" not in line
    )
    a3 = bandwidth.of(load_machine("gcp/a3-ultragpu-8g"))
    assert nccl_log.judge(nccl_tests.read(text), a3, 2).problems == ["COLLECTIVE_UNKNOWN"]
    named = nccl_log.judge(nccl_tests.read(text), a3, 2, "all_gather")
    assert verdicts(named)["collective.all_gather@2"] is Verdict.PASS


@pytest.mark.parametrize(
    ("nodes", "collective", "algorithm", "busbw", "network", "rails"),
    [
        (2, "all_reduce", None, 487.1, 259.8, 6),
        (4, "all_reduce", None, 330.9, 256.2, 6),
        (4, "all_reduce", "ring", 364.9, 364.9, 8),
        (4, "all_gather", None, 323.5, 250.5, 5),
        (4, "alltoall", None, 60.0, 371.6, 8),
        (4, "broadcast", None, 286.3, 286.3, 6),
    ],
)
def test_least_network(
    nodes: int, collective: str, algorithm: str | None, busbw: float, network: float, rails: int
) -> None:
    case = case_of(HGX, nodes, collective, algorithm)
    assert least_network_gbytes_per_s(case, busbw) == pytest.approx(network, abs=0.1)
    assert rails_proven(case, busbw) == rails


def test_switches_that_reduce_halve_what_is_proven() -> None:
    sharp = HGX.model_copy(update={"in_network_reduction": True})
    assert rails_proven(case_of(sharp, 12, "all_reduce"), 386.6) == 4
    assert rails_proven(case_of(HGX, 12, "all_reduce"), 386.6) == 8


@given(
    st.integers(2, 64),
    st.sampled_from(["all_reduce", "all_gather", "reduce_scatter", "alltoall"]),
    st.floats(0, 1),
)
def test_never_more_rails_proven_than_carried_data(nodes: int, collective: str, share: float) -> None:
    """A bus bandwidth that r rails can carry never proves more than r."""
    for rails in range(1, 9):
        fewer = LAB.model_copy(update={"rails": rails})
        most = bandwidth.bound(fewer, nodes, collective)[0]
        assert most is not None
        assert rails_proven(case_of(LAB, nodes, collective), most * share) <= rails
