"""A disk that is full, or that runs full: told before an hour of measuring, and a broken node is held all the same."""

from __future__ import annotations

import errno
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from railbed.claims import Verdict
from railbed.contract import Contract
from railbed.defaults import (
    REPORT_NODE_BYTES,
    REPORT_PART_NODE_BYTES,
    REPORT_PART_ROOM_BYTES,
    REPORT_ROOM_BYTES,
)
from railbed.effects import files, lock
from railbed.effects.workspace import Workspace
from railbed.errors import Exit, RailbedError, refused
from railbed.validate import answers, drift, room, run, stage, validation_run

Usage = namedtuple("Usage", "total used free")
NODES = 5
"""Of the contract."""
ENOUGH = REPORT_ROOM_BYTES + NODES * REPORT_NODE_BYTES


class Disk:
    """The operator's disk, and a stage whose only step finds what ``finds`` says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fake_remote: Any) -> None:
        self.free, self.full, self.finds, self.asked = 10 * ENOUGH, False, Verdict.PASS, 0
        plain = files.replace

        def step(one: validation_run.ValidationRun) -> None:
            self.asked += 1
            for question in one.scope.questions:
                verdict = self.finds if question.node == "h100-1" else Verdict.PASS
                kept = one.keep(f"{question.claim.id}{question.node}.txt", "seen")
                one.answers.add(answers.judged(question, verdict, "seen", measured=0.1, evidence=kept))

        def replace(path: Path, content: str | bytes, **more: Any) -> None:
            if self.full:
                raise refused(OSError(errno.ENOSPC, "No space left on device"), str(path))
            plain(path, content, **more)

        monkeypatch.setattr(stage, "Remote", lambda work, contract: fake_remote(lambda *_: None))
        monkeypatch.setattr(stage, "STEPS", (("all", step),))
        monkeypatch.setattr(files, "replace", replace)
        monkeypatch.setattr(room.shutil, "disk_usage", lambda _: Usage(100 * ENOUGH, 0, self.free))


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch, fake_remote: Any) -> Disk:
    return Disk(monkeypatch, fake_remote)


def test_too_little_room_is_refused_before_anything_is_measured(
    contract: Contract, work: Workspace, disk: Disk
) -> None:
    disk.free = ENOUGH - 1
    with pytest.raises(RailbedError, match="nothing was measured") as small:
        run(contract, work)
    assert (small.value.code, disk.asked) == ("REPORT_ROOM", 0)
    assert "railbed report prune" in small.value.hint and list(work.reports.iterdir()) == []
    disk.free = ENOUGH
    assert run(contract, work).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("filters", "nodes"),
    [({"only": ["h100-1"]}, 1), ({"quick": True}, NODES), ({"claim": "node.*"}, NODES),
     ({"quick": True, "only": ["h100-1", "h100-2"]}, 2), ({"quick": True, "claim": "*"}, NODES)],
)  # fmt: skip
def test_a_run_with_a_filter_asks_for_little(
    contract: Contract, work: Workspace, disk: Disk, filters: dict[str, Any], nodes: int
) -> None:
    disk.free = REPORT_PART_ROOM_BYTES + nodes * REPORT_PART_NODE_BYTES
    assert run(contract, work, **filters).verdict is Verdict.PASS
    disk.free -= 1
    with pytest.raises(RailbedError) as small:
        run(contract, work, **filters)
    assert small.value.code == "REPORT_ROOM"


def test_a_pattern_that_leaves_everything_asks_for_all(
    contract: Contract, work: Workspace, disk: Disk
) -> None:
    disk.free = ENOUGH - 1
    with pytest.raises(RailbedError) as small:
        run(contract, work, claim="*")
    assert small.value.code == "REPORT_ROOM"
    disk.free = ENOUGH
    assert run(contract, work, claim="*").verdict is Verdict.PASS


def test_a_disk_that_runs_full_meanwhile_is_an_error_that_says_what_was_found(
    contract: Contract, work: Workspace, disk: Disk
) -> None:
    run(contract, work, quick=True)
    disk.full = True
    with pytest.raises(room.Unwritten, match="could not be written, and no certificate") as full:
        run(contract, work)
    assert full.value.code == "SYSTEM" and full.value.found.startswith("pass (")
    assert full.value.report.notes[0].endswith("No space left on device")
    assert not work.certificate_file.exists() and not work.accepted.path.exists()


def test_without_its_evidence_nothing_is_certified(
    contract: Contract, work: Workspace, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    (step,) = stage.STEPS

    def short(one: validation_run.ValidationRun) -> None:
        disk.full = True
        step[1](one)
        disk.full = False

    monkeypatch.setattr(stage, "STEPS", (("all", short),))
    report = run(contract, work)
    assert report.verdict is Verdict.PASS and not report.certificate
    assert "files of evidence could not be written" in report.notes[0]
    assert {one.evidence for one in report.claims} == {""}
    assert not work.certificate_file.exists()


def test_drift_knows_what_failed_where_no_report_can_be_written(
    contract: Contract, work: Workspace, disk: Disk
) -> None:
    run(contract, work)
    disk.finds, disk.full, disk.free = Verdict.FAIL, True, 0
    with pytest.raises(RailbedError) as small:
        drift(contract, work, quick=False, progress=lambda _: None)
    assert small.value.code == "REPORT_ROOM"
    found = drift(contract, work, quick=False, progress=lambda _: None, room=False)
    assert found.verdict is Verdict.FAIL and "could not be written" in found.unwritten
    assert {one.node for one in found.drifted} == {"h100-1"} and found.culprits


def test_a_lock_is_held_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(lock.os, "pwrite", full)
    path = tmp_path / "lock"
    with lock.acquire(path, "stack x"), pytest.raises(RailbedError) as busy, lock.acquire(path, "stack x"):
        pass
    assert (busy.value.code, busy.value.exit_status) == ("BUSY", Exit.USAGE)
