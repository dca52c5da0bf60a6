"""Report files: JSON that reads back, JUnit that a CI counts right."""

from pathlib import Path
from xml.etree import ElementTree

from railbed.validate import records
from railbed.validate.records import Report


def test_the_json_reads_back(report: Report, tmp_path: Path) -> None:
    records.write_json(report, tmp_path)
    assert records.read_json(tmp_path / "report.json") == report


def test_the_command_prints_the_agreed_keys(report: Report) -> None:
    body = report.as_json()
    assert {"verdict", "claims", "culprits", "report", "certificate"} <= body.keys()
    assert list(body["claims"][0]) == list(records.SHOWN)
    assert body["culprits"][0] == {
        "node": "h100-1", "part": "rail 0", "claims": ["fabric.rail.0.bandwidth"], "confidence": 0.95,
        "not_separated": [],
    }  # fmt: skip


def test_junit_counts_unproven_as_errors_and_out_of_scope_as_skipped(report: Report) -> None:
    root = ElementTree.fromstring(records.junit(report))
    suites = {suite.get("name"): suite for suite in root}
    assert suites["fabric"].attrib == {"name": "fabric", "tests": "3", "failures": "1", "errors": "1"}
    assert suites["out of scope"].get("skipped") == "1"
    cases = {(c.get("classname"), c.get("name")): c for c in root.iter("testcase")}
    failure = cases["h100-1", "fabric.rail.0.bandwidth"].find("failure")
    assert failure is not None
    assert failure.get("message") == "slow <out> & ? in"
    assert cases["cluster", "job.resume"].find("error") is not None
    assert cases["h100-0", "node.gpus"].find("failure") is None
    skipped = [c for c in root.iter("testcase") if c.find("skipped") is not None]
    assert [c.get("name") for c in skipped] == ["node.nvlink"]
