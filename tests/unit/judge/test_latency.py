"""How soon small messages arrive: whose rail is slow."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from railbed.claims import Verdict
from railbed.judge import latency
from railbed.judge.latency import LatencySample
from railbed.laws import outliers

NAMES = ["a", "b", "c", "d"]
RAILS = {name: [0, 1] for name in NAMES}
Time = Callable[[str, str, int], float | None]


def ring(time: Time, disturbed: str = "", windows: Sequence[int] = (1, 2)) -> list[LatencySample]:
    return [
        LatencySample(
            rail=rail, sender=one, receiver=other, latency_us=time(one, other, rail), disturbed=disturbed, window=window
        )
        for window in windows for one, other in zip(NAMES, [*NAMES[1:], NAMES[0]], strict=True) for rail in (0, 1)
    ]  # fmt: skip


def at(rail: int, node: str, slow: float, usual: float = 2.0) -> Time:
    return lambda a, b, on: slow if on == rail and node in (a, b) else usual


def test_rails_alike_pass() -> None:
    found = latency.judge(ring(lambda *_: 2.0), RAILS, 5.0)
    assert {one.verdict for one in found.values()} == {Verdict.PASS} and found["a"].measured == 2.0


@pytest.mark.parametrize(("slow", "limit_us"), [(3.5, 5.0), (3.5, None), (7.0, 5.0)])
def test_a_slow_rail_is_named_and_its_partners_are_not(slow: float, limit_us: float | None) -> None:
    found = latency.judge(ring(at(1, "c", slow)), RAILS, limit_us)
    assert [name for name, one in found.items() if one.verdict is Verdict.FAIL] == ["c"]
    assert found["c"].parts == ["rail 1"] and found["c"].measured == slow
    assert {found[name].verdict for name in "abd"} == {Verdict.PASS}


def test_all_rails_of_a_node_are_the_node() -> None:
    found = latency.judge(ring(lambda a, b, _: 9.0 if "c" in (a, b) else 2.0), RAILS, 5.0)
    assert found["c"].parts == ["node"]


def test_a_slow_way_between_two_accuses_neither() -> None:
    found = latency.judge(ring(lambda a, b, _: 9.0 if (a, b) == ("b", "c") else 2.0), RAILS, 5.0)
    assert {one.verdict for one in found.values()} == {Verdict.PASS}


def test_all_above_the_limit_fail_though_none_is_an_outlier() -> None:
    found = latency.judge(ring(lambda *_: 9.0), RAILS, 5.0)
    assert {one.verdict for one in found.values()} == {Verdict.FAIL}


def test_slow_under_bad_conditions_is_no_proof_and_fast_is() -> None:
    found = latency.judge(ring(at(1, "c", 9.0), "conditions: processors were busy on c"), RAILS, 5.0)
    assert found["c"].verdict is Verdict.UNPROVEN and "processors were busy" in found["c"].reason
    assert found["a"].verdict is Verdict.PASS


def test_less_than_the_slack_of_the_program_is_no_outlier() -> None:
    assert latency.judge(ring(at(1, "c", 40.0)), RAILS, None, 50.0)["c"].verdict is Verdict.PASS
    assert latency.judge(ring(at(1, "c", 90.0)), RAILS, None, 50.0)["c"].verdict is Verdict.FAIL


@pytest.mark.parametrize("odd", [None, 0.0, -1.0, float("nan"), float("inf")])
def test_a_rail_without_a_time_is_unproven(odd: float | None) -> None:
    found = latency.judge(ring(lambda a, b, on: odd if on == 1 and "c" in (a, b) else 2.0), RAILS, 5.0)
    assert found["c"].verdict is Verdict.UNPROVEN and "rail 1" in found["c"].reason
    assert found["a"].verdict is Verdict.PASS


def test_too_few_rails_are_not_compared() -> None:
    few = [LatencySample(rail=0, sender="a", receiver="b", latency_us=2.0)]
    assert latency.judge(few, {"a": [0]}, None)["a"].verdict is Verdict.UNPROVEN
    assert latency.judge(few, {"a": [0]}, 5.0)["a"].verdict is Verdict.PASS


SLOW, QUIET, BUSY = (
    at(1, "c", 9.0),
    ring(lambda *_: 2.0, windows=[2]),
    "conditions: processors were busy on c",
)


def test_slow_in_one_window_is_measured_again_and_no_accusation() -> None:
    found = latency.judge(ring(SLOW, windows=[1]), RAILS, 5.0)["c"]
    assert (
        found.verdict is Verdict.UNPROVEN and found.doubts and "in one window, 2 are needed" in found.reason
    )
    assert latency.judge(ring(SLOW, windows=[1]) + QUIET, RAILS, 5.0)["c"].verdict is Verdict.PASS
    later = latency.judge(ring(lambda *_: 2.0, windows=[1]) + ring(SLOW, windows=[2]), RAILS, 5.0)["c"]
    assert later.verdict is Verdict.UNPROVEN and later.doubts
    third = ring(lambda *_: 2.0, windows=[1]) + ring(SLOW, windows=[2, 3])
    assert latency.judge(third, RAILS, 5.0)["c"].verdict is Verdict.FAIL


def test_a_window_under_bad_conditions_is_no_second_one() -> None:
    found = latency.judge(ring(SLOW, windows=[1]) + ring(SLOW, BUSY, [2]), RAILS, 5.0)["c"]
    assert found.verdict is Verdict.UNPROVEN and "processors were busy" in found.reason
    third = ring(SLOW, windows=[1]) + ring(SLOW, BUSY, [2]) + ring(SLOW, windows=[3])
    assert latency.judge(third, RAILS, 5.0)["c"].verdict is Verdict.FAIL


def test_rails_that_only_a_busy_window_measured_are_not_compared_with_a_quiet_one() -> None:
    """A lab beside other work: every rail took 30 us, one 70 us; measured again with most others, all took 14 us. The rails that
    were not measured again are twice the median of the best of both windows, and were the siblings of all others."""
    many = {f"n{at}": [0] for at in range(9)}
    names = list(many)

    def window(number: int, nodes: Sequence[str], time: Time) -> list[LatencySample]:
        pairs = [(a, names[(at + 1) % 9]) for at, a in enumerate(names)]
        return [
            LatencySample(rail=0, sender=a, receiver=b, latency_us=time(a, b, 0), window=number)
            for a, b in pairs
            if {a, b} & set(nodes)
        ]

    busy = window(1, names, at(0, "n0", 70.0, 30.0))
    assert latency.judge(busy, many, None)["n0"].verdict is Verdict.UNPROVEN
    again = window(2, names[:4], lambda *_: 14.0)
    least = {rail: min(times.values()) for rail, times in latency.by_rail(busy + again).items()}
    assert set(outliers.high(least, latency.MATERIAL) or {}) == {("n5", 0), ("n6", 0), ("n7", 0)}
    found = latency.judge(busy + again, many, None)
    assert {one.verdict for one in found.values()} == {Verdict.PASS}
