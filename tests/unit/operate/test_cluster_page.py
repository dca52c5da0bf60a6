"""`railbed report cluster` over a model of Slurm, a journal and a report: what it says, and the page that it writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.unit.operate.world import NODES, World
from tests.unit.validate.conftest import report

from railbed.cli import report_files
from railbed.contract import Contract
from railbed.effects import contract_store
from railbed.effects.workspace import Workspace
from railbed.errors import CommandError, UsageError
from railbed.validate import records
from railbed.validate.acceptance import LATEST_FULL
from railbed.validate.records import Report

Call = Callable[..., Any]
__all__ = ["report"]


@pytest.fixture
def call(reports: Call) -> Call:
    return partial(reports, "cluster")


def validated(work: Workspace, made: Report) -> None:
    folder = work.reports / LATEST_FULL
    folder.mkdir(parents=True)
    records.write_json(made, folder)


def test_nodes_rails_and_culprits_are_those_of_now_and_of_the_last_full_validation(
    call: Call, work: Workspace, world: World, report: Report
) -> None:
    validated(work, report)
    world.drained["h100-1"] = "[railbed:repair] rail 0 is slow"
    said = call("--json")
    states = {node["name"]: node["state"] for node in said["nodes"]}
    assert states["h100-1"] == "drained" and states["h100-0"] == "healthy"
    assert [(one["rail"], one["verdict"], one["gbps"]) for one in said["rails"]["h100-1"]] == [
        (0, "fail", 0.0494)
    ]
    assert said["rails"]["h100-2"][0]["gbps"] is None, "unproven is no rate"
    assert said["validated"]["verdict"] == "fail" and said["validated"]["culprits"][0]["part"] == "rail 0"
    page = (work.archive / "cluster.html").read_text()
    assert "h100-1 rail 0" in page and "rail 0 is slow" in page and "<script" not in page
    assert "slow <out>" not in page, "what others wrote is escaped"
    assert json.loads((work.archive / "cluster.json").read_text()) == said


def test_what_nobody_measured_or_certified_is_said_so(call: Call, work: Workspace) -> None:
    said = call("--json")
    assert (said["rails"], said["validated"]["why"]) == ({}, "no full validation was made yet")
    assert said["validated"]["verdict"] is None and said["certificate"]["why"]
    page = (work.archive / "cluster.html").read_text()
    assert "no full validation was made yet" in page and "All are healthy." in page


def test_a_report_that_is_broken_leaves_the_rest(call: Call, work: Workspace) -> None:
    (work.reports / LATEST_FULL).mkdir(parents=True)
    (work.reports / LATEST_FULL / "report.json").write_text("{")
    said = call("--json")
    assert said["validated"]["why"] and len(said["nodes"]) == 1 + len(NODES)


def test_jobs_have_their_ledger_and_accounts_that_are_silent_leave_the_rest(call: Call, world: World) -> None:
    world.running = {"h100-0": 99}
    assert [job["job"] for job in call("--json")["jobs"]] == ["46"]

    def silent(_: str) -> Any:
        raise CommandError("slurmdbd does not answer")

    world.runs = silent  # type: ignore[attr-defined]
    said = call("--json")
    assert said["jobs"] == [] and "slurmdbd does not answer" in said["jobs_unread"]


def test_the_terminal_has_the_page_and_the_counts(call: Call, world: World, tmp_path: Path) -> None:
    world.drained["h100-1"] = "by hand"
    target = tmp_path / "page.html"
    said = call("--output", str(target))
    assert said.startswith(str(target)) and "1 drained" in said and "incidents: 0" in said
    assert target.stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError):
        call("--output", str(tmp_path / "page.json"))


def test_a_cluster_without_slurm_is_refused(
    contract: Contract, work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_files, "workspace", lambda _: work)
    monkeypatch.setattr(contract_store, "load", lambda _: contract.model_copy(update={"scheduler": "none"}))
    with pytest.raises(UsageError) as refused:
        report_files.open_slurm("lab")
    assert refused.value.code == "NO_SLURM"
