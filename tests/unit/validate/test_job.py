"""The reference job's verdicts on busy nodes: late proves nothing, wrong data fail."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from railbed.claims import Claim, Judged, Verdict
from railbed.validate import job
from railbed.validate.job_log import JobLog, Work
from railbed.validate.scope import Question

TEXT = (Path(__file__).parent / "data" / "progress.jsonl").read_text()
WORK = Work([f"h100-{i}" for i in range(4)], 1, "cpu")
BUSY = "conditions: tasks waited for a processor 95% of the time on h100-0"


def answer(claim: str, text: str, digest: str, conditions: str, rails_unproven: str = "") -> Judged:
    job_log = JobLog.read(text)
    facts = {"sha256_read": digest, "output": "", "state": "COMPLETED", "pace": {}}
    question = Question(Claim(id=claim, statement="", roles=[]), "")
    return job._answer(
        question, WORK, job.Seen(job_log, facts, rails_unproven), "evidence/job/progress.json", conditions
    )


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


def test_a_job_whose_gpus_met_over_sockets_does_not_prove_the_rails() -> None:
    digest = next(
        json.loads(line)["sha256"] for line in reversed(TEXT.splitlines()) if '"checkpoint"' in line
    )
    assert answer("job.checkpoint", TEXT, digest, "").verdict is Verdict.PASS
    record = answer("job.checkpoint", TEXT, digest, "", "NCCL uses sockets: 4 over NET/Socket")
    assert record.verdict is Verdict.UNPROVEN and record.reason.startswith("NCCL uses sockets")
    assert answer("job.checkpoint", TEXT, "0" * 64, "", "NCCL uses sockets").verdict is Verdict.FAIL
    assert answer("job.resume", TEXT, digest, "", "NCCL uses sockets").verdict is Verdict.PASS


class Slurm:
    """A scheduler that says one state after the other, and keeps what it was told."""

    def __init__(self, *states: dict[str, str]) -> None:
        self.states, self.started = list(states), list[str]()

    def job_state(self, _: str) -> dict[str, str]:
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]

    def start_now(self, number: str) -> None:
        self.started.append(number)


@pytest.fixture
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "CREDENTIAL_S", 0.0)
    monkeypatch.setattr(job, "JOB_POLL_S", 0.0)


@pytest.mark.usefixtures("_hurry")
def test_a_job_that_was_queued_again_starts_at_once_and_once() -> None:
    held = {"JobState": "PENDING", "Restarts": "1"}
    slurm, asked = Slurm({"JobState": "RUNNING"}, held, held, {"JobState": "COMPLETED"}), list[int]()
    state, cut = job.wait(slurm, "7", 60.0, lambda: asked.append(1))  # type: ignore[arg-type]
    assert (state, cut, slurm.started, len(asked)) == ({"JobState": "COMPLETED"}, False, ["7"], 3)


@pytest.mark.usefixtures("_hurry")
def test_a_job_that_does_not_end_is_cut_short() -> None:
    slurm = Slurm({"JobState": "RUNNING"})
    assert job.wait(slurm, "7", 0.01) == ({"JobState": "RUNNING"}, True)  # type: ignore[arg-type]
