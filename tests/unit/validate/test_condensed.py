"""Test reports of thousands of nodes: bounded, and nothing that did not pass is lost in them."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest
from tests.support.example_clusters import cluster_of
from tests.support.large_report import NODE_CLAIMS, RAILS, large

from railbed.claims import Judged, Verdict
from railbed.validate import condensed, exports, records
from railbed.validate.records import Report


@pytest.fixture(scope="module")
def many() -> Report:
    """1,000 nodes: two with a slow rail, two that do not answer."""
    return large(cluster_of("metal-cluster"), 1000)[0]


def verdict(claim: str, node: str, said: Verdict = Verdict.PASS, measured: float | None = 1.0) -> Judged:
    return Judged(claim=claim, node=node, verdict=said, reason="seen", measured=measured, unit="s")


def test_a_small_report_has_a_case_each(report: Report) -> None:
    assert [case.records for case in condensed.cases(report.claims)] == [[one] for one in report.claims]


def test_equal_passes_are_one_case_and_all_others_their_own(many: Report) -> None:
    found = condensed.cases(many.claims)
    assert sum(len(case.records) for case in found) == len(many.claims)
    bad = [one for one in many.claims if one.verdict is not Verdict.PASS]
    assert bad and [case.first for case in found if len(case.records) == 1] == bad
    passed = [case for case in found if len(case.records) > 1]
    assert {case.first.claim for case in passed} >= {"node.gpus", "fabric.rail.3.bandwidth"}
    rail = next(case for case in passed if case.first.claim == "fabric.rail.0.bandwidth")
    assert rail.place == f"{len(rail.records)} nodes" and str(rail.measured).count(" … ") == 1
    assert "report.json has each" in rail.reason


def test_failures_without_end_are_bounded_too() -> None:
    most = condensed.CASES_MOST
    claims = [verdict("node.gpus", f"n{at}", Verdict.FAIL) for at in range(3 * most)]
    found = condensed.cases(claims)
    assert len(found) == most + 1 and found[-1].place == f"{2 * most} nodes"


def test_junit_and_ctrf_of_many_nodes_are_small_and_count_what_they_hold(many: Report) -> None:
    junit, ctrf = records.junit(many), exports.ctrf(many)
    assert max(len(junit), len(ctrf)) < 250_000 < len(many.claims) * 10
    root = ElementTree.fromstring(junit)
    for suite in root:
        cases = suite.findall("testcase")
        assert int(suite.get("tests", "")) == len(cases)
        assert int(suite.get("failures", "0")) == len(suite.findall("testcase/failure"))
        assert int(suite.get("errors", "0")) == len(suite.findall("testcase/error"))
    failed = [one for one in many.claims if one.verdict is Verdict.FAIL]
    assert {
        (c.get("classname"), c.get("name")) for c in root.iter("testcase") if c.find("failure") is not None
    } == {(one.node, one.claim) for one in failed}
    summary = json.loads(ctrf)["results"]["summary"]
    assert summary["passed"] >= NODE_CLAIMS + RAILS and summary["failed"] == sum(
        one.verdict is not Verdict.PASS for one in many.claims
    )
