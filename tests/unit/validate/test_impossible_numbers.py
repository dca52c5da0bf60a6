"""No number that cannot be true ever passes: not for any claim of any example, not by any way that a number is judged."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed import catalog, spec
from railbed import plan as plans
from railbed.claims import Claim, Judged, Verdict
from railbed.contract import Contract
from railbed.defaults import BOUND_TOLERANCE
from railbed.judge import drift, nccl_log, sound
from railbed.laws import bandwidth
from railbed.parse import nccl_tests
from railbed.validate import records
from railbed.validate.answers import Answers, against_floor, judged
from railbed.validate.scope import Question, Scope
from railbed.validate.validation_run import ValidationRun

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.yaml"))
LOG = (Path(__file__).parent / "data" / "nccl-4-nodes.txt").read_text()
NO_NUMBERS = [math.nan, math.inf, -math.inf]


@cache
def claims(file: Path) -> tuple[Claim, ...]:
    return tuple(plans.plan(spec.load(file), f"{file.name}:railbed:cluster").claims)


ALL = [claim for file in EXAMPLES for claim in claims(file)]
asked = st.sampled_from(ALL).map(lambda claim: Question(claim, ""))


def possible(value: float, claim: Claim) -> bool:
    """Written anew, without the guard."""
    bound = claim.expectation.bound if claim.expectation else None
    return math.isfinite(value) and value >= 0 and (bound is None or value / 1.02 <= bound * (1 + 1e-12))


def passes(question: Question, value: float) -> list[Judged]:
    """The number by both ways to a verdict: held against the floor, and brought as a pass by another judge."""
    answers = Answers(Scope((question,)))
    answers.add(judged(question, Verdict.PASS, "another judge says so", measured=value))
    return [against_floor(question, value), *answers.complete()]


def test_all_examples_have_claims_with_bounds() -> None:
    assert len(EXAMPLES) > 20
    assert len([c for c in ALL if c.expectation and c.expectation.bound]) > 100
    assert BOUND_TOLERANCE == 0.02


@pytest.mark.parametrize("value", [*NO_NUMBERS, -1.0, -5e-324, 1e308])
def test_no_claim_of_any_example_passes_by_it(value: float) -> None:
    for claim in ALL:
        for record in passes(Question(claim, ""), value):
            assert record.verdict is not Verdict.PASS or possible(value, claim), (claim.id, record.reason)
            json.dumps(record.model_dump(mode="json"), allow_nan=False)


@given(asked, st.floats() | st.sampled_from([*NO_NUMBERS, 0.0, -0.0]), st.floats(0.9, 3))
def test_whatever_the_number_is(question: Question, value: float, times: float) -> None:
    expectation = question.claim.expectation
    for number in (value, times * (expectation.bound or expectation.floor or 1.0) if expectation else value):
        for record in passes(question, number):
            if not possible(number, question.claim):
                assert record.verdict is Verdict.UNPROVEN
                assert "number" in record.reason
                assert record.measured is None or math.isfinite(float(record.measured))
        assert sound.doubt(number, expectation.bound if expectation else None) == "" or not possible(
            number, question.claim
        )


def test_what_is_possible_is_judged_as_before() -> None:
    bounded = next(c for c in ALL if c.expectation and c.expectation.bound and c.expectation.floor)
    assert bounded.expectation
    floor, bound = bounded.expectation.floor, bounded.expectation.bound
    assert floor
    assert bound
    judgements = {
        floor: "pass",
        bound * 1.02: "pass",
        floor * 0.99: "fail",
        bound * 1.021: "unproven",
        0.0: "fail",
    }
    for value, verdict in judgements.items():
        assert against_floor(Question(bounded, ""), value).verdict == verdict


def test_a_fail_stays_and_says_no_number_that_is_none() -> None:
    question = Question(ALL[0], "")
    found = sound.guarded(judged(question, Verdict.FAIL, "7 of 8 GPUs", measured=math.nan))
    assert (found.verdict, found.reason, found.measured) == (Verdict.FAIL, "7 of 8 GPUs", None)
    version = judged(question, Verdict.PASS, "seen", measured="570.124.06")
    assert sound.guarded(version) is version


@pytest.mark.parametrize("value", [*NO_NUMBERS, -1.0])
def test_today_s_number_that_cannot_be_true_is_drift_without_proof(value: float) -> None:
    question = Question(next(c for c in ALL if c.expectation and c.expectation.floor), "")
    certified = [judged(question, Verdict.PASS, "seen", measured=100.0).model_dump(mode="json")]
    today = judged(question, Verdict.PASS, "seen", measured=value)
    (found,) = drift.compare(certified, [today])
    assert found.kind == "unproven"
    assert "number" in found.reason
    assert drift.verdict([found]) is Verdict.UNPROVEN


def rows(time: str) -> str:
    """A real log with another time in every row."""
    lines = []
    for line in LOG.splitlines():
        fields = line.split()
        if "float" in fields:
            line = line.replace(fields[5], time).replace(fields[9], time)
        lines.append(line)
    return "\n".join(lines)


@pytest.mark.parametrize("time", ["nan", "inf", "-inf", "0.00", "-1.0", "1e-300", "1e-320", "1e-3"])
def test_bandwidth_judge(time: str) -> None:
    log = nccl_tests.read(rows(time))
    assert log.tables
    for known in ("lab/rail8", "metal/hgx-h100"):
        found = nccl_log.judge(log, bandwidth.of(catalog.load_machine(known)), 4)
        assert found.verdict is not Verdict.PASS
        for record in found.claims:
            json.dumps(record.model_dump(mode="json"), allow_nan=False)


def test_reports_and_evidence_have_no_bare_nan(contract: Contract, tmp_path: Path) -> None:
    bad: dict[str, Any] = {"rates": [math.nan, {"h100-0": math.inf}]}
    question = Question(ALL[0], "")
    report = records.Report(
        stack="t", contract_hash="", verdict=Verdict.FAIL, culprits=[], out_of_scope=[], accepted_unproven={}, quick=False,
        claims=[judged(question, Verdict.FAIL, "x", measured=math.nan, detail=bad)], node="", pattern="", simulated=True,
        started="", ended="", seconds={"rails": math.nan}, report_dir="", certificate="",
    )  # fmt: skip
    records.write_json(report, tmp_path)
    text = (tmp_path / "report.json").read_text()
    validation = ValidationRun(contract, None, Scope(()), Answers(Scope(())), tmp_path, print)  # type: ignore[arg-type]
    kept = (tmp_path / validation.keep("x.json", bad)).read_text()
    for written in (text, kept):
        assert not {"NaN", "Infinity"} & set(written.replace(",", " ").split())
        json.loads(written, parse_constant=pytest.fail)
