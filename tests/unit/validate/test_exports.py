"""What other programs read of a report: CTRF, OpenMetrics, the published JSON Schema, the history of runs."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import jsonschema
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from railbed.claims import Verdict
from railbed.effects.workspace import Workspace
from railbed.validate import exports, history, records
from railbed.validate.records import Report

ROOT = Path(__file__).resolve().parents[3]
FILE = ROOT / "docs/reference/report.schema.json"


def test_ctrf_counts_every_claim_and_unproven_as_failed(report: Report) -> None:
    body = json.loads(exports.ctrf(report))
    results, summary = body["results"], body["results"]["summary"]
    assert (body["reportFormat"], results["tool"]["name"]) == ("CTRF", "railbed")
    assert summary == {
        "tests": 8, "passed": 3, "failed": 4, "skipped": 1, "pending": 0, "other": 0, "start": 1763971200000 + 365 * 86400000,
        "stop": 1763971260000 + 365 * 86400000,
    }  # fmt: skip
    tests = {one["name"]: one for one in results["tests"]}
    assert (tests["job.resume"]["status"], tests["job.resume"]["rawStatus"]) == ("failed", "unproven")
    assert tests["node.nvlink"]["status"] == "skipped"
    assert tests["fabric.rail.0.bandwidth h100-1"]["message"] == "slow <out> & ? in"


def test_openmetrics_reads_back(report: Report) -> None:
    text = exports.openmetrics(report).decode()
    samples = {
        (s.name, s.labels.get("claim"), s.labels.get("node")): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }
    assert text.endswith("# EOF\n")
    assert samples["railbed_claim_verdict", "fabric.rail.0.bandwidth", "h100-1"] == 1
    assert samples["railbed_claim_verdict", "job.resume", ""] == 3
    assert samples["railbed_claim_measured", "collective.all_reduce@2", ""] == 0.0989
    assert samples["railbed_validation_verdict", None, None] == 1
    assert samples["railbed_culprit_confidence", None, "h100-1"] == 0.95
    assert ("railbed_claim_measured", "job.resume", "") not in samples


def test_the_published_schema_is_that_of_the_models() -> None:
    file = importlib.util.spec_from_file_location("report_schema", ROOT / "tools/report_schema.py")
    assert file is not None and file.loader is not None
    module = importlib.util.module_from_spec(file)
    file.loader.exec_module(module)
    assert FILE.read_text() == module.text(), "run .venv/bin/python tools/report_schema.py"


def test_a_report_fits_the_schema_and_a_wrong_one_does_not(report: Report, tmp_path: Path) -> None:
    schema = json.loads(FILE.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    records.write_json(report, tmp_path)
    body = json.loads((tmp_path / "report.json").read_text())
    jsonschema.validate(body, schema)
    for wrong in ({"schema": "railbed/report/v0"}, {"verdict": "good"}, {"more": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(body | wrong, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({key: value for key, value in body.items() if key != "claims"}, schema)


def test_history_keeps_every_run_and_what_it_measured(report: Report, work: Workspace) -> None:
    assert history.read(work) == []
    for _ in range(2):
        history.add(work, report)
    runs = history.read(work)
    assert [one.verdict for one in runs] == [Verdict.FAIL] * 2
    assert runs[0].counts == {"pass": 3, "fail": 2, "unproven": 2}
    assert (runs[0].culprits, runs[0].kind) == (["h100-1 rail 0"], "full")
    spread = runs[0].rates["fabric.rail.*.bandwidth"]
    assert (spread.least, spread.median, spread.most) == pytest.approx((0.0494, 0.0741, 0.0988))
    assert "node.gpus" not in runs[0].rates
    assert len(history.trends(runs)["collective.all_reduce@4"]) == 2
    assert history.trends(runs[:1]) == {}


def test_history_passes_over_lines_that_are_cut_or_of_another_release(
    report: Report, work: Workspace
) -> None:
    history.add(work, report)
    file = history.path(work)
    file.write_text(file.read_text() + '{"schema": "railbed/history/v9", "started": 4}\n{"cut')
    history.add(work, report)
    assert len(history.read(work)) == 2
