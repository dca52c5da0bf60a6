"""The page: it needs nothing else, says first who is to blame, and stays small however many nodes there are."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.support.large_report import large

from railbed import plotting
from railbed.claims import Judged, Verdict, table
from railbed.contract import Contract
from railbed.effects.journal import Journal
from railbed.effects.workspace import Workspace
from railbed.validate import history, html_report, plots
from railbed.validate.records import Report

MOST_BYTES = 5_000_000
VOID = {"meta", "br"}


class Tags(HTMLParser):
    """Raises where an element is closed that is not the last one open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.closed = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.closed += 1


def test_the_page_is_self_contained_and_escaped(report: Report, contract: Contract) -> None:
    html = html_report.render(report, contract)
    assert html.startswith("<!doctype html>")
    assert not re.search(r"<(script|link|img)\b|url\((?!#)|@import", html)
    assert "slow &lt;out&gt; &amp;" in html
    assert "not &lt;today&gt;" in html
    assert "no &lt;GPU&gt;" in html
    for media in ("prefers-color-scheme: dark", "@media print", "max-width: 48rem"):
        assert media in html
    tags = Tags()
    tags.feed(html)
    assert tags.open == [] and tags.closed > 100


def test_the_verdict_and_who_is_to_blame_come_first(report: Report, contract: Contract) -> None:
    html = html_report.render(report, contract)
    heads = re.findall(r"<h2>([^<:,]+)", html)
    assert heads[:2] == ["To blame", "Not passed"]
    assert html.index(">fail</span>") < html.index("<h2>")
    assert heads.index("Passed") > heads.index("Not passed")
    assert heads[-1] == "Out of scope"


def test_what_did_not_pass_leads_to_its_runbook(report: Report, contract: Contract) -> None:
    open_ones = {table.page_of(one.claim) for one in report.claims if one.verdict is not Verdict.PASS}
    passed = {table.page_of(one.claim) for one in report.claims if one.verdict is Verdict.PASS} - open_ones
    html = html_report.render(report, contract)
    assert open_ones and all(f'href="../../../../{page}"' in html for page in open_ones)
    assert not [page for page in passed if page in html], "what holds needs none"


def test_the_page_says_what_is_simulated_at_both_scales(report: Report, contract: Contract) -> None:
    html = html_report.render(report, contract)
    assert "1:4000" in html
    assert "metal/hgx-h100" in html
    assert "395.2 Gb/s" in html  # 0.0988 Gb/s × 4000
    assert html.count('class="simulated"') == 1 + sum(c.simulated for c in report.claims)


def test_equal_passes_unfold(report: Report, contract: Contract) -> None:
    more = [
        Judged(claim="node.time", node=f"h100-{i}", verdict=Verdict.PASS, reason="synchronised")
        for i in range(8)
    ]
    html = html_report.render(report.model_copy(update={"claims": [*report.claims, *more]}), contract)
    assert html.count("node.time") == 1
    assert "<strong>h100-[0-7]</strong>" in html


def test_a_report_of_4000_nodes_is_small(contract: Contract) -> None:
    report, cluster = large(contract, 4000)
    html = html_report.render(report, cluster)
    assert len(html.encode()) < MOST_BYTES
    assert all(f">{one.node}</td>" in html for one in report.of(Verdict.FAIL))
    assert "3994 other nodes are not listed here" in html


def test_pictures_take_the_colour_of_the_text(report: Report, contract: Contract) -> None:
    if not plotting.available():
        pytest.skip("matplotlib (extra `report`) is not installed")
    many, _ = large(contract, 80)
    drawn = [*plots.collectives(report.claims), *plots.rails(report.claims), plots.heat(many.claims)]
    assert len(drawn) == 4
    for one in drawn:
        assert one.startswith("<svg")
        assert "currentColor" in one
        assert plotting.INK not in one
    assert plots.collectives([]) == plots.rails([]) == plots.curves([]) == []
    assert plots.heat(report.claims) == "", "few nodes have a table"


def test_curves_are_drawn_of_several_sizes_only(report: Report) -> None:
    if not plotting.available():
        pytest.skip("matplotlib (extra `report`) is not installed")
    rows = [
        {"size_bytes": 2**power, "out_of_place": {"busbw_gbytes_per_s": 10.0 * power}}
        for power in (20, 25, 30)
    ]
    at = next(i for i, one in enumerate(report.claims) if one.claim == "collective.all_reduce@2")
    for few in (rows[-1:], [{"size_bytes": 2**20, "out_of_place": None}, *rows[-1:]], []):
        report.claims[at] = report.claims[at].model_copy(update={"detail": {"rows": few}})
        assert plots.curves(report.claims) == []
    lines = {}
    for name, curve in {"none": [], "held": [[2**20, 210.0, 40.0], [2**30, 310.0, 290.0]]}.items():
        for verdict in (Verdict.PASS, Verdict.FAIL):
            low = [[2**20, 200.0, 205.0]] if verdict is Verdict.FAIL else []
            detail = {"rows": rows, "size_bytes": 2**30, "curve": curve, "low": low}
            report.claims[at] = report.claims[at].model_copy(update={"detail": detail, "verdict": verdict})
            (drawn,) = plots.curves(report.claims)
            assert "1 MiB" in drawn and "1 GiB" in drawn and "2 nodes" in drawn and "mathdefault" not in drawn
            lines[name, verdict] = (drawn.count("stroke-dasharray"), drawn.count(plotting.FLOOR))
    assert lines["none", Verdict.PASS][0] < lines["held", Verdict.PASS][0], "floors are dashed"
    assert lines["held", Verdict.PASS][1] == 0
    assert lines["held", Verdict.FAIL][1] > 0, "what is below its floor is a red cross"


def test_history_is_shown_once_there_are_two_runs(report: Report, contract: Contract) -> None:
    one = history.run_of(report)
    assert "History" not in html_report.render(report, contract, [one])
    html = html_report.render(report, contract, [one] * 30)
    assert "the last 20 runs" in html
    assert html.count("h100-1 rail 0") == history.RUNS_SHOWN
    if plotting.available():
        assert "fabric.rail.*.bandwidth over the last runs" in html


@pytest.mark.skipif(not plotting.available(), reason="no matplotlib")
def test_quick_runs_do_not_push_out_what_whole_ones_measured(report: Report, contract: Contract) -> None:
    whole = history.run_of(report)
    quick = whole.model_copy(update={"rates": {}, "kind": "quick"})
    assert "over the last runs" in html_report.render(report, contract, [whole, whole, *[quick] * 24])


def test_an_odd_line_of_the_history_costs_no_page(report: Report, contract: Contract, tmp_path: Path) -> None:
    work = Workspace(tmp_path, "test")
    work.reports.mkdir(parents=True)
    body = history.run_of(report).model_dump(mode="json", by_alias=True)
    for changed in ({}, {"counts": {}}, {"schema": "railbed/history/v2"}, {"rates": 7}):
        Journal(history.path(work)).write("validation", **{**body, **changed})
    runs = history.read(work)
    assert len(runs) == 2
    assert "History" in html_report.render(report, contract, runs)


def test_a_number_that_nothing_reaches_is_not_drawn(report: Report, contract: Contract) -> None:
    claims = [
        one.model_copy(update={"measured": 1.7e308}) if one.measured is not None else one
        for one in report.claims
    ]
    assert "</html>" in html_report.render(report.model_copy(update={"claims": claims}), contract)


def test_without_matplotlib_the_page_says_so(
    report: Report, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plotting, "available", lambda: False)
    html = html_report.render(report, contract, [history.run_of(report)] * 2)
    assert "<svg" not in html
    assert "not installed here" in html
