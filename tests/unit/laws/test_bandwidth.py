"""The bounds of the reference table, and what cannot be asked of the laws."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.catalog import Unpublished, load_machine
from railbed.errors import UsageError
from railbed.laws import bandwidth
from railbed.laws.bandwidth import bound, expect
from railbed.units import GIB

LAB = bandwidth.of(load_machine("lab/rail8"))
HGX = bandwidth.of(load_machine("metal/hgx-h100"))
SHARP = HGX.model_copy(update={"in_network_reduction": True})
UNKNOWN_INSIDE = {
    "nvls_busbw_cap_gbytes_per_s": None,
    "ring_busbw_cap_gbytes_per_s": None,
    "nvlink_gbytes_per_s": None,
}
NETWORK = SHARP.model_copy(update=UNKNOWN_INSIDE)
"""Without the stage inside a node: the network's own bounds."""


@pytest.mark.parametrize(
    ("algorithm", "by_nodes"),
    [
        ("ring", {2: 400, 4: 400, 64: 400}),
        ("hierarchical", {2: 750, 4: 516.7, 8: 450, 16: 423.3, 64: 405.6}),
        ("tree", {2: 750, 3: 511.1, 4: 387.5, 8: 393.8, 16: 396.9, 64: 399.2}),
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


def test_nobody_published_the_inside() -> None:
    inside = expect(NETWORK, 1, "all_reduce", GIB)
    assert (inside.bound, inside.floor, inside.basis) == (None, None, "none")


def test_a_rail_alone() -> None:
    expectation = bandwidth.expect_rail(LAB)
    assert expectation.unit == "Gb/s"
    assert expectation.floor == pytest.approx(0.1 * 0.9927 * 0.95)


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


def test_relatives_share_gpu_nics_and_transport() -> None:
    """EFA says nothing about RoCE between nodes; inside one node only the board counts."""
    p5 = bandwidth.of(load_machine("aws/p5.48xlarge"))
    azure = bandwidth.of(load_machine("azure/Standard_ND96isr_H100_v5"))
    assert expect(p5, 4, "all_reduce", 8 * GIB).basis == "derived"
    assert expect(azure, 4, "all_reduce", 8 * GIB).basis == "family"
    assert expect(azure, 2, "all_reduce", 16 * GIB).basis == "derived"
    for machine in (p5, azure):
        alone = expect(machine, 1, "all_reduce", 8 * GIB)
        assert (alone.basis, alone.floor) == ("family", pytest.approx(479.7 * 0.9))


def test_a_machine_of_the_users_own_is_a_relative_by_its_facts() -> None:
    own = bandwidth.of(load_machine("oci/BM.GPU.H100.8")).model_copy(update={"key": "own/h100"})
    assert expect(own, 2, "all_reduce", 16 * GIB).basis == "family"


def test_like_is_compared_with_like_sizes() -> None:
    p5 = bandwidth.of(load_machine("aws/p5.48xlarge"))
    floors = [expect(p5, 2, "all_reduce", size * GIB).floor for size in (1, 2, 4, 8, 16, 64)]
    by_size = [0.948 * value for value in (437.0, 437.0, 465.9, 465.9, 487.1, 487.1)]
    assert floors == [pytest.approx(value) for value in by_size]
    assert expect(p5, 2, "all_reduce", GIB // 2).floor is None


@pytest.mark.parametrize(
    ("key", "collective", "inside", "two", "many"),
    [
        # NVLink of 400 GB/s both ways: 200 one way. In-switch reduction by its bytes: 200·8/9·14/8 = 311.
        ("metal/hgx-h800", "all_reduce", 311.1, 333.3, 354.9),
        ("metal/hgx-h800", "broadcast", 200.0, 200.0, 200.0),
        ("metal/hgx-h800", "alltoall", 200.0, 93.75, 50.7),
        # Full NVLink, ceiling unknown: 450·8/9·14/8 = 700.
        ("metal/hgx-h20", "all_reduce", 700.0, 750.0, 405.6),
        # No reduction in the switches: reduce_scatter and all_gather inside the node.
        ("metal/hgx-a100", "all_reduce", 300.0, 321.4, 202.8),
    ],
)
def test_parts_with_other_nvlinks(key: str, collective: str, inside: float, two: float, many: float) -> None:
    machine = bandwidth.of(load_machine(key))
    for nodes, value in ((1, inside), (2, two), (64, many)):
        assert bound(machine, nodes, collective)[0] == pytest.approx(value, abs=0.06)


def test_a_reduced_part_without_published_nics_is_known_inside_its_node_only() -> None:
    a800 = load_machine("metal/hgx-a800")
    with pytest.raises(Unpublished):
        bandwidth.of(a800)
    declared = bandwidth.of(a800.declare_rate(1600))
    assert bound(declared, 1, "all_reduce")[0] == pytest.approx(200)
    assert bound(declared, 2, "all_reduce")[0] == pytest.approx(200 * 15 / 16 / (7 / 8), abs=0.1)


def test_algorithms_that_a_machine_lacks_are_refused() -> None:
    a100 = bandwidth.of(load_machine("metal/hgx-a100"))
    for nodes, algorithm in ((1, "nvls"), (4, "nvlstree"), (4, "nvls"), (4, "sharp")):
        with pytest.raises(UsageError):
            bound(a100, nodes, "all_reduce", algorithm)


RACK = bandwidth.of(load_machine("metal/gb200-nvl72"))


def test_one_rack_is_one_domain() -> None:
    assert bound(RACK, 18, "all_reduce")[0] == pytest.approx(846.8)
    # A part of a rack is never expected to be faster than the whole one.
    for nodes in (1, 4, 17):
        assert bound(RACK, nodes, "all_reduce")[0] == pytest.approx(846.8)
        assert expect(RACK, nodes, "all_reduce", 8 * GIB).basis == "derived"
    assert expect(RACK, 18, "all_reduce", 8 * GIB).basis == "measured"


def test_racks_that_are_not_full() -> None:
    """20 trays are two domains, at best ten and ten: W = 10 × 200 GB/s, alltoall B(n-1)/(n-r)."""
    found, why = bound(RACK, 20, "alltoall")
    assert found == pytest.approx(50 * 79 / 40, abs=0.01)
    assert any("not all full" in line for line in why)
    uneven, derivation = bound(RACK.model_copy(update=UNKNOWN_INSIDE), 37, "all_gather")
    assert uneven == pytest.approx(12 * 200 * 147 / (148 - 48), abs=0.1)
    assert any("unequal size" in line for line in derivation)
    assert not any("not all full" in line for line in bound(RACK, 36, "alltoall")[1])


@given(st.integers(1, 400), st.sampled_from(["all_gather", "reduce_scatter", "alltoall", "broadcast"]))
def test_more_racks_never_raise_the_networks_bound(racks: int, collective: str) -> None:
    plain = RACK.model_copy(update=UNKNOWN_INSIDE)
    fewer, more = bound(plain, 18 * (racks + 1), collective)[0], bound(plain, 18 * (racks + 2), collective)[0]
    assert fewer is not None
    assert more is not None
    assert more <= fewer * (1 + 1e-9)


@given(st.integers(2, 2000))
def test_an_algorithm_never_beats_the_best(nodes: int) -> None:
    best = bound(SHARP, nodes, "all_reduce")[0]
    assert best is not None
    for algorithm in bandwidth.ALGORITHMS:
        one = bound(SHARP, nodes, "all_reduce", algorithm)[0]
        assert one is not None
        assert one <= best + 1e-9
