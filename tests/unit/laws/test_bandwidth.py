"""The bounds of the reference table, the lab's floors, and published healthy runs against them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.catalog import Unpublished, keys, load_machine
from railbed.errors import UsageError
from railbed.laws import bandwidth, latency
from railbed.laws.bandwidth import bound, expect
from railbed.laws.machine import group
from railbed.laws.published import MODEL_DOMAINS
from railbed.units import GIB, MIB

LAB = bandwidth.of(load_machine("lab/rail8"))
HGX = bandwidth.of(load_machine("metal/hgx-h100"))
P5 = HGX.model_copy(update={"key": "aws/p5.48xlarge"})
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


def test_the_lab_holds_what_lies_above_a_lost_rail() -> None:
    for collective in ("all_reduce", "all_gather", "reduce_scatter"):
        for nodes in (2, 3, 4, 8):
            expectation = expect(LAB, nodes, collective, 64 * MIB)
            assert expectation.bound == pytest.approx(0.1)
            assert expectation.expected == pytest.approx(0.09927)
            assert expectation.floor == pytest.approx(0.09)
            assert expectation.basis == "declared"
            assert expectation.derivation
    pairwise = expect(LAB, 4, "alltoall", 64 * MIB)
    assert (pairwise.floor, pairwise.basis) == (pytest.approx(0.075), "declared")


def test_small_sizes_inform() -> None:
    small = expect(LAB, 4, "all_reduce", MIB)
    assert (small.floor, small.expected, small.basis) == (None, None, "none")
    assert small.bound == pytest.approx(0.1)
    # Rounded down to whole slots of three ranks: still the gating size.
    assert expect(LAB, 3, "all_gather", 64 * MIB - 4).floor == pytest.approx(0.09)


def test_basis_is_told() -> None:
    assert expect(P5, 2, "all_reduce", 16 * GIB).basis == "measured"
    relative = expect(HGX, 2, "all_reduce", 16 * GIB)
    assert relative.basis == "family"
    assert relative.floor is not None
    assert relative.floor < 471.2 * 0.95
    assert expect(HGX, 4, "all_reduce", 8 * GIB).basis == "measured"
    # Nobody published small sizes; alltoall and this machine's reduce_scatter follow from the model.
    assert expect(HGX, 4, "all_reduce", 64 * MIB).floor is None
    assert expect(HGX, 4, "all_reduce", 64 * MIB).basis == "derived"
    for collective in ("alltoall", "reduce_scatter"):
        modelled = expect(HGX, 4, collective, 8 * GIB)
        expected = modelled.bound * 0.58 if collective == "alltoall" else modelled.expected
        assert (modelled.basis, modelled.floor) == ("derived", pytest.approx(expected * 0.77))
        assert "less 23%" in modelled.derivation[-1]


def test_where_the_model_does_not_speak() -> None:
    assert expect(HGX, 4, "alltoall", GIB // 2).floor is None, "small messages do not reach their plateau"
    assert expect(HGX, 8, "alltoall", GIB).floor is None, "nobody published how many nodes lose how much"
    assert expect(HGX, 4, "alltoall", GIB, "ring").floor is None
    tcp = HGX.model_copy(update={"rdma": False})
    assert expect(tcp, 4, "alltoall", GIB).floor is None, "NCCL does not drive its rails"


def test_no_published_healthy_result_lies_below_the_model() -> None:
    """Where NCCL chose the algorithm: what the model expects was reached by all, over as many domains; by some no more."""
    shares: dict[str, list[float]] = {}
    for key in keys("machines"):
        try:
            machine = bandwidth.of(load_machine(key))
        except Unpublished:
            continue
        for point in machine.results:
            large = point.size_bytes >= GIB and point.algorithm is None
            if not (large and point.machine == key and point.domains <= MODEL_DOMAINS):
                continue
            # As if nobody had published what reduction inside such a board's NVLink reaches, or its NVLink were faster, too.
            gathers = point.collective == "all_gather" and point.domains > 1
            faster = {"nvlink_gbytes_per_s": 900.0} if gathers else {}
            for other in ({}, {"nvls_busbw_cap_gbytes_per_s": None}, faster):
                of = machine.model_copy(update=other)
                most = bound(of, point.nodes, point.collective)[0]
                assert most is not None
                reach, why = bandwidth.modelled(of, point.nodes, point.collective, point.size_bytes, most)
                shares.setdefault(why.partition(" (")[0].partition(",")[0], []).append(
                    point.busbw_gbytes_per_s / reach
                )
    assert sum(len(found) for found in shares.values()) > 20
    for why, found in shares.items():
        assert 1 <= min(found) < 1.08, (why, found)
    assert {why.partition(" ")[0] for why in shares} == {"0.45", "0.58", "0.8"}, shares


@pytest.mark.parametrize(
    "key", ["aws/p6-b200.48xlarge", "gcp/a4-highgpu-8g", "metal/hgx-b200-ib", "oci/BM.GPU.B200.8"]
)
@pytest.mark.parametrize("collective", ["all_gather", "reduce_scatter", "all_reduce"])
def test_a_board_with_faster_nvlink_is_not_asked_for_more_than_rings_leave_of_the_line(
    key: str, collective: str
) -> None:
    """Two H200 nodes gathered at 322.2 of 400 GB/s, four H100 at 323.5: with B200 a cluster like them is healthy, and one that
    has half of its rails is not. Two nodes reduce over trees, which carry more than the line."""
    machine = bandwidth.of(load_machine(key))
    for nodes in (2, 3, 4):
        found = expect(machine, nodes, collective, GIB)
        assert found.floor is not None
        if found.basis == "derived" and (collective, nodes) != ("all_reduce", 2):
            assert 400 * 0.5 < found.floor < 322.2 * 0.8, (nodes, found)


def test_a_healthy_rack_of_an_unpublished_board_passes() -> None:
    """GB300 has NVLink like GB200, of which a rack reached 681.2 GB/s at 1 GiB, and two racks 596.1."""
    for key in ("metal/gb300-nvl72", "oci/BM.GPU.GB300.4"):
        machine = bandwidth.of(load_machine(key))
        for nodes, healthy in ((18, 681.2), (32, 596.1)):
            found = expect(machine, nodes, "all_reduce", GIB)
            assert found.basis == "derived" and found.floor is not None
            assert healthy / 2 < found.floor < healthy * 0.9, found


@pytest.mark.parametrize("nodes", [2, 3, 4])
@pytest.mark.parametrize("key", ["aws/p4d.24xlarge", "aws/p4de.24xlarge", "metal/hgx-a100"])
def test_the_model_asks_no_more_of_a_board_without_nvls_than_nccl_has(key: str, nodes: int) -> None:
    """Flat rings carry W: 50 GB/s of p4d, 29.61 of which NVIDIA/nccl issue 527 published at four nodes."""
    machine = bandwidth.of(load_machine(key))
    line = group(machine, nodes).domain_gbytes_per_s
    for collective in ("all_gather", "reduce_scatter"):
        found = expect(machine, nodes, collective, GIB)
        assert found.floor is not None and line * 0.4 < found.floor < line * 29.61 / 50
        assert found.bound is not None and found.bound > line, (
            "what a better library could do stays the bound"
        )
        assert "flat rings" in found.derivation[-2]


def test_trees_of_two_nodes_without_nvls_may_pass_the_line() -> None:
    a100 = bandwidth.of(load_machine("metal/hgx-a100"))
    huge = 1024 * GIB
    assert bandwidth.modelled(a100, 2, "all_reduce", huge, 321.4)[0] == pytest.approx(321.4 * 0.58, rel=0.01)
    assert bandwidth.modelled(a100, 3, "all_reduce", huge, 287.5)[0] == pytest.approx(200 * 0.58, rel=0.01)
    assert bandwidth.modelled(HGX, 3, "all_gather", huge, 550.0)[0] == pytest.approx(550 * 0.58, rel=0.01)
    assert bandwidth.modelled(HGX, 3, "all_gather", huge, 750.0)[0] == pytest.approx(400 * 0.8, rel=0.01)


@pytest.mark.parametrize("key", keys("machines"))
def test_every_rdma_machine_has_floors(key: str) -> None:
    """Of those whose rates are published: rails, and the collectives that gate."""
    try:
        machine = bandwidth.of(load_machine(key))
    except Unpublished:
        return
    if not machine.rdma:
        return
    for nodes in (2, 3, 4):
        for collective in ("all_reduce", "all_gather", "reduce_scatter", "alltoall"):
            size = bandwidth.gating_size(machine, nodes, collective)
            expectation = expect(machine, nodes, collective, size)
            assert bandwidth.expect_rail(machine).floor and bandwidth.expect_all_rails(machine).floor
            assert expectation.floor and expectation.derivation and expectation.basis != "none"


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


@given(
    st.integers(1, 1 << 36),
    st.sampled_from(["all_reduce", "all_gather", "reduce_scatter"]),
    st.integers(1, 200),
)
def test_small_messages_take_at_least_their_latency(size: int, collective: str, nodes: int) -> None:
    g = group(HGX, nodes)
    slower = latency.time_us(g, collective, size, 400)
    faster = latency.time_us(g, collective, size, 4000)
    larger = latency.time_us(g, collective, size * 2, 400)
    assert slower is not None
    assert faster is not None
    assert larger is not None
    assert 3 < faster <= slower <= larger
    reached = latency.busbw_gbytes_per_s(g, collective, size, 400)
    assert reached is not None
    assert reached <= 400 * (1 + 1e-9)


def test_steps_of_the_latency_model() -> None:
    """NVIDIA/nccl tuning.cc: two nodes of eight, all_reduce; tree 4.4 + 2(7·0.52·1.8 + 5.0), ring 3.6 + 28·0.47·1.8 + 2·2.7."""
    g = group(HGX, 2)
    assert latency.latency_us(g, "all_reduce", "tree", "LL", 8) == pytest.approx(27.5, abs=0.01)
    assert latency.latency_us(g, "all_reduce", "ring", "LL", 8) == pytest.approx(32.69, abs=0.01)
    assert latency.latency_us(g, "all_gather", "ring", "Simple", 8) == pytest.approx(8.4 + 14 * 3.4 + 9.6)
    assert latency.time_us(g, "alltoall", 8, 400) is None


def test_rings_get_slow_with_ranks_and_trees_do_not() -> None:
    few, many = group(HGX, 8), group(HGX, 512)
    ring = [latency.latency_us(g, "all_reduce", "ring", "LL", 8) for g in (few, many)]
    tree = [latency.latency_us(g, "all_reduce", "tree", "LL", 8) for g in (few, many)]
    assert ring[1] / ring[0] > 50
    assert tree[1] / tree[0] < 3


def test_small_sizes_of_hardware_are_told_and_do_not_gate() -> None:
    p5 = bandwidth.of(load_machine("aws/p5.48xlarge"))
    small = expect(p5, 2, "all_reduce", MIB)
    assert small.expected is not None
    assert 5 < small.expected < 60
    assert (small.floor, small.basis) == (None, "derived")
    assert any("latency model" in line for line in small.derivation)


def test_many_sizes_are_as_one() -> None:
    p5 = bandwidth.of(load_machine("aws/p5.48xlarge"))
    for machine in (p5, LAB, HGX):
        at = bandwidth.expectations(machine, 2, "all_reduce")
        for size in (1, MIB, 64 * MIB, 64 * MIB - 4, GIB - 1, GIB, 5 * GIB, 16 * GIB, 64 * GIB):
            one, many = expect(machine, 2, "all_reduce", size), at(size)
            assert (one.bound, one.expected, one.floor, one.basis) == (
                many.bound,
                many.expected,
                many.floor,
                many.basis,
            )


def test_a_machine_whose_headers_nobody_published() -> None:
    p5 = bandwidth.of(load_machine("aws/p5.48xlarge"))
    assert expect(p5, 2, "all_reduce", 16 * GIB).floor is not None
    rail, together = bandwidth.expect_rail(p5), bandwidth.expect_all_rails(p5)
    assert (rail.basis, rail.bound) == ("derived", 400)
    assert rail.floor == pytest.approx(400 * 0.968 * 0.92)
    assert together.floor == pytest.approx(8 * rail.floor)
    assert rail.floor > 300, "a rail without one of its four cards fails"
    assert "nobody published its headers" in rail.derivation[-1]
    with pytest.raises(Unpublished) as refused:
        bandwidth.expect_rail(p5.model_copy(update={"rdma": False}))
    assert "payload_fraction" in refused.value.message


@given(st.integers(2, 4000), st.sampled_from(bandwidth.COLLECTIVES), st.integers(1, 1 << 40))
def test_floor_below_expected_below_bound(nodes: int, collective: str, size: int) -> None:
    for machine in (LAB, HGX, P5):
        expectation = expect(machine, nodes, collective, size)
        assert expectation.bound is not None
        assert expectation.bound > 0
        if expectation.floor is not None and expectation.expected is not None:
            assert 0 < expectation.floor <= expectation.expected <= expectation.bound


@given(st.integers(2, 2000))
def test_an_algorithm_never_beats_the_best(nodes: int) -> None:
    best = bound(SHARP, nodes, "all_reduce")[0]
    assert best is not None
    for algorithm in bandwidth.ALGORITHMS:
        one = bound(SHARP, nodes, "all_reduce", algorithm)[0]
        assert one is not None
        assert one <= best + 1e-9


@pytest.mark.parametrize(
    ("key", "nodes", "collective", "size"),
    [
        ("aws/p5.48xlarge", 2, "all_reduce", 16 * GIB), ("metal/hgx-h100", 4, "all_gather", 8 * GIB),
        ("lab/rail8", 4, "all_reduce", 64 << 20), ("metal/hgx-h800", 4, "all_reduce", GIB),
    ],
)  # fmt: skip
def test_a_cluster_is_judged_at_the_size_of_its_reference(
    key: str, nodes: int, collective: str, size: int
) -> None:
    machine = bandwidth.of(load_machine(key))
    assert bandwidth.gating_size(machine, nodes, collective) == size
    if key != "metal/hgx-h800":
        assert bandwidth.expect(machine, nodes, collective, size).floor is not None
