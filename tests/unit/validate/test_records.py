"""Report files: JSON that reads back, JUnit that a CI counts right, a page that needs nothing else."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from railbed import plotting
from railbed.claims import Culprit, Judged, OutOfScope, Verdict
from railbed.contract import Contract
from railbed.validate import html_report, plots, records
from railbed.validate.records import Report


def claim(name: str, node: str, verdict: Verdict, **fields: object) -> Judged:
    return Judged(claim=name, node=node, verdict=verdict, **{"reason": "because", **fields})  # type: ignore[arg-type]


@pytest.fixture
def report() -> Report:
    rail = {"unit": "Gb/s", "expected": 0.09927, "floor": 0.0943, "bound": 0.1, "basis": "derived", "simulated": True,
            "derivation": ["line"]}  # fmt: skip
    return Report(
        stack="test", contract_hash="c" * 64, verdict=Verdict.FAIL,
        claims=[
            claim("node.gpus", "h100-0", Verdict.PASS, measured=8, unit="GPUs", simulated=True),
            claim("fabric.rail.0.bandwidth", "h100-0", Verdict.PASS, measured=0.0988,
                  detail={"gbps": {"out": 0.0989, "in": 0.0988}}, **rail),
            claim("fabric.rail.0.bandwidth", "h100-1", Verdict.FAIL, measured=0.0494, reason="slow <out> & \x00 in",
                  detail={"gbps": {"out": 0.0494, "in": 0.0991}}, **rail),
            claim("fabric.rail.0.bandwidth", "h100-2", Verdict.UNPROVEN, reason="blocked by job 7", **rail),
            claim("collective.all_reduce@2", "", Verdict.PASS, measured=0.0989, unit="GB/s", expected=0.0993,
                  floor=0.095, simulated=True),
            claim("collective.all_reduce@4", "", Verdict.FAIL, measured=0.05, unit="GB/s", expected=0.0993,
                  floor=0.095, simulated=True),
            claim("job.resume", "", Verdict.UNPROVEN, reason="blocked"),
        ],
        culprits=[Culprit(node="h100-1", part="rail 0", claims=["fabric.rail.0.bandwidth"], confidence=0.95)],
        out_of_scope=[OutOfScope(id="node.nvlink", reason="no <GPU>")],
        accepted_unproven={"job.resume": "not <today>"}, quick=False, node="", pattern="", simulated=True,
        started="2026-11-24T08:00:00+00:00", ended="2026-11-24T08:01:00+00:00", seconds={"rails": 13.4},
        report_dir="/tmp/report", certificate="",
    )  # fmt: skip


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


def test_the_page_is_self_contained_and_escaped(report: Report, contract: Contract) -> None:
    html = html_report.render(report, contract)
    assert not re.search(r"<(script|link|img)\b|url\((?!#)|@import", html)
    assert "slow &lt;out&gt; &amp;" in html
    assert "not &lt;today&gt;" in html
    assert "prefers-color-scheme: dark" in html


def test_the_page_says_what_is_simulated_at_both_scales(report: Report, contract: Contract) -> None:
    html = html_report.render(report, contract)
    assert "1:4000" in html
    assert "metal/hgx-h100" in html
    assert "395.2 Gb/s" in html  # 0.0988 Gb/s × 4000
    assert html.count('class="simulated"') == 1 + sum(c.simulated for c in report.claims)
    assert "no &lt;GPU&gt;" in html


def test_the_heat_table_has_a_cell_per_rail(report: Report) -> None:
    rows = {row["node"]: row["cells"] for row in html_report.rail_rows(report)}
    assert [cell["verdict"] for cells in rows.values() for cell in cells] == ["pass", "fail", "unproven"]
    assert rows["h100-1"][0]["share"] == pytest.approx(0.0494 / 0.09927)
    assert rows["h100-2"][0]["share"] is None


def test_plots_take_the_colour_of_the_text(report: Report) -> None:
    if not plotting.available():
        pytest.skip("matplotlib (extra `report`) is not installed")
    drawn = plots.collectives(report.claims)
    assert drawn.startswith("<svg")
    assert "currentColor" in drawn
    assert plotting.INK not in drawn
    assert plots.rails(report.claims).startswith("<svg")
    assert plots.collectives([]) == plots.rails([]) == ""


def test_without_matplotlib_the_page_says_so(
    report: Report, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plotting, "available", lambda: False)
    html = html_report.render(report, contract)
    assert "<svg" not in html
    assert "not installed here" in html
