"""What the rates and results of GPUs prove."""

from __future__ import annotations

import pytest

from railbed.claims import Expectation, Verdict
from railbed.judge import gpus as law

WISH = Expectation(
    unit="TFLOPS", bound=1100.0, expected=1000.0, floor=500.0, basis="declared", derivation=["test"]
)
OPEN = Expectation(unit="GB/s", basis="none", derivation=["test"])
KIND = "NVIDIA H100, PyTorch 2.10, CUDA 12.8"


def fleet(**changes: float) -> dict[law.Gpu, float]:
    """Sixteen healthy GPUs of the nodes a and b; ``a3=1.0`` gives GPU 3 of node a another rate."""
    rates = {(node, at): 700.0 + at % 3 for node in "ab" for at in range(8)}
    return rates | {(key[0], int(key[1:])): rate for key, rate in changes.items()}


def outcome(
    rates: dict[law.Gpu, float],
    expectation: Expectation = WISH,
    errors: dict[int, str] | None = None,
    *,
    alike: bool = True,
) -> law.Outcome:
    return law.rates(
        "a", 8, [law.compared("bf16", rates, expectation, alike=alike)], expectation, errors or {}
    )


def test_healthy_gpus_pass() -> None:
    found = outcome(fleet())
    assert (found.verdict, found.measured, found.parts) == (Verdict.PASS, 700.0, [])


def test_a_gpu_below_the_floor_fails_and_one_of_another_node_does_not() -> None:
    assert outcome(fleet(a3=400.0)).parts == ["gpu 3"]
    assert outcome(fleet(b3=400.0)).verdict is Verdict.PASS


def test_a_gpu_below_the_others_fails_though_it_holds_the_floor() -> None:
    found = outcome(fleet(a3=620.0, a5=640.0))
    assert (found.verdict, found.parts) == (Verdict.FAIL, ["gpu 3", "gpu 5"])
    assert "gpu 3: bf16 620 TFLOPS, 11.6% below the median of all" in found.reason


def test_without_a_floor_the_others_suffice() -> None:
    assert outcome(fleet(), OPEN).verdict is Verdict.PASS
    assert outcome(fleet(a0=350.0), OPEN).parts == ["gpu 0"]


def test_too_few_for_a_comparison_hold_a_floor_and_are_told_so() -> None:
    few = {("a", at): 700.0 for at in range(4)}
    way = law.compared("bf16", few, WISH, alike=True)
    assert law.rates("a", 4, [way], WISH, {}).verdict is Verdict.PASS
    assert "4 GPUs gave a rate, a comparison needs 5" in law.rates("a", 4, [way], WISH, {}).reason
    without = law.rates("a", 4, [law.compared("h2d", few, OPEN, alike=True)], OPEN, {})
    assert without.verdict is Verdict.UNPROVEN and "nobody published" in without.reason


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), -1.0, 5000.0])
def test_a_number_that_cannot_be_true_proves_nothing_and_bends_nothing(rate: float) -> None:
    found = outcome(fleet(a3=rate))
    assert found.verdict is Verdict.UNPROVEN and found.reason.startswith("gpu 3:")
    assert outcome(fleet(b3=rate)).verdict is Verdict.PASS


def test_a_gpu_without_a_rate_is_unproven_and_a_slow_one_beside_it_fails() -> None:
    rates = fleet()
    del rates["a", 7]
    assert outcome(rates).reason == "gpu 7: no rate of bf16"
    assert outcome(rates, errors={7: "CUDA error"}).reason == "gpu 7: CUDA error"
    assert outcome({**rates, ("a", 0): 100.0}, errors={7: "CUDA error"}).parts == ["gpu 0"]


def test_no_rate_at_all_is_unproven() -> None:
    assert outcome({}).verdict is Verdict.UNPROVEN


def test_stand_ins_are_not_compared() -> None:
    found = outcome(fleet(a3=510.0), alike=False)
    assert found.verdict is Verdict.PASS and "stand-ins share" in found.reason
    assert outcome(fleet(a3=510.0), OPEN, alike=False).verdict is Verdict.UNPROVEN


def results(**changes: list[str]) -> dict[law.Gpu, tuple[str, list[str]]]:
    """Eight GPUs of each of two nodes that computed r four times; ``a3=["x"]`` changes one."""
    known = {(node, at): (KIND, ["r"] * 4) for node in "ab" for at in range(8)}
    return known | {(key[0], int(key[1:])): (KIND, said) for key, said in changes.items()}


def bits(
    known: dict[law.Gpu, tuple[str, list[str]]], node: str = "a", errors: dict[int, str] | None = None
) -> law.Outcome:
    return law.digests(node, 8, known, law.voices(known), errors or {})


def test_equal_results_pass() -> None:
    assert bits(results()).verdict is Verdict.PASS and "16 GPUs" in bits(results()).reason


def test_the_minority_fails_and_is_named() -> None:
    known = results(a3=["x"] * 4, b1=["y"] * 4)
    assert (bits(known).verdict, bits(known).parts) == (Verdict.FAIL, ["gpu 3"])
    assert bits(known, "b").parts == ["gpu 1"]


def test_a_gpu_that_changes_its_mind_fails() -> None:
    found = bits(results(a3=["r", "x", "r", "r"]))
    assert found.parts == ["gpu 3"] and "2 results of 4 equal computations" in found.reason


def test_a_tie_is_unproven_on_all() -> None:
    known = {(node, at): (KIND, [node] * 4) for node in "ab" for at in range(8)}
    assert {bits(known, node).verdict for node in "ab"} == {Verdict.UNPROVEN}
    assert bits(known).parts == []


def test_three_results_of_which_none_has_most_are_unproven() -> None:
    known = {(node, at): (KIND, [str(at % 3)]) for node in "ab" for at in range(8)}
    assert bits(known).verdict is Verdict.UNPROVEN


def test_other_libraries_are_another_kind() -> None:
    known = {(n, at): (f"torch of {n}", [n] * 4) for n in "ab" for at in range(8)}
    assert {bits(known, node).verdict for node in "ab"} == {Verdict.PASS}


def test_what_did_not_compute_is_unproven() -> None:
    known = results()
    del known["a", 0]
    assert bits(known).reason == "gpu 0: no result"
    assert bits(known, errors={0: "out of memory"}).reason == "gpu 0: out of memory"
    alone = {("a", 0): (KIND, ["r"] * 4)}
    assert law.digests("a", 1, alone, law.voices(alone), {}).verdict is Verdict.UNPROVEN
