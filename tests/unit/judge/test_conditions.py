"""Conditions of a measurement: readings as Linux prints them, and what lies outside the limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.defaults import CLOCK_STEP_S, CPU_BUSY_LIMIT, CPU_PRESSURE_LIMIT, STEAL_LIMIT, TIME_OFFSET_S
from railbed.judge import conditions
from railbed.judge.conditions import Conditions, Reading

# Printed by Linux 6.1 (Debian 12) on a machine with two processors.
REAL = """3415.32 2160.41
--
1796046515.123456789
--
cpu  248212 31 146021 216041 1310 0 9310 1204 0 0
--
some avg10=72.74 avg60=79.10 avg300=54.23 total=262770586
full avg10=0.00 avg60=0.00 avg300=0.00 total=0
"""


def test_a_real_reading() -> None:
    reading = conditions.read(REAL)
    assert reading == Reading(
        uptime_s=3415.32, clock_s=1796046515.123456789, busy_ticks=248212 + 31 + 146021 + 9310,
        steal_ticks=1204, all_ticks=248212 + 31 + 146021 + 216041 + 1310 + 9310 + 1204, stalled_s=262.770586,
    )  # fmt: skip


def test_a_kernel_without_pressure_tells_the_rest() -> None:
    reading = conditions.read("\n".join(REAL.splitlines()[:6]) + "\n")
    assert reading is not None and reading.stalled_s is None


@pytest.mark.parametrize(
    "text",
    ["", "--", "a\n--\nb\n--\nc\n--\n", REAL.replace("3415.32", "soon"), "\n".join(REAL.splitlines()[:4])],
)
def test_what_is_no_reading_is_none(text: str) -> None:
    assert conditions.read(text) is None


@given(st.text())
def test_no_text_raises(text: str) -> None:
    conditions.read(text)


def reading(at: float, **changed: float | None) -> Reading:
    usual = {
        "uptime_s": at, "clock_s": 1e9 + at, "busy_ticks": int(at * 10), "steal_ticks": 0,
        "all_ticks": int(at * 200), "stalled_s": at * 0.01,
    }  # fmt: skip
    return Reading.model_validate({**usual, **changed})


def seen(**changed: float | None) -> Conditions:
    found = conditions.between(reading(100), reading(110, **changed))
    assert found is not None
    return found


def test_a_quiet_node_has_no_problems() -> None:
    assert seen().problems() == []
    assert seen().cpu_pressure == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"stalled_s": 1 + 10 * (CPU_PRESSURE_LIMIT + 0.05)}, "tasks waited for a processor"),
        ({"busy_ticks": 1000 + 1990}, "processors were busy 100% of the time"),
        ({"stalled_s": None, "busy_ticks": 1000 + 1990}, "processors were busy 100% of the time"),
        ({"steal_ticks": int(2000 * (STEAL_LIMIT + 0.01))}, "the hypervisor took 26% of the processor time"),
        ({"clock_s": 1e9 + 110 + 2 * CLOCK_STEP_S}, "the clock was set by +0.1 s"),
        ({"clock_s": 1e9 + 110 - 2 * CLOCK_STEP_S}, "the clock was set by -0.1 s"),
    ],
)
def test_what_lies_outside_a_limit_is_named(changed: dict[str, float | None], problem: str) -> None:
    (said,) = seen(**changed).problems()
    assert problem in said


@pytest.mark.parametrize(
    "changed",
    [
        {"stalled_s": 1 + 10 * (CPU_PRESSURE_LIMIT - 0.05)},
        {"busy_ticks": 1000 + int(2000 * (CPU_BUSY_LIMIT - 0.05))},
        {"steal_ticks": int(2000 * (STEAL_LIMIT - 0.01))},
        {"clock_s": 1e9 + 110 + CLOCK_STEP_S / 2},
    ],
)
def test_what_lies_inside_is_not(changed: dict[str, float]) -> None:
    assert seen(**changed).problems() == []


def test_a_node_that_booted_in_between_has_no_conditions() -> None:
    assert conditions.between(reading(100), reading(5)) is None


@given(st.floats(-5, 5), st.floats(0, 3))
def test_a_clock_is_off_only_where_its_time_lies_outside_the_question(off_s: float, took_s: float) -> None:
    asked = 1e6
    problem = conditions.clock_problem(asked + took_s / 2 + off_s, asked, asked + took_s)
    assert (
        bool(problem) == (abs(off_s) > took_s / 2 + TIME_OFFSET_S)
        or abs(abs(off_s) - took_s / 2 - TIME_OFFSET_S) < 1e-6
    )
