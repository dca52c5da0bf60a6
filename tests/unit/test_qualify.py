"""The qualification: which report shows a fault alone, its page, and that every fault is in one of its parts."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

import pytest
from tests.qualify import machines, run
from tests.qualify.judging import Wanted, problems
from tests.qualify.page import Row, Section, replaced

from railbed.platforms.lab import faults
from railbed.platforms.lab.fault import Injected
from railbed.platforms.lab.faults import FAULTS
from railbed.platforms.lab.gpu_faults import GPU_FAULTS

RAIL = Wanted(["fabric.rail.*.bandwidth"], "h100-1", ["rail 3"])


def claim(name: str, node: str, verdict: str) -> dict[str, Any]:
    return {"claim": name, "node": node, "verdict": verdict, "reason": f"it is {verdict}"}


def report(*claims: dict[str, Any], blamed: tuple[str, str] = ("h100-1", "rail 3")) -> dict[str, Any]:
    return {"claims": list(claims), "culprits": [{"node": blamed[0], "part": blamed[1]}]}


INJECTED = Injected("leaf-slow", "h100-1", 3, 5.0, "node")
SLOW = claim("fabric.rail.3.bandwidth", "h100-1", "fail")


def test_a_fault_that_is_found_alone_holds() -> None:
    other = claim("fabric.rail.3.bandwidth", "h100-2", "pass")
    assert problems(RAIL, report(SLOW, other, claim("collective.all_reduce@4", "", "fail"))) == []


@pytest.mark.parametrize(
    ("claims", "blamed", "told"),
    [
        ([SLOW], ("h100-2", "rail 3"), "blamed rail 3 of h100-2, not rail 3 of h100-1"),
        ([claim("fabric.rail.3.bandwidth", "h100-1", "pass")], ("h100-1", "rail 3"), "is not broken (pass)"),
        ([], ("h100-1", "rail 3"), "is not broken (not asked)"),
        ([SLOW, claim("node.nics", "h100-1", "fail")], ("h100-1", "rail 3"), "node.nics fails on h100-1 too"),
        ([SLOW, claim("fabric.rail.3.bandwidth", "h100-2", "fail")], ("h100-1", "rail 3"), "fails on h100-2 too"),
    ],
)  # fmt: skip
def test_anything_else_does_not(claims: list[dict[str, Any]], blamed: tuple[str, str], told: str) -> None:
    assert any(told in one for one in problems(RAIL, report(*claims, blamed=blamed)))


def test_who_blames_nobody_must_find_nobody() -> None:
    hung = Wanted(["node.gpus"], "h100-1", [])
    assert problems(hung, {"claims": [claim("node.gpus", "h100-1", "unproven")], "culprits": []}) == []
    passed = {
        "claims": [claim("node.gpus", "h100-1", "pass"), claim("node.gpus", "h100-2", "fail")],
        "culprits": [],
    }
    assert len(problems(hung, passed)) == 2, "nothing of its own is open, and another node's fails"
    gone = Wanted([], "h100-1", [])
    assert problems(gone, {"claims": [], "culprits": []}) == []
    assert problems(gone, report()) == ["blamed rail 3 of h100-1, not nobody"]


def test_what_all_nodes_share_is_blamed_on_none() -> None:
    leaf = Wanted(["fabric.rail.*.bandwidth"], FAULTS["leaf-slow"].culprit(INJECTED), ["rail 3"])
    both = [SLOW, claim("fabric.rail.3.bandwidth", "h100-2", "fail")]
    assert problems(leaf, report(*both, blamed=("", "rail 3"))) == []
    assert problems(leaf, report(*both)) == ["blamed rail 3 of h100-1, not rail 3 of no node"]
    other = claim("node.gpus", "h100-2", "fail")
    assert problems(leaf, report(*both, other, blamed=("", "rail 3"))) == [
        "node.gpus fails on h100-2 too: it is fail"
    ]
    assert FAULTS["rail-slow"].culprit(INJECTED) == "h100-1"


def test_every_fault_is_in_one_part_and_every_layer_has_faults() -> None:
    layers = [layer for part in run.LAYERS.values() for layer in part]
    assert len(layers) == len(set(layers))
    assert {fault.layer for fault in FAULTS.values()} <= set(layers)
    assert set(run.LAYERS) < set(run.ABOUT)


MOST_FAULTS = 15
"""Of a part: an hour has room for so many at four minutes each; docs/qualification.md has what each took."""


def test_no_part_has_more_faults_than_fit_an_hour() -> None:
    counts = {part: len(run.faults_of(part)) for part in run.LAYERS}
    assert all(0 < count <= MOST_FAULTS for count in counts.values()), counts


def test_the_library_is_wide_and_mostly_real() -> None:
    """An XID line counts once, whatever its number: none is a parameter of another."""
    families = {fault.family: fault for fault in FAULTS.values()}
    assert len(families) >= 40
    simulated = {fault.family for fault in FAULTS.values() if fault.name in GPU_FAULTS}
    assert len(set(families) - simulated) * 2 >= len(families)
    layers = Counter(fault.layer for fault in families.values())
    assert all(count >= 2 for count in layers.values()), layers
    asked = {
        "gpu",
        "pcie",
        "nvlink",
        "nic",
        "rail",
        "cable",
        "filesystem",
        "scheduler",
        "software",
        "time",
        "job",
    }
    assert asked <= set(layers)


def test_faults_that_differ_in_a_parameter_are_put_in_once_for_what_they_break() -> None:
    chosen = [fault.name for fault in faults.different()]
    xids = [name for name in chosen if FAULTS[name].of == "xid"]
    assert [list(FAULTS[name].claims) for name in xids] == [[], ["node.xid"]]
    assert [name for name in chosen if FAULTS[name].of == "nvlink-errors"] == ["nvlink-crc"]
    assert set(FAULTS) - set(chosen) == {name for name in FAULTS if FAULTS[name].of} - {*xids, "nvlink-crc"}


SECTION = Section(
    "faults-1", "Faults.", "0123abcd", "2026-11-30", "2 cores", [Row("`a`", "x", 61.4), Row("`b`", "y", 3.0, ["blamed nobody"])],
    planned=2,
)  # fmt: skip


def test_a_section_replaces_its_own_and_leaves_the_others() -> None:
    page = "# Qualification\n\nWhat.\n\n## faults-1\n\nstale\n\n## healthy\n\nkept\n"
    new = replaced(page, SECTION)
    assert "stale" not in new
    assert new.startswith(
        "# Qualification\n\nWhat.\n\n## faults-1\n\nFaults. Commit 0123abcd, 2026-11-30, 2 cores: **1 of 2 hold**"
    )
    assert new.endswith("- `b`: blamed nobody\n\n## healthy\n\nkept\n")
    assert replaced(new, SECTION) == new


def test_a_section_says_what_was_not_run() -> None:
    cut = dataclasses.replace(SECTION, planned=16)
    assert "**1 of 2 hold**, 14 not run." in cut.text()
    assert "not run" not in SECTION.text()


def test_a_first_section_comes_at_the_end() -> None:
    assert replaced("# Qualification\n", SECTION).startswith("# Qualification\n\n## faults-1\n")
    assert "| `a` | x | 61 | holds |" in SECTION.text()
    assert "| `b` | y | 3 | FAILS |" in SECTION.text()


def test_machines_go_on_after_a_step_that_broke_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(cli: Any) -> machines.Found:
        raise AssertionError("up ended with 2:\nno QEMU")

    steps = {"first": broken, "second": lambda cli: ("all", []), "third": lambda cli: ("some", ["one more"])}
    monkeypatch.setattr(machines, "STEPS", steps)
    rows = list(machines.rows(None))  # type: ignore[arg-type]
    assert [(row.name, row.passed) for row in rows] == [("first", False), ("second", True), ("third", False)]
    assert rows[0].problems == ["up ended with 2: no QEMU"]


@pytest.mark.parametrize(
    ("part", "rows"), [("healthy", 7), ("machines", len(machines.STEPS)), ("jobs", 3), ("faults-1", 12)]
)
def test_every_part_knows_how_many_rows_it_has(part: str, rows: int) -> None:
    assert run.planned_rows(part, 7) == rows
