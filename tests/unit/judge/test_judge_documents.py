"""The judge's arithmetic, and the documents that it and the reader of logs print."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.catalog import load_machine
from railbed.judge import nccl_log
from railbed.laws import bandwidth, ranks
from railbed.parse import nccl_tests
from railbed.toolbox import logs

DATA = Path(__file__).parent.parent / "data"
HGX = bandwidth.of(load_machine("metal/hgx-h100"))


@given(
    st.integers(1, 1 << 36),
    st.floats(1, 1e8),
    st.integers(2, 5000),
    st.sampled_from(ranks.DOUBLE + ranks.SINGLE + ranks.CONSTANT),
)
def test_recomputing_is_size_over_time_times_factor(
    size: int, time_us: float, n: int, collective: str
) -> None:
    m = nccl_tests.Measurement(time_us=time_us)
    row = nccl_tests.Row(size, None, "float", "sum", -1, m, nccl_tests.Measurement())
    scale = ranks.factor(collective, n)
    assert scale is not None
    assert nccl_log.recomputed_busbw(row, m, collective, n) == pytest.approx(size / time_us / 1e3 * scale)


def test_documents_have_the_keys_of_the_command_line() -> None:
    log = nccl_tests.read((DATA / "parse/nccl_tests/two-nodes.log").read_text())
    assert set(logs.describe(log)) == {
        "collective", "collective_reason", "labelled_ranks", "inferred_ranks", "inferred_ranks_range", "problems", "rows",
        "average_busbw_gbytes_per_s",
    }  # fmt: skip
    document = logs.plain(nccl_log.judge(log, HGX, 2))
    assert set(document) == {"verdict", "claims", "rails_proven", "causes", "problems"}
    for claim in document["claims"]:
        assert set(claim) == {"claim", "verdict", "measured", "unit", "expected", "floor", "reason"}
    several = logs.describe(nccl_tests.read((DATA / "parse/nccl_tests/several.log").read_text()))
    assert [t["collective"] for t in several["tables"]] == ["all_reduce", "all_gather"]
    assert logs.describe(nccl_tests.read(""))["problems"] == ["NO_ROWS"]
