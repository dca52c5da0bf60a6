"""The collective of a log that does not name it: inferred right, or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.catalog import load_machine
from railbed.claims import Verdict
from railbed.judge import nccl_log
from railbed.judge.recognize import ELEMENT_BYTES, named
from railbed.laws import bandwidth
from railbed.parse import nccl_tests
from railbed.toolbox import logs

DATA = Path(__file__).parent.parent / "data/parse/nccl_tests"


class Program(NamedTuple):
    """What a program of nccl-tests prints: written from its source (src/*.cu), not from the code under test."""

    reduces: bool
    rooted: bool
    shared: bool
    """True where it prints the count of one rank."""
    per_rank: tuple[float, float, float]
    """busbw / algbw = a(n - b)/(n + c)."""


PROGRAMS = {
    "all_reduce": Program(True, False, False, (2, 1, 0)),
    "all_reduce, NCCL_ALGO=NVLS": Program(True, False, False, (1, 1, 1)),
    "reduce_scatter": Program(True, False, True, (1, 1, 0)),
    "all_gather": Program(False, False, True, (1, 1, 0)),
    "alltoall": Program(False, False, True, (1, 1, 0)),
    "alltoallv": Program(False, False, True, (1, 1, 0)),
    "hypercube": Program(False, False, True, (1, 0, 0)),
    "sendrecv": Program(True, False, False, (1, 0, 0)),
    "bisection": Program(True, False, False, (1, 0, 0)),
    "reduce": Program(True, True, False, (1, 0, 0)),
    "broadcast": Program(False, True, False, (1, 0, 0)),
    "gather": Program(False, True, True, (1, 1, 0)),
    "scatter": Program(False, True, True, (1, 1, 0)),
}
NEW, BLANK, OLD = "new", "blank redop", "old"
LAYOUTS = (NEW, BLANK, OLD)
TAIL = "time algbw busbw #wrong time algbw busbw #wrong"


def printed(name: str, ranks: int, kind: str, layout: str, gbytes_per_s: float, elements: list[int]) -> str:
    """A log without any name, as the program prints it; older versions leave redop blank, or have columns of their own each."""
    program = PROGRAMS[name]
    redop = "sum" if program.reduces else ("none" if layout == NEW else "")
    heads = ["redop"] if program.reduces or layout != OLD else []
    heads += ["root"] if program.rooted or layout != OLD else []
    lines = [f"#  size count type {' '.join(heads)} {TAIL}"]
    a, b, c = program.per_rank
    for count in elements:
        size = count * ELEMENT_BYTES[kind] * (ranks if program.shared else 1)
        time_us = size / gbytes_per_s / 1000
        algbw = size / (time_us * 1000) if time_us else 0.0
        busbw = algbw * a * (ranks - b) / (ranks + c)
        columns = [redop] if "redop" in heads else []
        columns += [str(0 if program.rooted else -1)] if "root" in heads else []
        half = f"{time_us:8.2f} {algbw:7.2f} {busbw:7.2f}      0"
        lines.append(f"{size:12d} {count:12d} {kind:>8} {' '.join(f'{c:>6}' for c in columns)} {half} {half}")
    return "\n".join(lines) + "\n"


LOGS = st.tuples(
    st.sampled_from(sorted(PROGRAMS)),
    st.integers(1, 5000) | st.sampled_from([1, 2, 3, 4, 8, 16, 64, 1024, 16384]),
    st.sampled_from(sorted(ELEMENT_BYTES)),
    st.sampled_from(LAYOUTS),
    st.floats(0.001, 900),
    st.lists(st.integers(1, 1 << 30), min_size=1, max_size=6),
)


@given(LOGS)
def test_the_inference_is_right_or_null(log: tuple[str, int, str, str, float, list[int]]) -> None:
    (table,) = nccl_tests.read(printed(*log)).tables
    found = named(table)
    assert found.name in (None, log[0].partition(",")[0])
    assert found.reason


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("name", "ranks", "inferred"),
    [
        ("all_reduce", 8, True),
        ("all_reduce", 1024, True),
        ("all_reduce", 2, False),  # sendrecv prints the same
        ("all_reduce", 1, False),
        ("all_reduce, NCCL_ALGO=NVLS", 8, False),
        ("reduce_scatter", 2, True),
        ("reduce_scatter", 1024, True),
        ("reduce", 16, True),
        ("broadcast", 16, True),
        ("all_gather", 16, False),  # alltoall prints the same
        ("alltoall", 16, False),
        ("gather", 16, False),
        ("scatter", 16, False),
        ("sendrecv", 16, False),
    ],
)
def test_what_only_one_program_prints_is_inferred(name: str, ranks: int, inferred: bool, layout: str) -> None:
    text = printed(name, ranks, "float", layout, 100.0, [1 << 22, 1 << 26])
    document = logs.describe(nccl_tests.read(text))
    assert document["collective"] == (name if inferred else None)
    assert ("COLLECTIVE_UNKNOWN" in document["problems"]) is not inferred
    assert "the log names none" in document["collective_reason"]
    if name in ("all_reduce", "reduce_scatter") and inferred:
        assert document["inferred_ranks_range"][0] <= ranks


def test_the_name_in_the_log_counts() -> None:
    document = logs.describe(nccl_tests.read((DATA / "two-nodes.log").read_text()))
    assert document["collective"] == "all_reduce"
    assert document["collective_reason"] is None


@pytest.mark.parametrize(
    ("name", "collective"), [("before-2.0.log", "all_reduce"), ("old-all-gather.log", None)]
)
def test_logs_of_old_versions(name: str, collective: str | None) -> None:
    document = logs.describe(nccl_tests.read((DATA / name).read_text()))
    assert document["collective"] == collective
    assert document["inferred_ranks"] == (8 if collective else None)


@pytest.mark.parametrize(
    "spoilt",
    [
        ("sum", "none"),  # rows of two kinds
        (" -1 ", "  0 "),
        ("float", "wide6"),  # a type that nobody knows
    ],
)
def test_rows_of_two_kinds_or_unknown_types_prove_nothing(spoilt: tuple[str, str]) -> None:
    text = printed("all_reduce", 8, "float", NEW, 100.0, [1 << 24, 1 << 26])
    assert named(nccl_tests.read(text).tables[0]).name == "all_reduce"
    assert named(nccl_tests.read(text.replace(*spoilt, 1)).tables[0]).name is None


def test_the_judge_takes_the_inferred_collective() -> None:
    machine = bandwidth.of(load_machine("aws/p5.48xlarge"))
    text = (DATA / "published/aws-p5-2-nodes.log").read_text()
    nameless = "\n".join(line for line in text.splitlines() if "all_reduce" not in line)
    found = nccl_log.judge(nccl_tests.read(nameless), machine, 2)
    assert found.claims[0].claim == "collective.all_reduce@2"
    assert found.claims[0].verdict is Verdict.PASS
