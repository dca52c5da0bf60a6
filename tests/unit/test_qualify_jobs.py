"""What a job survives: the judges of the qualification's part `jobs`, on logs that are made and one that a lab run left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.qualify import jobs

from railbed.validate.job_log import JobLog, Work

WORK = Work(["h100-0", "h100-1"], 1, "cpu", spares=["h100-4"], other_course=jobs.COURSE)
DIGEST = "0" * 64
INFO = (Path(__file__).parent / "validate/data/mfsfileinfo.txt").read_text()


def attempt(
    number: int, hosts: list[str], first: int, last: int, *, done: bool, shift: float = 0.0
) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = [{"event": "start", "hosts": hosts, "first_step": first}]
    for step in range(first, last + 1):
        events.append({"event": "step", "step": step, "loss": 5.0 / step + shift, "seconds": 0.1})
        if step % jobs.COURSE.every == 0:
            events.append({"event": "checkpoint", "step": step, "seconds": 0.1, "bytes": 4, "sha256": DIGEST})
    events += [{"event": "done", "step": last}] if done else []
    return [{**event, "attempt": number} for event in events]


def log(*attempts: list[dict[str, Any]]) -> JobLog:
    return JobLog.read("\n".join(json.dumps(event) for one in attempts for event in one))


BEFORE, AFTER = ["h100-0", "h100-1"], ["h100-0", "h100-4"]
STEPS, AT = jobs.COURSE.steps, 2 * jobs.COURSE.every + 5
UNDISTURBED = log(attempt(0, BEFORE, 1, STEPS, done=True))
CUT = attempt(0, BEFORE, 1, AT, done=False)
AGAIN = 2 * jobs.COURSE.every + 1


def unlike(disturbed: JobLog, undisturbed: JobLog = UNDISTURBED) -> list[str]:
    return jobs.unlike(WORK, undisturbed, disturbed, "h100-1", list(WORK.spares))


def test_a_job_that_goes_on_on_the_spare_with_the_same_losses_holds() -> None:
    assert unlike(log(CUT, attempt(1, AFTER, AGAIN, STEPS, done=True))) == []


@pytest.mark.parametrize(
    ("disturbed", "told"),
    [
        (log(CUT), "job.resume would fail: the job did not start again"),
        (log(CUT, attempt(1, AFTER, 1, STEPS, done=True)), "it went on at step 1, the last checkpoint was of step 40"),
        (log(CUT, attempt(1, AFTER, AGAIN, STEPS - 1, done=False)), f"the second run ended at step {STEPS - 1}"),
        (log(CUT, attempt(1, BEFORE, AGAIN, STEPS, done=True)), "it went on on h100-1, which is dead"),
        (log(CUT, attempt(1, ["h100-0", "h100-7"], AGAIN, STEPS, done=True)), "without the spare"),
        (log(CUT, attempt(1, AFTER, AGAIN, STEPS, done=True, shift=1e-9)), f"attempt 1: {STEPS - AGAIN + 1} losses differ"),
        (UNDISTURBED, "the first run was not cut as planned"),
    ],
)  # fmt: skip
def test_anything_else_does_not(disturbed: JobLog, told: str) -> None:
    found = unlike(disturbed)
    assert any(told in one for one in found), found


def test_a_run_to_compare_with_has_to_end() -> None:
    cut = log(attempt(0, BEFORE, 1, STEPS - 1, done=False))
    assert "the undisturbed run did not end" in unlike(
        log(CUT, attempt(1, AFTER, AGAIN, STEPS, done=True)), cut
    )


def test_the_copies_of_a_data_server_are_counted() -> None:
    holders = {f"10.90.0.1{at + 1}": f"h100-{at}" for at in range(5)}
    assert jobs.copies_on(INFO, holders) == {"h100-0": 4, "h100-1": 4, "h100-2": 1, "h100-3": 1, "h100-4": 0}


def test_what_reads_otherwise_or_had_too_few_copies_is_told() -> None:
    written = {"a": "1", "b": "2"}
    assert jobs.read_back(written, dict(written), 2, 2) == []
    assert jobs.read_back(written, {"a": "1", "b": "3"}, 2, 2) == ["b reads otherwise than it was written"]
    assert jobs.read_back(written, {"a": "1"}, 1, 2) == [
        "a chunk had 1 copies of 2 before", "b reads otherwise than it was written",
    ]  # fmt: skip
