"""Copies between the GPUs of a node: which pairs fail, and whether a GPU or what joins them is to blame."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.claims import Expectation, Verdict
from railbed.judge import gpu_pairs
from railbed.judge.gpus import Outcome

GPUS, RATE = 8, 380.0
NODES = ("h100-0", "h100-1")
WISH = Expectation(
    unit="GB/s", floor=270.0, bound=450.0, expected=450.0, basis="declared", derivation=["test"]
)
FREE = Expectation(unit="GB/s", basis="none", derivation=["test"])
Slow = dict[tuple[int, int], float]


def rates(slow: Slow, nodes: tuple[str, ...] = NODES, gpus: int = GPUS) -> dict[gpu_pairs.Pair, float]:
    """Of healthy nodes, but that ``slow`` pairs of h100-0 have another rate."""
    return {
        (node, *pair): slow.get(pair, RATE) if node == "h100-0" else RATE
        for node in nodes for pair in permutations(range(gpus), 2)
    }  # fmt: skip


def judged(
    slow: Slow, expectation: Expectation | None = WISH, *, gpus: int = GPUS, alike: bool = True, **more: Any
) -> Outcome:
    of = {k: v for k, v in rates(slow, gpus=gpus).items() if v >= 0 or v < -1}
    pairs = gpu_pairs.compared(of, expectation, alike=alike)
    return gpu_pairs.judge(
        "h100-0", gpus, pairs, more.get("changed", ()), expectation, more.get("errors", {})
    )


def all_of(*gpus: int, rate: float = 200.0) -> Slow:
    return {pair: rate for pair in permutations(range(GPUS), 2) if set(gpus) & set(pair)}


def test_healthy_pairs_pass() -> None:
    said = judged({})
    assert (said.verdict, said.measured) == (Verdict.PASS, RATE)
    assert said.reason == (
        "the slowest of 56 pairs, 380 GB/s: holds the floor of 270; none is an outlier among 112"
    )


@pytest.mark.parametrize("expectation", [WISH, FREE])
@pytest.mark.parametrize(
    ("slow", "parts"),
    [(all_of(3, rate=330.0), ["gpu 3"]), (all_of(3), ["gpu 3"]), (all_of(1, 6), ["gpu 1", "gpu 6"]),
     ({(2, 5): 200.0}, ["nvlink"]), ({(2, 5): 200.0, (5, 2): 200.0}, ["nvlink"]),
     ({(3, b): 200.0 for b in range(GPUS)}, ["gpu 3"]), ({**all_of(0), (4, 5): 200.0}, ["gpu 0", "nvlink"]),
     (all_of(*range(GPUS)), ["nvlink"])],
    ids=["slightly", "one gpu", "two gpus", "one way", "one pair", "sends slowly", "a gpu and a pair", "all"],
)  # fmt: skip
def test_who_is_to_blame(slow: Slow, parts: list[str], expectation: Expectation) -> None:
    if expectation is FREE and len(slow) == 56:
        pytest.skip("half of the fleet is slow: without a floor nobody knows")
    said = judged(slow, expectation)
    assert (said.verdict, said.parts) == (Verdict.FAIL, parts)
    assert said.pairs == sorted(pair for pair in slow if pair[0] != pair[1])


def test_other_bytes_fail_whatever_the_rate() -> None:
    said = judged({}, changed=[(2, 5)])
    assert (said.verdict, said.parts, said.pairs) == (Verdict.FAIL, ["nvlink"], [(2, 5)])
    assert said.reason == "gpu 2 to gpu 5: other bytes arrive than were sent"


@pytest.mark.parametrize(
    ("slow", "more", "reason"),
    [({(0, 1): -1.0}, {}, "gpu 0 to gpu 1: no rate"), ({(0, 1): -5.0}, {}, "negative"), ({(0, 1): 500.0}, {}, "above"),
     ({}, {"errors": {4: "CUDA error: peer access is not supported"}}, "gpu 4: CUDA error")],
)  # fmt: skip
def test_what_is_not_known_is_unproven(slow: Slow, more: dict[str, Any], reason: str) -> None:
    said = judged(slow, **more)
    assert said.verdict is Verdict.UNPROVEN and reason in said.reason and said.parts == []


def test_stand_ins_are_not_compared() -> None:
    said = judged({(0, 1): 300.0}, alike=False)
    assert said.verdict is Verdict.PASS and "stand-ins" in said.reason
    assert judged({(0, 1): 200.0}, alike=False).verdict is Verdict.FAIL


def test_two_gpus_cannot_be_told_apart() -> None:
    assert judged({(0, 1): 100.0}, gpus=2).parts == ["nvlink"]


@given(st.integers(2, 16), st.data())
def test_a_bad_pair_always_has_a_part(gpus: int, data: st.DataObject) -> None:
    every = list(permutations(range(gpus), 2))
    bad = data.draw(st.lists(st.sampled_from(every), min_size=1, unique=True))
    parts = gpu_pairs.guilty(gpus, bad)
    named = {int(part[4:]) for part in parts if part != "nvlink"}
    assert parts and all("nvlink" in parts or named & set(pair) for pair in bad)
