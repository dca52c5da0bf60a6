"""A job's ledger from the accounts as Slurm prints them, and from the journal of its nodes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from railbed.effects.journal import Journal
from railbed.errors import UsageError
from railbed.operate import job_ledger
from railbed.parse import sacct

NOW = datetime.now(UTC)
T0 = int(NOW.timestamp()) - 40_000
ACCOUNTS = f"""\
46|ada|NODE_FAIL|{T0}|{T0 + 100}|{T0 + 10_100}|2|h100-[0-1]|train|er
46|ada|REQUEUED|{T0 + 10_100}|{T0 + 10_400}|{T0 + 20_400}|2|h100-[0,2]|train|er
46|ada|CANCELLED by 1000|{T0 + 20_400}|{T0 + 20_500}|{T0 + 30_500}|2|h100-[0,2]|train|er
"""
"""Made in the form of `sacct -X -D -n -P` (sacct(1), Slurm 22.05): a requeued job has one line for each of its starts."""

OF_THE_LAB = """\
16|root|REQUEUED|1796123885|1796123885|1796123913|4|h100-[0-3]|railbed-reference-job
16|root|COMPLETED|1796123913|1796123921|1796123943|4|h100-[0-3]|railbed-reference-job
"""
"""Printed by sacct 22.05.8 in a lab (2026-12-01): the reference job, which a validation queues again."""


class Accounts:
    """Slurm's accounts of one job."""

    def __init__(self, text: str) -> None:
        self.text = text

    def runs(self, _: str) -> Any:
        return sacct.runs(self.text)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.jsonl")


def read(journal: Journal, text: str, job: str = "46") -> job_ledger.JobLedger:
    return job_ledger.read(Accounts(text), journal.index(), job, NOW)  # type: ignore[arg-type]


def test_the_accounts_are_read_as_they_are_printed() -> None:
    first, second, last = sacct.runs(ACCOUNTS)
    assert (first.nodes, second.nodes, first.name) == (("h100-0", "h100-1"), ("h100-0", "h100-2"), "train|er")
    assert (first.state, last.state, last.ended_s) == ("NODE_FAIL", "CANCELLED", T0 + 30_500)
    waits, runs = sacct.runs(
        f"7|ada|PENDING|{T0}|Unknown|Unknown|2|None assigned|x\n7|ada|RUNNING|{T0}|{T0}|Unknown|1|a|x\n"
    )
    assert (waits.started_s, waits.ended_s, waits.nodes) == (None, None, ())
    assert (runs.started_s, runs.ended_s) == (T0, None)
    assert sacct.runs("sacct: error\n\n") == []


def test_the_accounts_of_a_real_job_that_was_queued_again_add_up(journal: Journal) -> None:
    found = read(journal, OF_THE_LAB, "16")
    assert found.parts_s == {"first wait in the queue": 0, "running": 50, "queued again": 8}
    assert (found.whole_s, found.starts, found.state) == (58, 2, "COMPLETED")
    assert [(one.why, one.waited_s) for one in found.interruptions] == [("queued again", 8)]


def test_the_cause_is_what_was_found_on_a_node_of_the_start_about_its_end(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at(seconds: int) -> None:
        moment = datetime.fromtimestamp(T0 + seconds, UTC).isoformat(timespec="seconds")
        monkeypatch.setattr("railbed.effects.journal.now_iso", lambda: moment)

    at(10_000)
    journal.write("repair-drain", node="h100-1")
    journal.write("repair-causes", node="h100-1", causes=["gpu-lost"])
    journal.write("repair-causes", node="h100-3", causes=["nic-down"])
    at(17_200)
    journal.write("repair-resumed", node="h100-1")
    at(29_000)
    journal.write("repair-drain", node="h100-2")
    found = read(journal, ACCOUNTS)
    assert found.parts_s == {
        "first wait in the queue": 100, "running": 30_000, "gpu-lost on h100-1": 300, "queued again": 100,
    }  # fmt: skip
    assert (sum(found.parts_s.values()), found.starts, found.state) == (found.whole_s, 3, "CANCELLED")
    assert [(one.why, one.waited_s) for one in found.interruptions] == [
        ("gpu-lost on h100-1", 300),
        ("queued again", 100),
    ]
    assert found.between_stops_s == 15_000 and found.goodput == pytest.approx(30_000 / 30_400)
    assert [(one.node, one.outcome, one.hours) for one in found.repairs] == [
        ("h100-1", "back in service", 2.0), ("h100-2", "still out", None),
    ]  # fmt: skip
    assert found.repair_hours == 2.0


def test_a_swap_at_a_checkpoint_is_the_cause_of_its_own_job_s_stop_alone(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = datetime.fromtimestamp(T0 + 20_395, UTC).isoformat(timespec="seconds")
    monkeypatch.setattr("railbed.effects.journal.now_iso", lambda: moment)
    journal.write("swap-at-stop", node="h100-2", job="45", signal="USR2")
    assert [one.why for one in read(journal, ACCOUNTS).interruptions][1] == "queued again"
    journal.write("swap-at-stop", node="h100-2", job="46", signal="USR2")
    assert (
        "h100-2 was swapped at a checkpoint" in [one.why for one in read(journal, ACCOUNTS).interruptions][1]
    )


def test_a_fault_of_another_week_is_no_cause(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    old = (NOW - timedelta(days=8)).isoformat(timespec="seconds")
    monkeypatch.setattr("railbed.effects.journal.now_iso", lambda: old)
    journal.write("repair-causes", node="h100-1", causes=["gpu-lost"])
    assert [one.why for one in read(journal, ACCOUNTS).interruptions] == ["a node failed", "queued again"]


@pytest.mark.parametrize(
    ("text", "job", "code"),
    [
        ("", "46", "JOB_UNKNOWN"), (ACCOUNTS, "46; reboot", "USAGE"), (ACCOUNTS, "--help", "USAGE"),
        (ACCOUNTS + ACCOUNTS.replace("46|", "47|"), "46", "JOB_ARRAY"),
    ],
)  # fmt: skip
def test_what_is_no_one_job_is_refused(journal: Journal, text: str, job: str, code: str) -> None:
    with pytest.raises(UsageError) as refused:
        read(journal, text, job)
    assert refused.value.code == code
