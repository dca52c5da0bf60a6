"""What the model expects and holds: floors, small messages by latency, and published healthy runs against them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.catalog import Unpublished, keys, load_machine
from railbed.laws import bandwidth, latency
from railbed.laws.bandwidth import bound, expect
from railbed.laws.machine import group
from railbed.laws.published import MODEL_DOMAINS
from railbed.units import GIB, MIB

LAB = bandwidth.of(load_machine("lab/rail8"))
HGX = bandwidth.of(load_machine("metal/hgx-h100"))
P5 = HGX.model_copy(update={"key": "aws/p5.48xlarge"})


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
