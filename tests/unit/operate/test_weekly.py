"""`railbed report weekly` over a model of Slurm and a journal: what it counts, and the page that it writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.unit.operate.world import World

from railbed.claims import Verdict
from railbed.effects import journal as journals
from railbed.effects.journal import Journal
from railbed.effects.workspace import Workspace
from railbed.errors import CommandError, UsageError
from railbed.operate import weekly, weekly_page
from railbed.operate.weekly import Certified
from railbed.validate import certificate, history
from railbed.validate.history import Run, Spread

Call = Callable[..., Any]
RATE = Spread(least=0.097, median=0.099, most=0.1, unit="Gb/s", floor=0.0943)


@pytest.fixture
def call(reports: Call) -> Call:
    return partial(reports, "weekly")


def ago(patch: pytest.MonkeyPatch, **back: float) -> None:
    at = (
        datetime.fromisoformat(journals.now_iso())
        if not back
        else datetime.now().astimezone() - timedelta(**back)
    )
    patch.setattr(journals, "now_iso", lambda: at.isoformat(timespec="seconds"))


def week(work: Workspace, patch: pytest.MonkeyPatch) -> None:
    """Two repairs of one node, one of which passed four hours later; one of another that still goes on; one of long ago."""
    journal = Journal(work.journal_file)

    def at(days: float, node: str, event: str, **fields: Any) -> None:
        ago(patch, days=days)
        journal.write(event, node=node, **fields)

    at(20, "h100-0", "repair-drain")
    at(20, "h100-0", "repair-causes", causes=["nic-down"])
    for day, node, code, rung in ((5, "h100-1", "gpu-ecc", "reset"), (2, "h100-1", "gpu-ecc", "reboot")):
        at(day, node, "repair-drain")
        at(day, node, "repair-causes", causes=[code])
        at(day, node, "repair-rung", rung=rung)
        at(day - 4 / 24, node, "repair-resumed")
    at(1, "h100-2", "repair-drain")
    at(1, "h100-2", "repair-causes", causes=[])
    at(1, "h100-2", "repair-rung", rung="roles")


def validated(work: Workspace, days: float) -> None:
    at = (datetime.now().astimezone() - timedelta(days=days)).isoformat(timespec="seconds")
    line = Run(
        schema=history.SCHEMA, started=at, ended=at, kind="full", verdict=Verdict.PASS, counts={"pass": 9},
        contract_hash="0" * 64, culprits=["h100-1 <rail> 0"], simulated=True, report="1", rates={"fabric.rail.*.bandwidth": RATE},
    )  # fmt: skip
    Journal(history.path(work)).write(history.EVENT, **line.model_dump(mode="json", by_alias=True))


def test_it_counts_causes_rungs_and_repairs_of_the_time_alone(
    call: Call, work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        week(work, patch)
    said = call("--json")
    assert [(one["code"], one["repairs"], one["nodes"]) for one in said["causes"]] == [
        ("gpu-ecc", 2, ["h100-1"]), (weekly.NO_CODE, 1, ["h100-2"]),
    ]  # fmt: skip
    assert [(one["rung"], one["taken"]) for one in said["rungs"]] == [
        ("roles", 1),
        ("reset", 1),
        ("reboot", 1),
    ]
    assert sum(said["repairs_by_day"].values()) == 3 and len(said["repairs_by_day"]) == 8
    assert said["repair_hours"] == pytest.approx(4.0, abs=0.01), "one that goes on has no length"
    assert (said["node_days"], said["between_repairs_node_days"]) == (28.0, pytest.approx(28 / 3, abs=0.1))
    assert call("--days", "30", "--json")["causes"][1]["code"] in ("nic-down", weekly.NO_CODE)


def test_without_trouble_it_says_so(call: Call, work: Workspace) -> None:
    said = call("--json")
    assert (said["causes"], said["rungs"], said["between_repairs_node_days"], said["jobs"]) == (
        [],
        [],
        None,
        [],
    )
    assert said["certificate"]["why"]
    page = next((work.archive / "weekly").glob("*.html")).read_text()
    assert "No node was repaired." in page and "None stands" in page and "None in this time." in page


def test_jobs_that_run_and_those_that_are_named_have_their_ledger(call: Call, world: World) -> None:
    world.running = {"h100-0": 99}
    said = call("--json", "--job", "46")
    assert [job["job"] for job in said["jobs"]] == ["46", "46"], "the model of Slurm answers 46 for each"
    assert said["jobs_unread"] == ""


def test_accounts_that_do_not_answer_leave_the_rest(call: Call, world: World) -> None:
    def silent(_: str) -> Any:
        raise CommandError("slurmdbd does not answer")

    world.runs = silent  # type: ignore[attr-defined]
    said = call("--json", "--job", "46")
    assert said["jobs"] == [] and said["jobs_unread"] == "job 46: slurmdbd does not answer"
    assert "accounts were not read" in call("--job", "46")


def test_the_certificate_s_age_and_what_was_accepted(
    call: Call, work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now().astimezone()

    class Said:
        issued_at = (now - timedelta(days=30)).isoformat()
        expires = (now + timedelta(days=60)).isoformat()
        accepted_unproven = {"job.resume": "no shared <filesystem> yet"}  # noqa: RUF012

    monkeypatch.setattr(certificate, "of_stack", lambda _: Said)
    said = call("--json")["certificate"]
    assert (said["age_days"], said["left_days"], said["why"]) == (30.0, 60.0, "")
    page = next((work.archive / "weekly").glob("*.html")).read_text()
    assert "no shared &lt;filesystem&gt; yet" in page, "what others wrote is escaped"


def test_the_page_has_its_pictures_runbooks_and_trends(
    call: Call, work: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        week(work, patch)
    for days in (6, 3, 40):
        validated(work, days)
    target = tmp_path / "out" / "week.html"
    said = call("--output", str(target), "--json")
    assert json.loads(target.with_suffix(".json").read_text()) == said and len(said["validations"]) == 2
    assert target.stat().st_mode & 0o777 == 0o600
    page = target.read_text()
    assert page.count("<svg") == 3 and "repairs by cause" in page and "&lt;rail&gt;" in page
    assert f"{weekly_page.RUNBOOKS}/gpu.md" in page and "<script" not in page


def test_links_to_runbooks_lead_somewhere() -> None:
    root = Path(__file__).resolve().parents[3]
    for code in ("gpu-lost", "nic-down", "xid-79", "recovery-node-reboot", "unknown"):
        name = weekly_page._runbook(code).removeprefix(weekly_page.RUNBOOKS + "/")
        assert (root / "docs/runbooks" / name).is_file()
    assert weekly_page._runbook(weekly.NO_CODE) == ""


def test_a_page_that_would_be_its_own_json_is_refused(call: Call, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        call("--output", str(tmp_path / "week.json"))


def test_nothing_certified_is_said_so(work: Workspace) -> None:
    found = weekly.certified(work, datetime.now().astimezone())
    assert found.why and found == Certified(why=found.why)
