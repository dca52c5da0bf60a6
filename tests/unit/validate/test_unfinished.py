"""A full validation that was killed goes on: what passed whole stays, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from railbed.claims import Verdict, measurements
from railbed.contract import Contract
from railbed.effects.journal import Journal
from railbed.effects.secrets import ensure_stack_secrets
from railbed.effects.workspace import Workspace
from railbed.errors import UsageError
from railbed.validate import answers, error_counters, optics, run, stage, unfinished
from railbed.validate.validation_run import ValidationRun

BOOT = "0f6f0e2a-6f0c-4c39-9a9d-000000000000 7"
COLLECTIVES, JOB = measurements.COLLECTIVES.step, measurements.JOB.step
RAILS, SUITE = measurements.RAILS.step, measurements.NODE_SUITE.step


class Killed(BaseException):
    """As SIGKILL: nothing of railbed sees it."""


class Steps:
    """Steps of the stage's names that answer all their questions; one of them may be the last that runs."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.killed_in = ""
        self.verdicts: dict[str, Verdict] = {}
        """Claim → other than pass."""
        self.boots: dict[str, str] = {}

    def step(self, name: str) -> Callable[[ValidationRun], None]:
        def ask(one: ValidationRun) -> None:
            if name == self.killed_in:
                raise Killed
            self.asked.append(name)
            if name == SUITE:
                said = {node.name: BOOT for node in one.contract.nodes} | self.boots
                one.boots |= {name: mark for name, mark in said.items() if mark}
            for question in unfinished.of_step(one.scope, name):
                verdict = self.verdicts.get(question.claim.id, Verdict.PASS)
                kept = one.keep(f"{question.claim.id}{question.node}.txt", "seen")
                one.answers.add(answers.judged(question, verdict, "seen", measured=0.1, evidence=kept))

        return ask


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, fake_remote: Any, work: Workspace) -> Steps:
    made = Steps()
    ensure_stack_secrets(work)
    monkeypatch.setattr(stage, "Remote", lambda work, contract: fake_remote(lambda *_: None))
    monkeypatch.setattr(error_counters.Counters, "begin", lambda *_: None)
    monkeypatch.setattr(optics, "begin", lambda _: None)
    monkeypatch.setattr(stage, "STEPS", tuple((name, made.step(name)) for name, _ in stage.STEPS))
    return made


def interrupted(
    contract: Contract,
    work: Workspace,
    steps: Steps,
    step: str = JOB,
    accept: Mapping[str, str] | None = None,
) -> Path:
    steps.killed_in = step
    with pytest.raises(Killed):
        run(contract, work, accept=accept)
    steps.killed_in, steps.asked = "", []
    found = unfinished.interrupted(work, datetime.now(UTC))
    assert found is not None
    return found


def test_long_steps_that_passed_are_kept_and_the_run_earns_its_certificate(
    contract: Contract, work: Workspace, steps: Steps
) -> None:
    folder = interrupted(contract, work, steps)
    report = run(contract, work, resume=True)
    assert COLLECTIVES not in steps.asked and {SUITE, RAILS, JOB} <= set(steps.asked)
    assert (report.verdict, Path(report.report_dir)) == (Verdict.PASS, folder)
    assert work.certificate_file.exists() and not (folder / unfinished.FILE).exists()
    assert all((folder / one.evidence).is_file() for one in report.claims), "evidence of both parts is there"
    assert any("interrupted and continued" in note and COLLECTIVES in note for note in report.notes)
    with pytest.raises(UsageError) as none:
        run(contract, work, resume=True)
    assert none.value.code == "NOTHING_TO_RESUME"


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.UNPROVEN])
def test_what_did_not_pass_is_measured_again(
    contract: Contract, work: Workspace, steps: Steps, verdict: Verdict
) -> None:
    steps.verdicts = {"collective.all_reduce@4": verdict}
    interrupted(contract, work, steps)
    steps.verdicts = {}
    assert run(contract, work, resume=True).verdict is Verdict.PASS
    assert COLLECTIVES in steps.asked


def test_a_node_that_fails_now_is_not_covered_by_what_passed_then(
    contract: Contract, work: Workspace, steps: Steps
) -> None:
    interrupted(contract, work, steps)
    steps.verdicts = {"node.gpus": Verdict.FAIL}
    assert run(contract, work, resume=True).verdict is Verdict.FAIL
    assert not work.certificate_file.exists()


@pytest.mark.parametrize(
    "boots", [{"h100-1": BOOT.replace("7", "8")}, {"h100-1": ""}], ids=["booted", "silent"]
)
def test_after_a_boot_everything_is_measured_again(
    contract: Contract, work: Workspace, steps: Steps, boots: dict[str, str]
) -> None:
    interrupted(contract, work, steps)
    steps.boots = boots
    report = run(contract, work, resume=True)
    assert COLLECTIVES in steps.asked
    assert any("h100-1 may have been booted" in note for note in report.notes)


@pytest.mark.parametrize(
    ("event", "kept"), [("repair-converged", False), ("converge", False), ("drain", True)]
)
def test_after_a_change_of_the_cluster_everything_is_measured_again(
    contract: Contract, work: Workspace, steps: Steps, event: str, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(contract, work, steps)
    later = (datetime.now(UTC) + timedelta(seconds=2)).isoformat(timespec="seconds")
    monkeypatch.setattr("railbed.effects.journal.now_iso", lambda: later)
    Journal(work.journal_file).write(event, node="h100-1")
    report = run(contract, work, resume=True)
    assert (COLLECTIVES not in steps.asked) is kept
    assert any(event in note for note in report.notes) is not kept


def test_what_it_was_to_accept_goes_on_with_it(contract: Contract, work: Workspace, steps: Steps) -> None:
    accept = {"job.resume": "no job yet"}
    steps.verdicts = {"job.resume": Verdict.UNPROVEN}
    interrupted(contract, work, steps, JOB, accept)
    report = run(contract, work, resume=True)
    assert (report.verdict, report.accepted_unproven) == (Verdict.PASS, accept)


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda text: text[:-40], "USAGE"),
        (lambda text: "[]", "RESUME_UNREADABLE"),
        (lambda text: text.replace("pass", "PASS", 1), "RESUME_UNREADABLE"),
    ],
    ids=["cut short", "a list", "edited"],
)
def test_a_damaged_record_is_refused_and_stays(
    contract: Contract, work: Workspace, steps: Steps, damage: Callable[[str], str], code: str
) -> None:
    file = interrupted(contract, work, steps) / unfinished.FILE
    file.write_text(damaged := damage(file.read_text()))
    with pytest.raises(UsageError) as wrong:
        run(contract, work, resume=True)
    assert wrong.value.code == code and steps.asked == [] and file.read_text() == damaged


def test_another_contract_or_an_old_run_is_not_continued(
    contract: Contract, work: Workspace, steps: Steps
) -> None:
    folder = interrupted(contract, work, steps)
    other = contract.model_copy(update={"domain": "elsewhere.internal"}).sealed()
    with pytest.raises(UsageError) as wrong:
        run(other, work, resume=True)
    assert wrong.value.code == "RESUME_OTHER"
    late = datetime.now(UTC) + timedelta(seconds=unfinished.LONGEST_S + 60)
    assert unfinished.interrupted(work, late) is None and folder.exists()


def test_a_part_of_the_claims_leaves_nothing_to_continue(
    contract: Contract, work: Workspace, steps: Steps
) -> None:
    steps.killed_in = JOB
    with pytest.raises(Killed):
        run(contract, work, claim="*")
    assert unfinished.interrupted(work, datetime.now(UTC)) is None


def test_gpus_are_kept_with_the_counters_of_their_links_only(contract: Contract) -> None:
    scope = stage.select(contract)
    assert set(unfinished.GPUS) == set(unfinished.TOGETHER[unfinished.GPUS[0]])
    kept, _ = unfinished.passed(scope, list(unfinished.GPUS[:2]), [])
    assert kept == [], "their error counters were not read"


UNPROVEN = {"job.resume": Verdict.UNPROVEN}


def test_a_run_that_ended_unproven_goes_on_in_a_folder_of_its_own(
    contract: Contract, work: Workspace, steps: Steps
) -> None:
    steps.verdicts = UNPROVEN
    first = run(contract, work)
    kept = (Path(first.report_dir) / "report.json").read_bytes()
    steps.verdicts, steps.asked = {}, []
    report = run(contract, work, resume=True)
    assert COLLECTIVES not in steps.asked and {SUITE, RAILS, JOB} <= set(steps.asked)
    assert (first.verdict, report.verdict) == (
        Verdict.UNPROVEN,
        Verdict.PASS,
    ) and work.certificate_file.exists()
    folder = Path(report.report_dir)
    assert folder != Path(first.report_dir) and (Path(first.report_dir) / "report.json").read_bytes() == kept
    assert report.started == first.started and all((folder / one.evidence).is_file() for one in report.claims)
    assert any("ended unproven and continued" in note and COLLECTIVES in note for note in report.notes)
    with pytest.raises(UsageError) as none:
        run(contract, work, resume=True)
    assert none.value.code == "NOTHING_TO_RESUME"


def test_a_run_that_failed_does_not_go_on(contract: Contract, work: Workspace, steps: Steps) -> None:
    steps.verdicts = UNPROVEN | {"collective.all_reduce@4": Verdict.FAIL}
    assert run(contract, work).verdict is Verdict.FAIL
    with pytest.raises(UsageError) as none:
        run(contract, work, resume=True)
    assert none.value.code == "NOTHING_TO_RESUME"


def test_what_fails_in_the_second_part_fails_and_ends_it(
    contract: Contract, work: Workspace, steps: Steps
) -> None:
    steps.verdicts = UNPROVEN
    run(contract, work)
    steps.verdicts = {"node.gpus": Verdict.FAIL}
    assert run(contract, work, resume=True).verdict is Verdict.FAIL and not work.certificate_file.exists()
    assert unfinished.interrupted(work, datetime.now(UTC)) is None


def test_after_a_boot_nothing_of_an_unproven_run_stays(
    contract: Contract, work: Workspace, steps: Steps
) -> None:
    steps.verdicts = UNPROVEN
    run(contract, work)
    steps.boots, steps.asked = {"h100-1": BOOT.replace("7", "8")}, []
    run(contract, work, resume=True)
    assert COLLECTIVES in steps.asked


def test_a_run_that_goes_on_again_and_again_is_as_old_as_its_first_part(
    contract: Contract, work: Workspace, steps: Steps
) -> None:
    steps.verdicts = UNPROVEN
    run(contract, work)
    second = run(contract, work, resume=True)
    assert second.verdict is Verdict.UNPROVEN and unfinished.interrupted(work, datetime.now(UTC)) is not None
    late = datetime.fromisoformat(second.started) + timedelta(seconds=unfinished.LONGEST_S + 0.5)
    with pytest.raises(UsageError) as old:
        unfinished.read(work, contract, late)
    assert old.value.code == "NOTHING_TO_RESUME"
