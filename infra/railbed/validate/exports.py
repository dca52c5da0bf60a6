"""A report in forms that other programs read: CTRF for test reporters, OpenMetrics for monitoring.

CTRF: Common Test Report Format, specification, ctrf.io; OpenMetrics 1.0, prometheus.io.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from importlib import metadata
from typing import Any

from railbed import strict_json
from railbed.claims import Verdict
from railbed.text import plain
from railbed.validate.condensed import Case, cases
from railbed.validate.groups import rates
from railbed.validate.records import Report

CTRF = "ctrf.json"
METRICS = "metrics.txt"
CTRF_VERSION = "0.1.0"
"""Of the specification, as its examples/minimal.json names it (ctrf-io/ctrf, read 2026-11-30)."""
STATUS = {Verdict.PASS: "passed", Verdict.FAIL: "failed", Verdict.UNPROVEN: "failed"}
"""Unproven is failed, with its own word in ``rawStatus``: skipped or other would read as harmless."""
MS = 1000


def ctrf(report: Report) -> str:
    """The verdicts as a CTRF document, in a report of thousands of nodes a claim's passes as one.

    Claims do not know how long they took: their duration is 0.
    """
    tests = [_test(case) for case in cases(report.claims)]
    tests += [
        {"name": one.id, "status": "skipped", "duration": 0, "suite": ["out of scope"], "message": one.reason}
        for one in report.out_of_scope
    ]
    count = {name: sum(t["status"] == name for t in tests) for name in ("passed", "failed", "skipped")}
    body = {
        "reportFormat": "CTRF",
        "specVersion": CTRF_VERSION,
        "generatedBy": "railbed",
        "results": {
            "tool": {"name": "railbed", "version": metadata.version("railbed")},
            "summary": {
                "tests": len(tests), **count, "pending": 0, "other": 0, "start": _ms(report.started),
                "stop": _ms(report.ended),
            },
            "tests": tests,
            "extra": {
                "stack": report.stack, "verdict": report.verdict.value, "contract_hash": report.contract_hash,
                "simulated": report.simulated, "culprits": [c.model_dump(mode="json") for c in report.culprits],
            },
        },
    }  # fmt: skip
    return strict_json.dumps(body) + "\n"


def _test(case: Case) -> dict[str, Any]:
    record = case.first
    facts = ("unit", "expected", "floor", "basis", "simulated", "evidence")
    place = record.node if len(case.records) == 1 else case.place
    return {
        "name": f"{record.claim} {place}".strip(),
        "status": STATUS[record.verdict],
        "rawStatus": record.verdict.value,
        "duration": 0,
        "suite": [record.claim.split(".")[0], case.place],
        "message": plain(case.reason),
        "extra": {"measured": case.measured, **{name: getattr(record, name) for name in facts}},
    }


def _ms(stamp: str) -> int:
    """ISO time → Unix time in milliseconds."""
    return int(datetime.fromisoformat(stamp).timestamp() * MS)


def openmetrics(report: Report) -> bytes:
    """The verdicts and what was measured as OpenMetrics text, for a text-file collector or a push gateway."""
    from prometheus_client.openmetrics.exposition import generate_latest
    from prometheus_client.registry import CollectorRegistry

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(report))
    text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]
    return text


class _Collector:
    """What prometheus_client asks for."""

    def __init__(self, report: Report) -> None:
        self.report = report

    def collect(self) -> Iterator[Any]:
        """Families of gauges, each with the stack's name."""
        from prometheus_client.core import GaugeMetricFamily

        report, stack = self.report, self.report.stack
        whole = GaugeMetricFamily(
            "railbed_validation_verdict", "Exit status of the validation: 0 pass, 1 fail, 3 unproven.",
            labels=["stack", "kind"],
        )  # fmt: skip
        whole.add_metric([stack, report.kind], report.verdict.exit_status.value)
        ended = GaugeMetricFamily(
            "railbed_validation_ended_seconds", "When it ended, Unix time.", labels=["stack"], unit="seconds"
        )
        ended.add_metric([stack], datetime.fromisoformat(report.ended).timestamp())
        counts = GaugeMetricFamily("railbed_claims", "Claims by verdict.", labels=["stack", "verdict"])
        for verdict in Verdict:
            counts.add_metric([stack, verdict.value], len(report.of(verdict)))
        blamed = GaugeMetricFamily(
            "railbed_culprit_confidence", "Parts to blame, with the confidence from 0 to 1.",
            labels=["stack", "node", "part"],
        )  # fmt: skip
        for culprit in report.culprits:
            blamed.add_metric([stack, culprit.node, culprit.part], culprit.confidence)
        yield from (whole, ended, counts, blamed)
        yield from self._claims()

    def _claims(self) -> Iterator[Any]:
        from prometheus_client.core import GaugeMetricFamily

        labels = ["stack", "claim", "node"]
        verdicts = GaugeMetricFamily(
            "railbed_claim_verdict", "Of each claim: 0 pass, 1 fail, 3 unproven.", labels=labels
        )
        measured = GaugeMetricFamily(
            "railbed_claim_measured", "What was measured, in its unit.", labels=[*labels, "unit"]
        )
        floors = GaugeMetricFamily(
            "railbed_claim_floor", "The least that passes, in its unit.", labels=[*labels, "unit"]
        )
        for one in self.report.claims:
            place = [self.report.stack, one.claim, one.node]
            verdicts.add_metric(place, one.verdict.exit_status.value)
            for family, value in ((measured, one.measured), (floors, one.floor)):
                for rate in rates([value]):
                    family.add_metric([*place, one.unit], rate)
        yield from (verdicts, measured, floors)
