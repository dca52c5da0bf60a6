"""The ledger of a job: its parts add up whatever Slurm says, and each interruption costs what it cost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.laws import ledger
from railbed.laws.ledger import QUEUED, RUNNING, Start

NODES = ("h100-0", "h100-1")


def test_each_interruption_costs_the_time_until_the_job_runs_again() -> None:
    found = ledger.of(
        0, [Start(100, 1100, "NODE_FAIL", NODES, "gpu-lost on h100-1"), Start(1400, 2400, "REQUEUED", NODES),
            Start(2500, 4500, "COMPLETED", NODES)], 9000, waiting=False,
    )  # fmt: skip
    assert found.parts_s == {QUEUED: 100, RUNNING: 4000, "gpu-lost on h100-1": 300, "queued again": 100}
    assert (found.whole_s, found.between_stops_s) == (4500, 2000)
    assert [(one.at_s, one.waited_s) for one in found.stops] == [(1100, 300), (2400, 100)]
    assert found.goodput == pytest.approx(4000 / 4400) and found.adds_up


def test_a_job_that_runs_has_no_stop_and_one_that_waits_still_pays() -> None:
    runs = ledger.of(0, [Start(10, None, "RUNNING", NODES)], 110, waiting=False)
    assert (runs.parts_s, runs.stops, runs.between_stops_s) == ({QUEUED: 10, RUNNING: 100}, (), None)
    waits = ledger.of(0, [Start(10, 60, "NODE_FAIL", NODES)], 110, waiting=True)
    assert waits.parts_s == {QUEUED: 10, RUNNING: 50, "a node failed": 50} and waits.stops[0].waited_s == 50
    assert ledger.of(0, [], 30, waiting=True).parts_s == {QUEUED: 30}


@pytest.mark.parametrize("state", ["FAILED", "NODE_FAIL"])
def test_a_job_that_is_over_waits_for_nobody(state: str) -> None:
    found = ledger.of(0, [Start(0, 50, state, NODES)], 10_000, waiting=False)
    assert (found.whole_s, found.stops[0].why, found.stops[0].waited_s) == (50, ledger.MEANING[state], 0)


@pytest.mark.parametrize("state", sorted(ledger.BY_ITSELF))
def test_an_end_of_its_own_is_no_interruption(state: str) -> None:
    assert ledger.of(0, [Start(0, 50, state, NODES)], 99, waiting=False).stops == ()


STATES = ["COMPLETED", "NODE_FAIL", "REQUEUED", "FAILED", "CANCELLED", "PREEMPTED", "SOMETHING_NEW"]
times = st.integers(0, 10_000)


@given(
    times,
    st.lists(st.tuples(times, st.none() | times, st.sampled_from(STATES)), max_size=6),
    times,
    st.booleans(),
)
def test_whatever_slurm_says_the_parts_add_up_and_none_is_negative(
    submitted: int, told: list[tuple[int, int | None, str]], now: int, waiting: bool
) -> None:
    starts = [Start(one[0], one[1], one[2], NODES) for one in told]
    found = ledger.of(submitted, starts, now, waiting=waiting)
    assert found.adds_up and all(part >= 0 for part in found.parts_s.values())
    assert all(one.waited_s >= 0 for one in found.stops)
    assert 0 <= found.goodput <= 1
