"""The reference job's log: a real one of a lab run, and what each kind of trouble would leave of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.claims import Verdict
from railbed.validate.job_log import JobLog, Work, checkpoint, pace, pace_in_words, resume

TEXT = (Path(__file__).parent / "data" / "progress.jsonl").read_text()
WORK = Work([f"h100-{i}" for i in range(4)], 1, "cpu")
MORE = Work([*WORK.nodes, "h100-4"], 1, "cpu")
Event = dict[str, Any]


def events() -> list[Event]:
    return [json.loads(line) for line in TEXT.splitlines()]


def job_log(
    keep: Callable[[Event], bool] = lambda _: True, change: Callable[[Event], Event] = lambda e: e
) -> JobLog:
    return JobLog.read("\n".join(json.dumps(change(e)) for e in events() if keep(e)))


def last_digest() -> str:
    return str([e["sha256"] for e in events() if e["event"] == "checkpoint"][-1])


def test_a_real_run_proves_both() -> None:
    saved, resumed = checkpoint(JobLog.read(TEXT), WORK, last_digest()), resume(JobLog.read(TEXT), WORK)
    assert saved.verdict is resumed.verdict is Verdict.PASS
    assert resumed.measured == 2.0
    assert saved.measured is not None
    assert 0 < saved.measured < 5


def test_a_checkpoint_that_reads_differently_elsewhere_fails() -> None:
    assert checkpoint(JobLog.read(TEXT), WORK, "0" * 64).verdict is Verdict.FAIL


def test_no_checkpoint_fails() -> None:
    assert checkpoint(job_log(lambda e: e["event"] != "checkpoint"), WORK, "").verdict is Verdict.FAIL


def test_a_job_that_never_started_proves_nothing() -> None:
    assert checkpoint(JobLog.read(""), WORK, "").verdict is Verdict.UNPROVEN
    assert resume(JobLog.read(""), WORK).verdict is Verdict.UNPROVEN


def test_fewer_nodes_than_asked_prove_nothing() -> None:
    assert checkpoint(JobLog.read(TEXT), MORE, last_digest()).verdict is Verdict.UNPROVEN
    assert resume(JobLog.read(TEXT), MORE).verdict is Verdict.UNPROVEN


def test_a_job_that_does_not_start_again_fails() -> None:
    assert resume(job_log(lambda e: e["attempt"] == 0), WORK).verdict is Verdict.FAIL


def test_starting_from_the_beginning_is_no_resume() -> None:
    def restarted(e: Event) -> Event:
        return {**e, "first_step": 1} if e["event"] == "start" and e["attempt"] == 1 else e

    found = resume(job_log(change=restarted), WORK)
    assert found.verdict is Verdict.FAIL
    assert "went on at step 1" in found.reason


def test_another_loss_after_the_resume_fails() -> None:
    def other(e: Event) -> Event:
        return (
            {**e, "loss": e["loss"] * 1.01} if e["attempt"] == 1 and e.get("step") == 8 and "loss" in e else e
        )

    found = resume(job_log(change=other), WORK)
    assert found.verdict is Verdict.FAIL
    assert "step 8" in found.reason


def test_a_second_run_that_stops_early_fails() -> None:
    assert (
        resume(job_log(lambda e: not (e["attempt"] == 1 and e.get("step", 0) > 10)), WORK).verdict
        is Verdict.FAIL
    )


def no_number(e: Event) -> Event:
    return {**e, "loss": None} if e["attempt"] == 1 and e.get("step") == 8 and "loss" in e else e


@pytest.mark.parametrize(
    ("log", "late"),
    [
        (job_log(lambda e: e["attempt"] == 0), True),
        (
            job_log(lambda e: not (e["attempt"] == 1 and (e.get("step", 0) > 10 or e["event"] == "done"))),
            True,
        ),
        (job_log(lambda e: e["event"] == "done" or not (e["attempt"] == 1 and e.get("step", 0) > 10)), False),
        (job_log(lambda e: e["event"] != "done", no_number), False),
        (job_log(change=no_number), False),
    ],
    ids=["not again", "cut short", "says it is done", "no number and cut short", "no number"],
)
def test_a_job_is_late_only_where_it_did_not_come_so_far(log: JobLog, late: bool) -> None:
    found = resume(log, WORK)
    assert (found.verdict, found.late) == (Verdict.FAIL, late)
    assert found.going == (late and 1 in log.starts), "one that never began again was not slow"


@pytest.mark.parametrize("digest", ["", "sha256sum: /scratch/x: No such file", "0" * 63])
def test_a_checkpoint_that_nobody_read_is_not_called_corrupt(digest: str) -> None:
    assert checkpoint(JobLog.read(TEXT), WORK, digest).verdict is Verdict.UNPROVEN


def test_one_that_was_replaced_when_the_job_was_cut_is_not_called_corrupt() -> None:
    assert checkpoint(JobLog.read(TEXT), WORK, "0" * 64).verdict is Verdict.FAIL
    cut = job_log(lambda e: e["event"] != "done")
    assert checkpoint(cut, WORK, "0" * 64).verdict is Verdict.UNPROVEN


def test_a_checkpoint_that_reads_differently_is_not_late_and_one_that_is_missing_is() -> None:
    assert not checkpoint(JobLog.read(TEXT), WORK, "0" * 64).late
    assert checkpoint(job_log(lambda e: e["event"] != "checkpoint"), WORK, "").late


def test_a_run_that_nobody_cut_proves_no_resume() -> None:
    def first(e: Event) -> Event:
        return {**e, "attempt": 0}

    assert resume(job_log(change=first), WORK).verdict is Verdict.UNPROVEN


def test_a_line_that_the_kill_cut_short_is_skipped() -> None:
    cut = TEXT + '{"event": "step", "attempt": 1, "st'
    assert resume(JobLog.read(cut), WORK).verdict is Verdict.PASS


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    JobLog.read(text)


@pytest.mark.parametrize(
    "line", ["null", "[]", "1", '{"event": "step", "attempt": 0, "step": "x", "loss": 1}']
)
def test_odd_lines_are_skipped(line: str) -> None:
    assert JobLog.read(line) == JobLog()


def paced(step_s: list[float], compute_s: list[float], ranks: int = 2) -> JobLog:
    """Two nodes with half of the ranks each."""
    hosts = [f"h100-{rank * 2 // ranks}" for rank in range(ranks)]
    start = {
        "event": "start",
        "attempt": 0,
        "hosts": hosts,
        "first_step": 1,
        "device": "H100",
        "tokens": 8192,
    }
    steps = [
        {"event": "step", "attempt": 0, "step": at, "loss": 1.0, "seconds": s}
        for at, s in enumerate(step_s, 1)
    ]
    done = {"event": "done", "attempt": 0, "compute_s": compute_s, "peak_bytes": 7}
    return JobLog.read("\n".join(json.dumps(one) for one in [start, *steps, done]))


def test_the_pace_leaves_the_first_steps_out_and_names_the_slowest_node() -> None:
    found = pace(paced([9.0, 9.0, 0.1, 0.1, 0.1, 0.2], [0.08, 0.08, 0.08, 0.12], ranks=4))
    assert found["tokens_per_s_per_rank"] == pytest.approx(81920)
    assert (found["step_ms"], found["jitter"], found["ranks"]) == (pytest.approx(100), pytest.approx(2), 4)
    assert found["slowest"] == {"node": "h100-1", "times_the_median": 1.5}
    assert "8.192e+04 tokens/s per GPU" in pace_in_words(found, Work(["h100-0", "h100-1"], 2, "cuda"))


@pytest.mark.parametrize(
    "log", [JobLog.read(""), paced([0.1, 0.1], [0.1, 0.1]), paced([0.0] * 5, [0.0, 0.0])]
)
def test_a_pace_that_the_log_does_not_tell(log: JobLog) -> None:
    assert pace(log) == {}
    assert pace_in_words({}, WORK) == ""


def test_a_rank_that_is_missing_proves_nothing() -> None:
    ranks = Work(WORK.nodes, 8, "cpu")
    found = checkpoint(JobLog.read(TEXT), ranks, last_digest())
    assert found.verdict is Verdict.UNPROVEN and "4 of 32 ranks" in found.reason
