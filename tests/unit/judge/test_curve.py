"""A table against its curve: every size has its own floor, small ones by their faster half."""

from __future__ import annotations

from pathlib import Path

import pytest

from railbed.claims import Reach
from railbed.judge import curve
from railbed.judge.proof import Case
from railbed.parse import nccl_tests

LOG = (Path(__file__).parents[1] / "data/parse/nccl_tests/two-nodes.log").read_text()
"""Sixteen ranks at 1, 4 and 16 GiB: 437.0, 465.9, 487.1 GB/s (awsome-distributed-training)."""
CASE = Case(collective="all_reduce", nodes=2, ranks=16, domains=2, rails=8, rail_gbytes_per_s=50.0)
GIB = 1 << 30


def table(text: str = LOG) -> nccl_tests.Table:
    return nccl_tests.read(text).tables[-1]


def reach(size: int, floor: float | None) -> Reach:
    return Reach(size_bytes=size, expected=floor, floor=floor)


def small(fast_us: float, slow_us: float) -> nccl_tests.Table:
    """The log with its first row as one of 64 KiB: out of place slow, in place fast."""
    line = next(one for one in LOG.splitlines() if one.split()[:1] == [str(GIB)])
    words = line.split()
    words[0], words[1] = "65536", "16384"
    for at, time_us in ((5, slow_us), (9, fast_us)):
        algbw = 65536 / time_us / 1000
        words[at : at + 3] = [f"{time_us:.2f}", f"{algbw:.2f}", f"{algbw * 1.875:.2f}"]
    return table(LOG.replace(line, " ".join(words)))


def test_sizes_above_their_floors_are_all_found() -> None:
    reaches = [reach(GIB, 414.0), reach(4 * GIB, 441.0), reach(16 * GIB, 461.0)]
    found = curve.measured(table(), CASE, reaches)
    assert [one.busbw for one in found] == pytest.approx([437.0, 465.9, 487.1], abs=2.0)
    assert curve.below(found) == [] and curve.missing(found, reaches) == []


def test_the_size_with_the_least_margin_comes_first() -> None:
    found = curve.measured(table(), CASE, [reach(GIB, 500.0), reach(4 * GIB, 900.0), reach(16 * GIB, 461.0)])
    assert [one.size_bytes for one in curve.below(found)] == [4 * GIB, GIB]
    assert "GB/s at 4294967296 B (floor 900)" in curve.below(found)[0].described


def test_a_size_without_a_floor_informs() -> None:
    found = curve.measured(table(), CASE, [reach(GIB, None)])
    assert len(found) == 1 and curve.below(found) == []


def test_a_size_without_a_row_is_missing() -> None:
    reaches = [reach(65536, 0.7), reach(GIB, 414.0)]
    assert curve.missing(curve.measured(table(), CASE, reaches), reaches) == [65536]


def test_small_sizes_count_by_their_faster_half() -> None:
    reaches = [reach(65536, 0.7)]
    (found,) = curve.measured(small(fast_us=100.0, slow_us=900.0), CASE, reaches)
    assert found.busbw == pytest.approx(65536 / 100 / 1000 * 1.875, rel=0.01)
    assert curve.below([found]) == []
    slow = curve.measured(small(fast_us=300.0, slow_us=900.0), CASE, reaches)
    assert [one.size_bytes for one in curve.below(slow)] == [65536]


def test_a_size_that_was_cut_to_whole_elements_belongs_to_the_one_above() -> None:
    (found,) = curve.measured(small(100.0, 100.0), CASE, [reach(66000, 0.7), reach(GIB * 64, 9.0)])[:1]
    assert found.reach.size_bytes == 66000
