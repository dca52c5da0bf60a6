"""A collective's table against the whole curve: each size has its floor, and the largest gives the numbers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from railbed.claims import Claim, Expectation, Reach, Verdict
from railbed.contract import Contract
from railbed.validate import collective_table
from railbed.validate.scope import Question

LOG = (Path(__file__).parent / "data" / "nccl-4-nodes.txt").read_text()
ALL_REDUCE = next(
    part for part in re.split(r"(?=^# nccl-tests version)", LOG, flags=re.M) if " all_reduce_perf" in part
)
NODES = [f"h100-{i}" for i in range(4)]


def curved(floor_small: float | None) -> Question:
    """all_reduce over four nodes at 64 MiB, and at 4 MiB with this floor."""
    expectation = Expectation(
        unit="GB/s", bound=0.1, expected=0.09927, floor=0.095, basis="derived", derivation=[]
    )
    curve = [
        Reach(size_bytes=4 << 20, expected=floor_small, floor=floor_small),
        Reach(size_bytes=64 << 20, expected=expectation.expected, floor=expectation.floor),
    ]
    claim = Claim(
        id="collective.all_reduce@4", statement="", roles=[],
        expectation=expectation.model_copy(update={"curve": curve}), simulated=True,
    )  # fmt: skip
    return Question(claim, "")


def with_small_row(busbw: float) -> str:
    """The log with a first row of 4 MiB at this rate, as -b 4M -e 64M -f 16 prints it (built)."""
    line = next(line for line in ALL_REDUCE.splitlines() if " float " in line)
    words = line.split()
    words[0], words[1] = str(4 << 20), str(1 << 20)
    algbw = busbw * 4 / 6
    for at in (5, 9):
        words[at : at + 3] = [f"{(4 << 20) / algbw / 1000:.2f}", f"{algbw:.7f}", f"{busbw:.7f}"]
    return ALL_REDUCE.replace(line, " ".join(words) + "\n" + line)


@pytest.mark.parametrize(
    ("small", "floor", "verdict", "words"),
    [
        (0.08, 0.05, Verdict.PASS, "at 67108864 B (floor 0.095) holds the floor"),
        (0.04, 0.05, Verdict.FAIL, "0.04 GB/s at 4194304 B (floor 0.05) is below the floor; "),
        (0.04, None, Verdict.PASS, "holds the floor"),
    ],
)
def test_every_size_of_the_curve_is_held(
    contract: Contract, small: float, floor: float | None, verdict: Verdict, words: str
) -> None:
    record = collective_table.judged_log(with_small_row(small), curved(floor), NODES, contract.machines[0])
    assert record is not None
    assert (record.verdict, words in record.reason) == (verdict, True), record.reason
    assert collective_table.missed(record) is (verdict is Verdict.FAIL)
    assert record.measured == pytest.approx(0.0982, abs=0.002), "the size that decides"
    assert [one[0] for one in record.detail["curve"]] == [4 << 20, 64 << 20]


def test_a_size_without_a_row_leaves_it_open(contract: Contract) -> None:
    record = collective_table.judged_log(ALL_REDUCE, curved(0.05), NODES, contract.machines[0])
    assert record is not None
    assert record.verdict is Verdict.UNPROVEN
    assert record.reason.startswith("no result at 4194304 B; ")
