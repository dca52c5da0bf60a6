"""HPL: sizes, grids and floors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed import catalog
from railbed.laws import bandwidth, hpl, mpi


@given(st.integers(1, 100_000))
def test_a_grid_has_every_rank_and_more_columns_than_rows(ranks: int) -> None:
    rows, columns = hpl.grid(ranks)
    assert rows * columns == ranks and rows <= columns


@given(st.integers(1, 1 << 52), st.sampled_from([64, 1024]))
def test_a_system_fits_and_a_block_more_would_not(size: int, block: int) -> None:
    n = hpl.order(size, block)
    assert n % block == 0 and n >= block
    assert n == block or n * n * hpl.BYTES <= size
    assert (n + block) ** 2 * hpl.BYTES > size


def test_the_floor_of_a_node_is_of_the_rate_that_one_published() -> None:
    reach = hpl.expect(catalog.load_machine("metal/hgx-h100"), 1)
    assert reach.floor == pytest.approx(0.9 * 365.4) and reach.bound == 8 * 67 and reach.basis == "measured"
    n = hpl.order(reach.size_bytes or 0, hpl.GPU_BLOCK)
    assert 250_000 < n < 264_192, "NVIDIA's input for eight H100 has 264192"
    assert hpl.seconds(n, reach.floor) < 60


def test_over_nodes_it_is_the_least_that_large_systems_published() -> None:
    h100 = hpl.expect(catalog.load_machine("metal/hgx-h100"), 64)
    assert h100.floor == pytest.approx(0.9 * 36 * 512)
    a100 = hpl.expect(catalog.load_machine("metal/hgx-a100"), 1)
    assert a100.floor == pytest.approx(0.9 * 11 * 8), "no node by itself was published"


@pytest.mark.parametrize("machine", ["metal/hgx-h200", "metal/hgx-b200", "metal/hgx-h800"])
def test_without_a_published_rate_a_right_solution_counts(machine: str) -> None:
    reach = hpl.expect(catalog.load_machine(machine), 8)
    assert reach.basis == "data" and reach.floor is None and "nobody published" in reach.derivation[0]


def test_a_stand_in_says_that_it_is_one() -> None:
    reach = hpl.expect(catalog.load_machine("lab/rail8"), 4)
    assert reach.floor == hpl.STAND_IN_TFLOPS and "stands in" in reach.derivation[0]
    assert hpl.order(reach.size_bytes or 0, hpl.HOST_BLOCK) == 640


def test_mpi_must_take_the_rails() -> None:
    lab = mpi.expect_bandwidth(bandwidth.of(catalog.load_machine("lab/rail8")))
    assert lab.expected == pytest.approx(0.0124, abs=1e-4) and lab.floor == pytest.approx(0.0062, abs=1e-4)
    h100 = mpi.expect_bandwidth(bandwidth.of(catalog.load_machine("metal/hgx-h100-ib")))
    assert h100.floor is not None and 20 < h100.floor < 25, "400 Gb/s are 50 GB/s"
    assert mpi.expect_latency("infiniband", rack=False).expected == 10.0
    assert mpi.expect_latency("infiniband", rack=True).expected == 18.0
    assert mpi.expect_latency("tcp", rack=False).basis == "data"
