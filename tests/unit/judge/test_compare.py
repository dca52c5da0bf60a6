"""Loss or noise: false alarms and power as stated, against a reference and among siblings."""

from __future__ import annotations

import random
from collections.abc import Callable
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.catalog import load_machine
from railbed.claims import Verdict
from railbed.judge import compare, rails, student
from railbed.judge.rails import RailSample
from railbed.laws import bandwidth

Noise = Callable[[], float]


def even(dice: random.Random) -> Noise:
    return lambda: dice.uniform(0.99, 1.01)


def alarms(dice: random.Random, loss: float, repeats: int, reference: int, sets: int) -> float:
    noise = even(dice)
    found = 0
    for _ in range(sets):
        measured = [(1 - loss) * noise() for _ in range(repeats)]
        found += compare.against(measured, [noise() for _ in range(reference)]).lost
    return found / sets


def test_false_alarms_against_a_certificate_of_one_measurement() -> None:
    dice = random.Random(1)
    assert alarms(dice, 0.0, 1, 1, 4000) == 0
    assert alarms(dice, 0.0, 5, 1, 4000) <= 0.001


def test_three_percent_are_seen_with_the_stated_power() -> None:
    dice = random.Random(2)
    for repeats, reference in ((1, 1), (5, 1), (3, 3)):
        stated = compare.power(compare.GIVEN, repeats, reference)
        assert alarms(dice, 0.03, repeats, reference, 3000) == pytest.approx(stated, abs=0.04)
    assert compare.repeats_for(compare.GIVEN, 1) == 5
    assert compare.repeats_for(compare.GIVEN, 5) == 1


def test_a_reference_that_is_too_noisy_helps_nobody() -> None:
    assert compare.repeats_for(compare.Noise(share=0.01), 1) is None


def test_noise_that_repeats_clearly_show_counts() -> None:
    calm = [1.0, 1.001, 0.999, 1.0005]
    wild = [1.0, 1.08, 0.93, 1.05, 0.95, 1.02]
    assert compare.noise_of(calm) == compare.GIVEN
    assert compare.noise_of(wild).share > 0.03
    assert not compare.against([v * 0.97 for v in wild], wild).lost
    assert compare.noise_of([1.0, 2.0]) == compare.GIVEN


def test_a_small_loss_is_no_fault_however_sure() -> None:
    assert not compare.against([0.99] * 1000, [1.0] * 1000).lost
    assert compare.against([0.98] * 1000, [1.0] * 1000).lost


def siblings(dice: random.Random, loss: float, repeats: int) -> tuple[bool, bool]:
    """(the slow one was found, another was)."""
    noise = even(dice)
    values = {str(i): [(1 - loss * (i == 0)) * noise() for _ in range(repeats)] for i in range(8)}
    found = compare.among(values)
    return found["0"].lost, any(c.lost for name, c in found.items() if name != "0")


def test_eight_siblings_with_two_repeats() -> None:
    dice = random.Random(3)
    runs = [siblings(dice, 0.03, 2) for _ in range(800)]
    assert sum(hit for hit, _ in runs) / len(runs) >= 0.99
    assert sum(false for _, false in runs) == 0
    assert not any(any(siblings(dice, 0.0, 2)) for _ in range(800))


def test_two_siblings_tell_nothing() -> None:
    assert compare.among({"a": [1.0], "b": [0.5]}) == {}


@pytest.mark.parametrize(
    ("degrees", "value"),
    [(1, 318.309), (2, 22.327), (3, 10.215), (4, 7.173), (9, 4.297), (30, 3.385), (100, 3.174)],
)
def test_quantiles_of_student(degrees: int, value: float) -> None:
    """Tables of t at one in a thousand, one-sided."""
    assert student.quantile(0.999, degrees) == pytest.approx(value, abs=6e-4)


@given(st.integers(1, 300), st.floats(0.55, 0.9999))
def test_students_t_is_wider_than_the_normal(degrees: int, probability: float) -> None:
    assert student.quantile(probability, degrees) >= NormalDist().inv_cdf(probability) - 1e-6
    if degrees < student.LARGEST_DEGREES:
        assert student.below(student.quantile(probability, degrees), degrees) == pytest.approx(
            probability, abs=1e-6
        )


WISH = {i: bandwidth.expect_rail(bandwidth.of(load_machine("lab/rail8"))) for i in range(8)}
NODES = [f"h100-{i}" for i in range(3)]


def flows(dice: random.Random, loss: float, repeats: int) -> list[RailSample]:
    noise = even(dice)
    return [
        RailSample(
            rail=rail, sender=a, receiver=b, omitted_s=1.0,
            gbps=0.0985 * noise() * (1 - loss * (a == "h100-1" and rail == 3)),
        )
        for _ in range(repeats) for rail in range(8) for a in NODES for b in NODES if a != b
    ]  # fmt: skip


def test_repeated_flows_find_three_percent_on_one_rail_and_nothing_else() -> None:
    dice = random.Random(4)
    for _ in range(10):
        failed = [j for j in rails.judge(flows(dice, 0.03, 3), WISH, NODES) if j.verdict is Verdict.FAIL]
        assert [(j.node, j.claim) for j in failed] == [("h100-1", "fabric.rail.3.bandwidth")]
        assert "in the mean of 3 flows" in failed[0].reason or "%" in failed[0].reason


def test_repeated_flows_of_healthy_rails_pass() -> None:
    dice = random.Random(5)
    for _ in range(10):
        assert {j.verdict for j in rails.judge(flows(dice, 0.0, 3), WISH, NODES)} == {Verdict.PASS}
