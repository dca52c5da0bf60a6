"""The sizes that a collective runs at, and what each must reach."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.catalog import load_machine
from railbed.defaults import GATING_SIZE_BYTES
from railbed.laws import bandwidth, curve, latency, published
from railbed.laws.curve import CURVE_BYTES_PER_RANK, CURVE_FACTOR, CURVE_LEAST_BYTES

P5 = bandwidth.of(load_machine("aws/p5.48xlarge"))
HGX = bandwidth.of(load_machine("metal/hgx-h100-ib"))
LAB = bandwidth.of(load_machine("lab/rail8"))


@given(st.integers(1, 4096), st.integers(20, 34))
def test_sizes_are_one_factor_apart_and_end_at_the_largest(nodes: int, power: int) -> None:
    found = curve.sizes(HGX, nodes, 1 << power)
    assert found[-1] == 1 << power
    assert all(large == small * CURVE_FACTOR for small, large in pairwise(found))
    assert len(found) == 1 or found[0] >= max(CURVE_LEAST_BYTES, CURVE_BYTES_PER_RANK * nodes * 8)


def test_a_size_that_no_factor_divides_stands_alone() -> None:
    assert curve.sizes(HGX, 2, (1 << 30) + 1) == [(1 << 30) + 1]


def test_the_slow_line_of_the_lab_takes_two_sizes_and_only_the_large_one_is_held() -> None:
    small, large = curve.curve(LAB, 4, "all_reduce", GATING_SIZE_BYTES)
    assert (small.size_bytes, small.expected, small.floor) == (4 << 20, None, None)
    assert large.floor == pytest.approx(bandwidth.expect(LAB, 4, "all_reduce", GATING_SIZE_BYTES).floor)


def test_published_sizes_have_the_floors_of_the_law_and_smaller_ones_those_of_the_model() -> None:
    found = {one.size_bytes: one for one in curve.curve(P5, 2, "all_reduce", 16 << 30)}
    assert min(found) == 1024 and max(found) == 16 << 30
    for size in (1 << 30, 4 << 30, 16 << 30):
        assert found[size].floor == pytest.approx(bandwidth.expect(P5, 2, "all_reduce", size).floor, rel=1e-4)
    assert found[65536].expected is not None and found[65536].floor is None, (
        "it takes less than a millisecond"
    )
    small = found[256 << 20]
    assert small.expected is not None and small.floor is not None
    assert small.floor == pytest.approx(
        small.expected / latency.SLOWEST_HEALTHY * (1 - published.MODEL_SLACK), rel=1e-4
    )


def test_the_slowest_published_healthy_run_lies_above_the_floor() -> None:
    """NVIDIA's test on two p5 (awsome-distributed-training, as in laws/latency.py): as far below the model as at 64 KiB."""
    size = 256 << 20
    model = latency.time_us(bandwidth.group(P5, 2), "all_reduce", size, 487.1)
    assert model is not None
    slowest = size * 2 * 15 / 16 / (model * latency.SLOWEST_HEALTHY * 1000)
    floor = next(one.floor for one in curve.curve(P5, 2, "all_reduce", 16 << 30) if one.size_bytes == size)
    assert floor is not None and slowest > floor


@pytest.mark.parametrize("collective", ["all_reduce", "all_gather"])
def test_where_nobody_published_a_smaller_size_the_model_only_draws(collective: str) -> None:
    found = curve.curve(HGX, 2, collective, 1 << 30)
    assert all(one.expected is not None for one in found)
    assert [one.size_bytes for one in found if one.floor] == [1 << 30]


def test_what_the_model_does_not_cover_informs() -> None:
    found = curve.curve(HGX, 4, "alltoall", 1 << 30)
    assert [one.expected for one in found[:-1]] == [None] * (len(found) - 1)
