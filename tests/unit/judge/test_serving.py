"""What a load on the reference service proves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.claims import Expectation, Verdict
from railbed.judge import serving as law
from railbed.judge.serving import Request, Stop
from railbed.laws.serving import Service

SERVICE = Service(
    gpus_per_replica=1, placed=[1, 1], requests_per_s=2.0, slots=8, input_length=64, output_length=32, ttft_ms=2000.0,
    tpot_ms=200.0, goodput_share=0.95, lost_nodes=1,
)  # fmt: skip
GOAL = Expectation(unit="ms", expected=2000.0, basis="declared", derivation=["test"])
SHARE = Expectation(unit="of requests", floor=0.95, bound=1.0, basis="declared", derivation=["test"])
GOOD = Request(late_s=0.001, ok=True, ttft_s=0.05, tpot_s=0.02)
SLOW = Request(late_s=0.001, ok=True, ttft_s=2.5, tpot_s=0.02)
LOST = Request(late_s=0.001, ok=False, tries=9, said="nothing came for 20 s")
DRAINED, KILLED = Stop("h100-0", 3), Stop("h100-1", 2)
BROKEN = {"h100-0": 0, "h100-1": 2}


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_so_many_are_no_larger_than_the_percentile(values: list[float], share: float) -> None:
    found = law.percentile(values, share)
    assert found in values and sum(one <= found for one in values) >= share * len(values) - 1e-6


def test_one_slow_request_in_a_hundred_is_allowed_and_two_are_not() -> None:
    one = law.latency([*[GOOD] * 99, SLOW], SERVICE, GOAL, first=True)
    assert one.verdict is Verdict.PASS and one.measured == pytest.approx(50)
    two = law.latency([*[GOOD] * 98, SLOW, SLOW], SERVICE, GOAL, first=True)
    assert two.verdict is Verdict.FAIL and two.measured == pytest.approx(2500)


def test_a_request_without_an_answer_took_for_ever() -> None:
    found = law.latency([*[GOOD] * 97, LOST, LOST, LOST], SERVICE, GOAL, first=False)
    assert (
        found.verdict is Verdict.FAIL and "3 of 100 were not answered (nothing came for 20 s)" in found.reason
    )


def test_goodput_counts_both_goals_and_every_request() -> None:
    apart = Request(late_s=0.0, ok=True, ttft_s=0.05, tpot_s=0.3)
    good = law.goodput([*[GOOD] * 95, SLOW, SLOW, apart, apart, LOST], SERVICE, SHARE)
    assert good.verdict is Verdict.PASS and good.measured == 0.95
    bad = law.goodput([*[GOOD] * 94, SLOW, SLOW, apart, apart, LOST, LOST], SERVICE, SHARE)
    assert bad.verdict is Verdict.FAIL and bad.measured == 0.94 and "94 of 100" in bad.reason


def test_a_client_that_was_late_proves_nothing() -> None:
    late = Request(late_s=0.9, ok=True, ttft_s=1.0, tpot_s=0.02)
    for outcome in (
        law.latency([late] * 100, SERVICE, GOAL, first=True), law.goodput([late] * 100, SERVICE, SHARE),
        law.goodput([], SERVICE, SHARE),
    ):  # fmt: skip
        assert outcome.verdict is Verdict.UNPROVEN and "load client" in outcome.reason


def test_nothing_failed_and_another_replica_took_over() -> None:
    again = Request(late_s=0.0, ok=True, tries=2, ttft_s=0.4, tpot_s=0.02)
    found = law.failover([*[GOOD] * 48, again, again], DRAINED, KILLED, BROKEN)
    assert (
        found.verdict is Verdict.PASS and "50 requests answered, 2 of them by another replica" in found.reason
    )


def test_a_failed_request_or_an_answer_that_a_drain_broke_off_fails() -> None:
    lost = law.failover([GOOD, LOST], DRAINED, KILLED, BROKEN)
    assert lost.verdict is Verdict.FAIL and lost.measured == 1.0
    broke = law.failover([GOOD], DRAINED, KILLED, {"h100-0": 1, "h100-1": 2})
    assert broke.verdict is Verdict.FAIL and "broke off 1 answers" in broke.reason


@pytest.mark.parametrize(
    ("drained", "killed", "broken"),
    [
        (Stop("h100-0", 0), KILLED, BROKEN), (DRAINED, Stop("h100-1", 0), BROKEN), (Stop("h100-0", 3, left=1), KILLED, BROKEN),
        (DRAINED, KILLED, {"h100-0": 0, "h100-1": 0}),
    ],
)  # fmt: skip
def test_without_a_request_in_flight_nothing_is_shown(
    drained: Stop, killed: Stop, broken: dict[str, int]
) -> None:
    assert law.failover([GOOD], drained, killed, broken).verdict is Verdict.UNPROVEN
