"""Old reports: which go, and that none goes that a certificate is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from railbed.cli import validate_commands
from railbed.contract import Contract
from railbed.defaults import FAILED_REPORT_DAYS
from railbed.effects.journal import Journal
from railbed.effects.workspace import Workspace
from railbed.errors import RailbedError
from railbed.validate import certificate, history, retention
from railbed.validate.retention import prune


def name(at: int) -> str:
    return f"202612{at + 1:02}T033000.000Z"


@pytest.fixture
def filled(work: Workspace) -> Workspace:
    """Ten reports, oldest first; the last one is the latest, the ninth the latest full one."""
    for at in range(10):
        folder = work.reports / name(at) / "evidence"
        folder.mkdir(parents=True)
        (folder / "out.txt").write_text("x" * 1000)
    (work.reports / "latest").symlink_to(name(9))
    (work.reports / "latest-full").symlink_to(name(8))
    (work.reports / "history.jsonl").write_text("{}\n")
    return work


def test_the_last_ones_stay(filled: Workspace) -> None:
    said = prune(filled, 3, dry_run=False, cited={})
    assert said.removed == [name(at) for at in range(7)] and said.freed_bytes == 7000
    assert retention.reports(filled.reports) == [name(7), name(8), name(9)]
    assert (filled.reports / "history.jsonl").exists() and (filled.reports / "latest").exists()
    assert prune(filled, 3, dry_run=False, cited={}).removed == []


def test_what_links_name_stays(filled: Workspace) -> None:
    said = prune(filled, 1, dry_run=False, cited={})
    assert said.kept == {name(8): "it is latest-full", name(9): "it is latest"}


def test_a_dry_run_removes_nothing(filled: Workspace) -> None:
    said = prune(filled, 3, dry_run=True, cited={})
    assert len(said.removed) == 7 and said.dry_run and len(retention.reports(filled.reports)) == 10


def test_reports_of_certificates_stay_however_old(filled: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    (filled.reports / name(0) / "certificate.json").write_text("{}")
    filled.certificate_file.write_text("{}")

    class Said:
        report = name(1)

    monkeypatch.setattr(certificate, "read", lambda _: (Said(), {}))
    said = prune(filled, 2, dry_run=False, cited={})
    assert said.kept[name(0)] == "it earned a certificate"
    assert said.kept[name(1)] == "the standing certificate is about it"
    assert retention.reports(filled.reports) == [name(0), name(1), name(8), name(9)]


def test_a_broken_certificate_stops_it(filled: Workspace) -> None:
    filled.certificate_file.write_text("{")
    with pytest.raises(certificate.Tampered):
        prune(filled, 2, dry_run=False, cited={})
    assert len(retention.reports(filled.reports)) == 10


@pytest.mark.parametrize(
    "odd", ["20261201T033000.000Z.new", "notes", "20261201", "２0261201T033000.000Z", "..."]
)
def test_what_no_validation_named_stays(filled: Workspace, odd: str) -> None:
    (filled.reports / odd).mkdir()
    prune(filled, 1, dry_run=False, cited={})
    assert (filled.reports / odd).is_dir()


def test_links_are_not_followed(filled: Workspace, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis").write_text("years of work")
    (filled.reports / "20250101T000000.000Z").symlink_to(home)
    (filled.reports / name(0) / "away").symlink_to(home)
    prune(filled, 1, dry_run=False, cited={})
    assert (home / "thesis").exists() and (filled.reports / "20250101T000000.000Z").is_symlink()
    assert not (filled.reports / name(0)).exists()


def test_one_that_cannot_be_removed_is_named(filled: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def stays(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(retention.shutil, "rmtree", stays)
    with pytest.raises(RailbedError) as refused:
        prune(filled, 1, dry_run=False, cited={})
    assert (refused.value.code, refused.value.path) == ("SYSTEM", str(filled.reports / name(0)))


def test_no_reports_at_all(work: Workspace, contract: Contract) -> None:
    assert prune(work, 1, dry_run=False, cited={}).removed == []


def test_reports_that_are_cited_as_evidence_stay_however_old(filled: Workspace) -> None:
    cited = {name(0): "the journal names it", name(9): "the journal names it", "20200101T000000.000Z": "gone"}
    said = prune(filled, 1, dry_run=False, cited=cited)
    assert said.kept == {
        name(0): "the journal names it", name(8): "it is latest-full", name(9): "it is latest"
    }  # fmt: skip
    assert retention.reports(filled.reports) == [name(0), name(8), name(9)]


def test_reports_of_failed_runs_stay_as_long_as_a_certificate_stands(filled: Workspace) -> None:
    now = datetime.now(UTC)

    def ago(days: float) -> str:
        return f"{now - timedelta(days=days):%Y%m%dT%H%M%S}.000Z"

    young, old, passed = ago(FAILED_REPORT_DAYS - 1), ago(FAILED_REPORT_DAYS + 1), ago(1)
    lines = [(young, "fail"), (old, "fail"), (passed, "pass")]
    for one, verdict in lines:
        (filled.reports / one).mkdir()
        Journal(history.path(filled)).write(history.EVENT, verdict=verdict, report=one)
    before = history.path(filled).read_text()
    said = prune(filled, 1, dry_run=False, cited={})
    assert said.kept[young] == "it failed in the last 90 days"
    assert (filled.reports / young).is_dir()
    assert {old, passed} <= set(said.removed) and not (filled.reports / old).exists()
    assert history.path(filled).read_text() == before, "the line of a removed report stays"


def test_the_command_keeps_what_the_journal_names_and_says_why(
    filled: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(filled.journal_file)
    for at in range(10):
        journal.write("validated", node="", report=str(filled.reports / name(at)))
    journal.write("repair-validated", node="h100-0", report=str(filled.reports / name(2)))
    monkeypatch.setattr(validate_commands, "workspace", lambda _: filled)
    said = CliRunner().invoke(validate_commands.reports, ["prune", "--keep", "3", "--yes"])
    assert retention.reports(filled.reports) == [name(2), name(7), name(8), name(9)]
    assert "1 stay: the journal names it as evidence (repair-validated)" in said.output
    assert "1 stay: one of the last 3" in said.output


@pytest.mark.parametrize(
    ("words", "left"), [(["prune", "--keep", "3"], 10), (["prune", "--keep", "3", "--yes"], 3)]
)
def test_the_command_asks_for_yes(
    filled: Workspace, monkeypatch: pytest.MonkeyPatch, words: list[str], left: int
) -> None:
    monkeypatch.setattr(validate_commands, "workspace", lambda _: filled)
    said = CliRunner().invoke(validate_commands.reports, words)
    assert said.exit_code == 0, said.output
    assert len(retention.reports(filled.reports)) == left


@pytest.mark.parametrize("words", [["--stack", "other", "prune", "--yes"], ["--json", "prune"]])
def test_options_before_the_verb_are_refused(filled: Workspace, monkeypatch: Any, words: list[str]) -> None:
    monkeypatch.setattr(validate_commands, "workspace", lambda _: filled)
    said = CliRunner().invoke(validate_commands.reports, words)
    assert isinstance(said.exception, RailbedError) and len(retention.reports(filled.reports)) == 10
