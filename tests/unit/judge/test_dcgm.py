"""What DCGM's documents prove. Those of DCGM 3 and 4 are the parsers' fixtures (their README says how they were made)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from railbed.claims import Verdict
from railbed.judge.dcgm import judge
from railbed.parse import dcgmi_diag, dcgmi_health

DATA = Path(__file__).parent.parent / "data/parse"


def diag(name: str) -> dict[str, Any]:
    return dcgmi_diag.plain((DATA / "dcgmi_diag" / name).read_text())


def health(name: str = "healthy.json") -> dict[str, Any]:
    return dcgmi_health.plain((DATA / "dcgmi_health" / name).read_text())


def test_every_test_of_every_gpu_passes() -> None:
    verdict, reason, parts = judge(diag("version-4.json"), health(), 2)
    assert (verdict, parts) == (Verdict.PASS, [])
    assert reason == "DCGM 4.2.3 passes software, targeted_power on 2 GPUs"


@pytest.mark.parametrize("name", ["version-4-hot.json", "version-3.json"])
def test_a_failed_test_names_its_gpu_and_why(name: str) -> None:
    verdict, reason, parts = judge(diag(name), health(), 2)
    assert (verdict, parts) == (Verdict.FAIL, ["gpu 1"]) and "GPU 1" in reason


def test_a_watch_that_failed_meanwhile_fails() -> None:
    verdict, reason, parts = judge(diag("version-4.json"), health("failure.json"), 2)
    assert (
        (verdict, parts) == (Verdict.FAIL, ["gpu 3"])
        and "Memory system" in reason
        and "Thermal" not in reason
    )


@pytest.mark.parametrize(
    ("document", "watched", "gpus", "words"),
    [
        ("version-4.json", "healthy.json", 8, "tests of 2 of 8 GPUs"),
        ("version-4.json", "truncated.json", 2, "the watches say nothing"),
        ("runtime-error.json", "healthy.json", 2, "already in progress"),
        ("truncated.json", "healthy.json", 2, "no test ran"),
        ("no-engine.txt", "healthy.json", 2, "no test ran"),
        ("hostile.json", "hostile.json", 2, ""),
    ],
)
def test_what_says_too_little_proves_nothing(document: str, watched: str, gpus: int, words: str) -> None:
    verdict, reason, _ = judge(diag(document), health(watched), gpus)
    assert verdict is not Verdict.PASS and words in reason


def test_a_test_that_only_warns_proves_nothing() -> None:
    warned = diag("version-4.json")
    warned["tests"][0].update(
        status="Warn", results=[{"entity": "GPU 0", "status": "Warn", "warnings": ["odd"]}]
    )
    verdict, reason, _ = judge(warned, health(), 1)
    assert verdict is Verdict.UNPROVEN and "software says Warn: odd" in reason
