"""The number of ranks follows from printed bandwidths, as a range that holds the truth."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from railbed.laws import ranks
from railbed.parse import nccl_tests
from railbed.parse.nccl_tests import Measurement

LOGS = Path(__file__).parent.parent / "data" / "parse" / "nccl_tests"


def printed(collective: str, n: int, algbw: float, decimals: int) -> Measurement:
    """What a program prints for ``n`` ranks."""
    scale = ranks.factor(collective, n)
    assert scale is not None
    alg, bus = f"{algbw:.{decimals}f}", f"{algbw * scale:.{decimals}f}"
    return Measurement(
        time_us=1.0, algbw_gbytes_per_s=float(alg), busbw_gbytes_per_s=float(bus), wrong=0,
        printed={"time": "1.0", "algbw": alg, "busbw": bus},
    )  # fmt: skip


INFERRING = st.sampled_from(ranks.DOUBLE + ranks.SINGLE)


@given(
    INFERRING,
    st.integers(2, 20_000),
    st.lists(st.floats(0.001, 900), min_size=1, max_size=6),
    st.integers(2, 7),
)
def test_the_range_holds_the_truth(collective: str, n: int, algbws: list[float], decimals: int) -> None:
    found = ranks.infer(collective, [printed(collective, n, a, decimals) for a in algbws])
    assume(found.rows_used)
    assert found.allows(n)
    assert not found.contradictory
    if found.nearest is not None:
        assert found.allows(found.nearest)


@given(INFERRING, st.integers(2, 64), st.floats(100, 900))
def test_small_groups_are_told_exactly(collective: str, n: int, algbw: float) -> None:
    found = ranks.infer(collective, [printed(collective, n, algbw, 4)])
    assert (found.low, found.nearest, found.high) == (n, n, n)


def test_large_groups_look_alike() -> None:
    found = ranks.infer("all_reduce", [printed("all_reduce", 1024, 175.12, 2)])
    assert found.allows(1016)
    assert found.allows(1024)
    assert not found.allows(64)


def test_a_coarse_row_leaves_the_end_open() -> None:
    found = ranks.infer("all_reduce", [printed("all_reduce", 4096, 0.05, 2)])
    assert found.high is None
    assert found.allows(10**6)


def test_seven_digits_tell_the_labs_ranks() -> None:
    found = ranks.infer("all_reduce", [printed("all_reduce", 4, 0.0659, 7)])
    assert (found.low, found.high) == (4, 4)


def test_rows_of_different_groups_contradict() -> None:
    rows = [printed("all_reduce", 8, 200, 2), printed("all_reduce", 16, 200, 2)]
    assert ranks.infer("all_reduce", rows).contradictory


def test_a_factor_that_no_number_of_ranks_gives() -> None:
    impossible = Measurement(time_us=1, algbw_gbytes_per_s=100.0, busbw_gbytes_per_s=250.0,
                             printed={"time": "1", "algbw": "100.00", "busbw": "250.00"})  # fmt: skip
    assert ranks.infer("all_reduce", [impossible]).contradictory


@pytest.mark.parametrize("collective", ["broadcast", "reduce", "sendrecv", None, "unheard_of"])
def test_collectives_that_tell_nothing(collective: str | None) -> None:
    row = Measurement(time_us=1, algbw_gbytes_per_s=9.0, busbw_gbytes_per_s=9.0,
                      printed={"time": "1", "algbw": "9.00", "busbw": "9.00"})  # fmt: skip
    found = ranks.infer(collective, [row])
    assert found.nearest is None
    assert found.rows_used == 0


def test_labels_and_requests_are_held_against_the_range() -> None:
    def problems(name: str, requested: int | None) -> list[str]:
        table = nccl_tests.read((LOGS / name).read_text()).tables[0]
        return ranks.problems(table, ranks.of_table(table), requested)

    assert problems("two-nodes.log", 16) == []
    assert problems("two-nodes.log", None) == []
    assert problems("two-nodes.log", 32) == ["RANKS_MISMATCH"]
    assert problems("wrong-label.log", None) == ["RANKS_MISMATCH"]
    assert problems("wrong-label.log", 16) == ["RANKS_MISMATCH"]
    # 1,016 and 1,024 look alike: nothing contradicts the request.
    assert problems("saturated.log", 1016) == []


def test_inside_the_range_the_rank_lines_decide() -> None:
    lines = [f"#  Rank {r} Pid 1 on node-{r // 8} device {r % 8} [0x04] GPU" for r in range(1024)]
    text = "\n".join(lines) + "\n" + (LOGS / "saturated.log").read_text()
    table = nccl_tests.read(text).tables[0]
    assert ranks.problems(table, ranks.of_table(table), 1024) == []
    assert ranks.problems(table, ranks.of_table(table), 1016) == ["RANKS_MISMATCH"]


@pytest.mark.parametrize(
    ("text", "step"), [("1", 0.5), ("1.0", 0.05), ("437.00", 0.005), ("1.5e3", 50.0), ("2e-06", 5e-7)]
)
def test_half_of_the_last_digit(text: str, step: float) -> None:
    assert ranks.half_step(text) == pytest.approx(step)
