"""What HPL and hpcc prove: right and wrong solutions, rates, equal results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from railbed.claims import Expectation, Verdict
from railbed.judge import science
from railbed.parse import hpl as parser

DATA = Path(__file__).parent.parent / "data/parse/hpl"
PASS, FAIL, UNPROVEN = Verdict.PASS, Verdict.FAIL, Verdict.UNPROVEN


def found(name: str) -> dict[str, Any]:
    return parser.plain((DATA / name).read_text())


def reach(floor: float | None = None, **more: Any) -> Expectation:
    return Expectation(
        **{"unit": "TFLOPS", "floor": floor, "basis": "measured", "derivation": ["test"], **more}
    )


@pytest.mark.parametrize(
    ("name", "n", "grid", "expected", "verdict", "words"),
    [
        ("nvidia-gh200.txt", 299008, (2, 4), reach(329.0), PASS, "holds the floor of 329"),
        ("nvidia-gh200.txt", 299008, (2, 4), reach(338.0), FAIL, "below the floor of 338"),
        ("nvidia-gh200.txt", 299008, (2, 4), reach(329.0, bound=268.0), UNPROVEN, "a wrong number"),
        ("nvidia-gh200.txt", 264192, (2, 4), reach(329.0), UNPROVEN, "not N 264192"),
        ("nvidia-gh200.txt", 299008, (1, 8), reach(329.0), UNPROVEN, "on 2 × 4"),
        ("nvidia-gh200.txt", 299008, (2, 4), reach(basis="data"), PASS, "recorded"),
        ("nvidia-gh200.txt", 299008, (2, 4), reach(basis="none"), UNPROVEN, "nothing says"),
        ("hpcc-failed.txt", 200, (1, 1), reach(1e-6), FAIL, "the solution is wrong"),
        ("truncated.txt", 200, (1, 2), reach(1e-6), UNPROVEN, "did not come to its end"),
        ("hpcc-two-ranks.txt", 200, (1, 2), reach(1e-6), PASS, "scaled residual 0.0103"),
    ],
)  # fmt: skip
def test_a_right_solution_of_the_system_that_was_asked(
    name: str, n: int, grid: tuple[int, int], expected: Expectation, verdict: Verdict, words: str
) -> None:
    outcome = science.hpl(found(name), n, grid, expected)
    assert outcome.verdict is verdict and words in outcome.reason


def test_no_system_proves_nothing() -> None:
    assert science.hpl(parser.plain("srun: error"), 200, (1, 1), reach(1.0)).verdict is UNPROVEN


def test_triad_is_that_of_all_ranks() -> None:
    assert science.triad_gbytes_per_s(found("hpcc-two-ranks.txt"), 2) == pytest.approx(2 * 55.6079)
    assert science.triad_gbytes_per_s(parser.plain(""), 2) is None


def test_a_node_with_slow_memory_is_found_among_its_siblings() -> None:
    rates = {f"n{i}": 480.0 + i for i in range(7)} | {"n7": 300.0}
    none = {name: reach(unit="GB/s", basis="none") for name in rates}
    verdicts = science.streams(rates, none, alike=True)
    assert [name for name, one in verdicts.items() if one.verdict is FAIL] == ["n7"]
    assert verdicts["n0"].verdict is PASS and "no outlier among 8" in verdicts["n0"].reason


def test_too_few_nodes_are_not_compared() -> None:
    rates = {"n0": 480.0, "n1": 200.0}
    none = {name: reach(unit="GB/s", basis="none") for name in rates}
    assert {one.verdict for one in science.streams(rates, none, alike=True).values()} == {UNPROVEN}
    data = {name: reach(unit="GB/s", basis="data") for name in rates}
    assert {one.verdict for one in science.streams(rates, data, alike=True).values()} == {PASS}


A, B = ("0.0057", "1.5e-12", "3490.3"), ("0.0057", "1.6e-12", "3490.3")


@pytest.mark.parametrize(
    ("known", "verdicts"),
    [
        ({"n0": [A, A], "n1": [A, A], "n2": [A, A]}, [PASS, PASS, PASS]),
        ({"n0": [A, A], "n1": [A, B], "n2": [A, A]}, [PASS, FAIL, PASS]),
        ({"n0": [A, A], "n1": [B, B], "n2": [A, A]}, [PASS, FAIL, PASS]),
        ({"n0": [A, A], "n1": [B, B]}, [UNPROVEN, UNPROVEN]),
        ({"n0": [A, A]}, [UNPROVEN]),
        ({"n0": [A], "n1": [A, A], "n2": [A, A]}, [UNPROVEN, PASS, PASS]),
        ({"n0": [(), ()], "n1": [A, A], "n2": [A, A]}, [UNPROVEN, PASS, PASS]),
    ],
)
def test_equal_computations_have_equal_digits(known: Any, verdicts: list[Verdict]) -> None:
    assert [one.verdict for one in science.repeats(known, 2).values()] == verdicts


@pytest.mark.parametrize(
    ("limit", "basis", "verdict"),
    [(10.0, "declared", PASS), (0.3, "declared", FAIL), (None, "data", PASS), (None, "none", UNPROVEN)],
)
def test_latency_has_a_limit_above(limit: float | None, basis: Any, verdict: Verdict) -> None:
    expected = Expectation(unit="us", expected=limit, basis=basis, derivation=["test"])
    assert science.latency(found("hpcc-two-ranks.txt"), expected).verdict is verdict


@pytest.mark.parametrize(("floor", "verdict"), [(9.0, PASS), (20.0, FAIL), (None, UNPROVEN)])
def test_bandwidth_has_a_floor(floor: float | None, verdict: Verdict) -> None:
    assert science.bandwidth(found("hpcc-two-ranks.txt"), reach(floor, unit="GB/s")).verdict is verdict


def test_one_rank_measured_no_pair() -> None:
    alone = found("hpcc-failed.txt")
    assert (
        science.latency(alone, None).verdict is UNPROVEN
        and science.bandwidth(alone, None).verdict is UNPROVEN
    )
