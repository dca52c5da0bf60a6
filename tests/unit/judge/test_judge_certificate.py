"""Verdicts on logs against a certificate of the same cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from railbed.catalog import load_machine
from railbed.claims import Verdict
from railbed.errors import UsageError
from railbed.judge import nccl_log
from railbed.judge.baseline import Baseline, of_certificate
from railbed.laws import bandwidth
from railbed.parse import nccl_tests

DATA = Path(__file__).parent.parent / "data"
LAB = bandwidth.of(load_machine("lab/rail8"))
P5 = bandwidth.of(load_machine("aws/p5.48xlarge"))


def certificate(
    measured: float, claim: str = "collective.all_reduce@4", machine: str = "lab/rail8"
) -> Baseline:
    body = {
        "claims": [{"claim": claim, "verdict": "pass", "measured": measured}],
        "nodes": [{"machine": machine}],
    }
    return of_certificate(body, machine)


def lab_log(busbw: list[float]) -> str:
    """One table per figure, as repeated runs of the collectives program over four nodes."""
    size = 64 << 20
    tables = []
    for value in busbw:
        time = size / (value / 1.5) / 1e3
        tables.append(
            "# all_reduce_perf\n#  size count type redop root time algbw busbw #wrong\n"
            f"{size} {size // 4} float sum -1 {time:.2f} {value / 1.5:.7f} {value:.7f} 0\n"
            f"# Out of bounds values : 0 OK\n# Avg bus bandwidth    : {value:.7f}\n"
        )
    return "".join(tables)


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [
        ([0.0984], Verdict.PASS),
        ([0.0985 * 0.967], Verdict.FAIL),
        ([0.0985 * 0.97, 0.0985 * 0.971, 0.0985 * 0.969, 0.0985 * 0.97, 0.0985 * 0.97], Verdict.FAIL),
        ([0.0985 * f for f in (0.991, 1.009, 0.995, 1.004, 1.0)], Verdict.PASS),
    ],
)
def test_a_certificate_is_a_reference(measured: list[float], verdict: Verdict) -> None:
    found = nccl_log.judge(nccl_tests.read(lab_log(measured)), LAB, 4, baseline=certificate(0.0985))
    judged_claims = [c for c in found.claims if c.claim.startswith("collective")]
    assert {c.verdict for c in judged_claims} == {verdict}
    assert "certificate" in judged_claims[0].reason
    assert judged_claims[0].expected == 0.0985
    if verdict is Verdict.FAIL:
        assert found.causes


def test_few_repeats_say_what_they_cannot_see() -> None:
    found = nccl_log.judge(nccl_tests.read(lab_log([0.0984])), LAB, 4, baseline=certificate(0.0985))
    assert "with 5 repeats in 95%" in found.claims[0].reason


def test_a_certificate_gives_a_floor_where_nobody_published_one() -> None:
    text = (DATA / "parse/nccl_tests/published/aws-p5-2-nodes.log").read_text()
    relative = P5.model_copy(update={"key": "own/p5", "board": "own", "results": ()})
    log = nccl_tests.read(text)
    assert nccl_log.judge(log, relative, 2).claims[0].basis == "derived"
    own = certificate(437.0, "collective.all_reduce@2", "own/p5")
    found = nccl_log.judge(log, relative, 2, baseline=own).claims[0]
    assert (found.verdict, found.basis) == (Verdict.PASS, "measured")
    worse = certificate(455.0, "collective.all_reduce@2", "own/p5")
    assert nccl_log.judge(log, relative, 2, baseline=worse).claims[0].verdict is Verdict.FAIL


def test_what_a_certificate_does_not_hold_is_unproven() -> None:
    found = nccl_log.judge(
        nccl_tests.read(lab_log([0.0984])), LAB, 4, baseline=certificate(0.0985, "collective.all_gather@4")
    )
    assert found.claims[0].verdict is Verdict.UNPROVEN
    assert "no collective.all_reduce@4" in found.claims[0].reason


def test_a_certificate_does_not_heal_wrong_conditions() -> None:
    text = (DATA / "parse/nccl_tests/wrong-label.log").read_text()
    found = nccl_log.judge(
        nccl_tests.read(text),
        P5,
        2,
        baseline=certificate(487.0, "collective.all_reduce@2", "aws/p5.48xlarge"),
    )
    assert found.claims[0].verdict is Verdict.UNPROVEN


@pytest.mark.parametrize(
    "body",
    [
        {"claims": [], "nodes": []},
        {"claims": [{"claim": "collective.all_reduce@4", "verdict": "fail", "measured": 1.0}]},
        {"claims": [{"claim": "collective.all_reduce@4", "verdict": "pass", "measured": "fast"}]},
        {"claims": "none", "nodes": 3},
        {
            "claims": [{"claim": "collective.all_reduce@4", "verdict": "pass", "measured": 1.0}],
            "nodes": [{"machine": "metal/hgx-h100"}],
        },
    ],
)
def test_certificates_that_are_no_reference(body: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        of_certificate(body, "lab/rail8")
