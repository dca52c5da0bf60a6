"""Rows of a report: equal verdicts together, failures by themselves, and never more than a page can hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.claims import Judged, Verdict
from railbed.validate import groups


def verdict(claim: str, node: str, measured: float | str | None = 1.0, **fields: object) -> Judged:
    said = {"verdict": Verdict.PASS, "reason": "seen", "unit": "s", **fields}
    return Judged(claim=claim, node=node, measured=measured, **said)  # type: ignore[arg-type]


def test_equal_passes_are_one_row_that_unfolds() -> None:
    (family,) = groups.passed([verdict("node.time", f"h100-{i}") for i in range(8)])
    (row,) = family.rows
    assert (family.name, family.verdicts, row.places, row.reason) == ("node", 8, "8 nodes", "seen")
    assert [(line.nodes, line.measured) for line in row.lines] == [("h100-[0-7]", "1 s")]


def test_rails_of_all_nodes_are_one_row() -> None:
    claims = [verdict(f"fabric.rail.{rail}.bandwidth", f"n{i}", 390.0 + i) for rail in (0, 1) for i in (0, 1)]
    ((row,),) = (family.rows for family in groups.passed(claims))
    assert (row.claim, row.text("measured")) == ("fabric.rail.*.bandwidth", "390 … 391")
    assert [line.claim for line in row.lines] == ["fabric.rail.0.bandwidth", "fabric.rail.1.bandwidth"] * 2


def test_what_did_not_pass_is_apart_by_its_reason_and_failures_are_first() -> None:
    claims = [
        verdict("node.time", "a", verdict=Verdict.UNPROVEN, reason="no answer"),
        verdict("node.time", "b", verdict=Verdict.UNPROVEN, reason="no answer"),
        verdict("node.time", "c", verdict=Verdict.FAIL, reason="5 s off"),
        verdict("node.time", "d"),
    ]
    rows, left_out = groups.open_rows(claims)
    assert [(r.first.verdict, r.places, r.reason) for r in rows] == [
        (Verdict.FAIL, "c", "5 s off"), (Verdict.UNPROVEN, "2 nodes", "no answer"),
    ]  # fmt: skip
    assert left_out == 0
    assert sum(family.verdicts for family in groups.passed(claims)) == 1


def test_a_silent_node_is_one_row() -> None:
    claims = [
        Judged(claim=f"node.{name}", node="a", verdict=Verdict.UNPROVEN, reason="no route", unit=unit)
        for name, unit in (("gpus", "GPUs"), ("time", "s"), ("xid", ""))
    ]
    ((row,), _) = groups.open_rows(claims)
    assert (row.claim, row.places) == ("node.*", "a")
    assert [line.claim for line in row.lines] == ["node.gpus", "node.time", "node.xid"]
    rail = Judged(claim="fabric.rail.0.bandwidth", node="a", verdict=Verdict.UNPROVEN, reason="no route")
    ((row,), _) = groups.open_rows([*claims, rail])
    assert (row.claim, len(row.records)) == ("*", 4)


def test_simulated_and_measured_verdicts_never_share_a_row() -> None:
    claims = [verdict("node.time", "a", simulated=True), verdict("node.time", "b")]
    assert [len(row.records) for family in groups.passed(claims) for row in family.rows] == [1, 1]


def test_many_lines_keep_the_lowest_and_the_highest() -> None:
    ((row,),) = (f.rows for f in groups.passed([verdict("node.time", f"n{i}", float(i)) for i in range(500)]))
    assert len(row.lines) == groups.LINES_MOST
    assert (row.lines[0].measured, row.lines[-1].measured) == ("0 s", "499 s")
    assert row.left_out == 500 - groups.LINES_MOST


def test_many_failures_are_counted() -> None:
    claims = [verdict("node.time", f"n{i}", verdict=Verdict.FAIL, reason=f"{i} s off") for i in range(1000)]
    rows, left_out = groups.open_rows(claims)
    assert (len(rows), left_out) == (groups.ROWS_MOST, 1000 - groups.ROWS_MOST)


@pytest.mark.parametrize(
    ("values", "span"),
    [([], ""), ([None], ""), (["x", "x"], "x"), (["x", "y"], ""), ([1.0, 2.5], "1 … 2.5"), ([2063856.0], "2063856"),
     ([1.0001, 1.0002], "1"), ([1.0, "x"], ""), ([float("inf")], "inf"), ([True], "")],
)  # fmt: skip
def test_a_span(values: list[float | str | None], span: str) -> None:
    assert groups.span(values) == span


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(list(Verdict)), st.booleans()), max_size=40)
)
def test_no_verdict_is_lost(drawn: list[tuple[str, Verdict, bool]]) -> None:
    claims = [
        verdict(f"node.{name}", f"n{at}", verdict=found, reason=str(odd))
        for at, (name, found, odd) in enumerate(drawn)
    ]
    rows, left_out = groups.open_rows(claims)
    shown = sum(len(row.records) for row in rows) + left_out
    assert shown + sum(family.verdicts for family in groups.passed(claims)) == len(claims)
