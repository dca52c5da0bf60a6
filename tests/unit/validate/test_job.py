"""The reference job's verdicts on busy nodes: late proves nothing, wrong data fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from railbed.claims import Claim, Judged, Verdict
from railbed.validate import job
from railbed.validate.job_log import Story
from railbed.validate.scope import Question

TEXT = (Path(__file__).parent / "data" / "progress.jsonl").read_text()
NODES = [f"h100-{i}" for i in range(4)]
BUSY = "conditions: tasks waited for a processor 95% of the time on h100-0"


def answer(claim: str, text: str, digest: str, conditions: str) -> Judged:
    seen = {"nodes": NODES, "sha256_read": digest, "output": "", "state": "COMPLETED"}
    question = Question(Claim(id=claim, statement="", roles=[]), "")
    return job._answer(question, Story.read(text), seen, "evidence/job/progress.json", conditions)


@pytest.mark.parametrize("conditions", ["", BUSY])
@pytest.mark.refutes("job.checkpoint")
def test_a_checkpoint_that_reads_differently_fails_whatever_the_load(conditions: str) -> None:
    assert answer("job.checkpoint", TEXT, "0" * 64, conditions).verdict is Verdict.FAIL


@pytest.mark.parametrize(("conditions", "verdict"), [("", Verdict.FAIL), (BUSY, Verdict.UNPROVEN)])
@pytest.mark.refutes("job.resume")
def test_a_job_that_did_not_start_again_in_time(conditions: str, verdict: Verdict) -> None:
    first = "\n".join(line for line in TEXT.splitlines() if '"attempt": 0' in line)
    record = answer("job.resume", first, "", conditions)
    assert record.verdict is verdict
    assert record.reason.startswith(conditions)
