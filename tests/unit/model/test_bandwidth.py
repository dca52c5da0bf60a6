"""The bounds of the reference table, the lab's floors, and published healthy runs against them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.catalog import load_machine
from railbed.errors import UsageError
from railbed.model import bandwidth
from railbed.model.bandwidth import BandwidthMachine, bound, expect
from railbed.units import GIB, MIB

LAB = bandwidth.of(load_machine("lab/rail8"))
HGX = bandwidth.of(load_machine("metal/hgx-h100"))
P5 = HGX.model_copy(update={"key": "aws/p5.48xlarge"})
SHARP = HGX.model_copy(update={"in_network_reduction": True})
NETWORK = SHARP.model_copy(update={"nvls_busbw_cap_gbytes_per_s": None, "ring_busbw_cap_gbytes_per_s": None})
"""Without the stage inside a node: the network's own bounds."""


@pytest.mark.parametrize(
    ("algorithm", "by_nodes"),
    [
        ("ring", {2: 400, 4: 400, 64: 400}),
        ("hierarchical", {2: 750, 4: 516.7, 8: 450, 16: 423.3, 64: 405.6}),
        ("tree", {2: 750, 4: 387.5, 8: 393.8, 16: 396.9, 64: 399.2}),
        ("sharp", {2: 750, 4: 775, 8: 787.5, 16: 793.8, 64: 798.4}),
    ],
)
def test_network_bounds_of_eight_rails_of_400(algorithm: str, by_nodes: dict[int, float]) -> None:
    for nodes, value in by_nodes.items():
        found, _ = bound(NETWORK, nodes, "all_reduce", algorithm)
        assert found == pytest.approx(value, abs=0.06)


@pytest.mark.parametrize(("nodes", "value"), [(2, 93.75), (4, 64.6), (8, 56.25), (16, 52.9), (64, 50.7)])
def test_alltoall_bound(nodes: int, value: float) -> None:
    assert bound(NETWORK, nodes, "alltoall")[0] == pytest.approx(value, abs=0.06)


def test_the_stage_inside_a_node_caps() -> None:
    """Algorithm bandwidth about 275 GB/s in one HGX H100 (nccl-tests issue 212)."""
    at_two, why = bound(HGX, 2, "all_reduce")
    assert at_two == pytest.approx(514, abs=2)
    assert any("capped" in line for line in why)
    assert bound(HGX, 1, "all_reduce")[0] == pytest.approx(480)
    assert bound(HGX, 1, "all_reduce", "ring")[0] == 370
    assert bound(HGX, 4, "all_reduce", "ring")[0] == 370


def test_nobody_published_the_inside_of_the_lab() -> None:
    inside = expect(NETWORK, 1, "all_reduce", GIB)
    assert (inside.bound, inside.floor, inside.basis) == (None, None, "none")


def test_the_lab_holds_95_percent_of_its_line() -> None:
    for collective in ("all_reduce", "all_gather", "reduce_scatter"):
        for nodes in (2, 3, 4, 8):
            wish = expect(LAB, nodes, collective, 64 * MIB)
            assert wish.bound == pytest.approx(0.1)
            assert wish.expected == pytest.approx(0.09927)
            assert wish.floor == pytest.approx(0.095)
            assert wish.basis == "derived"
            assert wish.derivation
    pairwise = expect(LAB, 4, "alltoall", 64 * MIB)
    assert (pairwise.floor, pairwise.basis) == (pytest.approx(0.085), "declared")


def test_small_sizes_inform() -> None:
    small = expect(LAB, 4, "all_reduce", MIB)
    assert (small.floor, small.expected, small.basis) == (None, None, "none")
    assert small.bound == pytest.approx(0.1)
    # Rounded down to whole slots of three ranks: still the gating size.
    assert expect(LAB, 3, "all_gather", 64 * MIB - 4).floor == pytest.approx(0.095)


PUBLISHED = [
    (P5, 2, "all_reduce", None, 16 * GIB, 487.1),
    (P5, 2, "all_reduce", None, 4 * GIB, 465.9),
    (P5, 2, "all_reduce", None, GIB, 437.0),
    (HGX, 2, "all_reduce", None, 16 * GIB, 471.2),
    (HGX, 4, "all_reduce", None, 8 * GIB, 330.9),
    (HGX, 4, "all_gather", None, 8 * GIB, 323.5),
    (HGX, 4, "broadcast", None, 8 * GIB, 286.3),
    (HGX, 1, "all_reduce", None, 8 * GIB, 479.7),
    (SHARP, 12, "all_reduce", "collnet", 8 * GIB, 386.6),
]
"""Healthy runs: AWS p5 (awsome-distributed-training), OCI (oci-hpc), Voltage Park, CoreWeave (nccl-tests)."""


@pytest.mark.parametrize(("machine", "nodes", "collective", "algorithm", "size", "busbw"), PUBLISHED)
def test_no_healthy_run_is_above_its_bound_or_below_its_floor(
    machine: BandwidthMachine, nodes: int, collective: str, algorithm: str | None, size: int, busbw: float
) -> None:
    wish = expect(machine, nodes, collective, size, algorithm)
    assert wish.bound is not None
    assert busbw <= wish.bound
    assert wish.floor is None or busbw >= wish.floor


def test_basis_is_told() -> None:
    assert expect(P5, 2, "all_reduce", 16 * GIB).basis == "measured"
    relative = expect(HGX, 2, "all_reduce", 16 * GIB)
    assert relative.basis == "family"
    assert relative.floor is not None
    assert relative.floor < 471.2 * 0.95
    assert expect(HGX, 4, "all_reduce", 8 * GIB).basis == "measured"
    # Nobody published small sizes, alltoall, or this machine's reduce_scatter.
    assert expect(HGX, 4, "all_reduce", 64 * MIB).floor is None
    assert expect(HGX, 4, "alltoall", 8 * GIB).basis == "none"
    assert expect(HGX, 4, "reduce_scatter", 8 * GIB).basis == "none"


def test_a_rail_alone() -> None:
    wish = bandwidth.expect_rail(LAB)
    assert wish.unit == "Gb/s"
    assert wish.floor == pytest.approx(0.1 * 0.9927 * 0.95)


@pytest.mark.parametrize(
    ("nodes", "collective", "size", "algorithm"),
    [
        (0, "all_reduce", GIB, None),
        (10**9, "all_reduce", GIB, None),
        (2, "allreduce", GIB, None),
        (2, "all_reduce", 0, None),
        (2, "all_reduce", GIB, "fastest"),
        (2, "all_gather", GIB, "tree"),
        (2, "all_reduce", GIB, "collnet"),
    ],
)
def test_what_cannot_be_asked(nodes: int, collective: str, size: int, algorithm: str | None) -> None:
    with pytest.raises(UsageError):
        expect(HGX, nodes, collective, size, algorithm)


def test_one_rank_is_no_collective() -> None:
    with pytest.raises(UsageError):
        expect(LAB, 1, "all_reduce", GIB)


def test_a_partial_domain_is_refused() -> None:
    rack = HGX.model_copy(update={"nodes_per_domain": 18, "gpus": 4, "gpus_per_domain": 72})
    with pytest.raises(UsageError):
        bound(rack, 20, "all_reduce")
    assert bound(rack, 36, "all_reduce")[0] is not None


@given(st.integers(2, 4000), st.sampled_from(bandwidth.COLLECTIVES), st.integers(1, 1 << 40))
def test_floor_below_expected_below_bound(nodes: int, collective: str, size: int) -> None:
    for machine in (LAB, HGX, P5):
        wish = expect(machine, nodes, collective, size)
        assert wish.bound is not None
        assert wish.bound > 0
        if wish.floor is not None and wish.expected is not None:
            assert 0 < wish.floor <= wish.expected <= wish.bound


@given(st.integers(2, 2000))
def test_an_algorithm_never_beats_the_best(nodes: int) -> None:
    best = bound(SHARP, nodes, "all_reduce")[0]
    assert best is not None
    for algorithm in bandwidth.ALGORITHMS:
        one = bound(SHARP, nodes, "all_reduce", algorithm)[0]
        assert one is not None
        assert one <= best + 1e-9
