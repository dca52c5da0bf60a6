"""Backups of the engine's state: checked by their digest, kept in generations, and what is said where the state is of no use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.full_disk import files_end_at

from railbed.defaults import KEPT_STATES
from railbed.effects.engine import backups, deployments
from railbed.effects.workspace import Workspace
from railbed.errors import RailbedError, UsageError

URN = "urn:pulumi:prod::railbed::railbed:lab:Host::"


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path, "prod")
    made.dir.mkdir(parents=True)
    made.stack_file.write_text("config: {}\n")
    return made


def deployment(*names: str, time: str = "2026-11-29T12:00:00Z") -> dict[str, Any]:
    """As `pulumi stack export` prints it."""
    resources = [{"urn": "urn:pulumi:prod::railbed::pulumi:pulumi:Stack::railbed-prod"}]
    resources += [{"urn": URN + name} for name in names]
    return {"version": 3, "deployment": {"manifest": {"time": time}, "resources": resources}}


def keep(work: Workspace, *names: str, before: str = "up") -> Path:
    kept = backups.keep(work, deployment(*names), before)
    assert kept is not None
    return kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"schema": "railbed/state-backup/v0"}',
        json.dumps({"schema": backups.SCHEMA, "state": 1}),
    ],
)
def test_what_is_no_backup_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "backup.json"
    file.write_text(text)
    with pytest.raises(UsageError) as refused:
        backups.read(file, "prod")
    assert refused.value.code == "STATE_BACKUP"


def test_another_stack_s_backup_is_refused(tmp_path: Path) -> None:
    """One without a digest is of railbed 0.1.0."""
    file = tmp_path / "backup.json"
    file.write_text(json.dumps({"schema": backups.SCHEMA, "stack": "dev", "state": {}}))
    assert backups.read(file, "dev")["stack"] == "dev"
    with pytest.raises(UsageError, match="another stack"):
        backups.read(file, "prod")


def test_a_backup_that_was_changed_is_refused(work: Workspace) -> None:
    file = keep(work, "h100-0")
    assert backups.urns(backups.read(file, "prod")["state"])[1] == URN + "h100-0"
    file.write_text(file.read_text().replace("h100-0", "h100-1"))
    with pytest.raises(UsageError) as changed:
        backups.read(file, "prod")
    assert (changed.value.code, changed.value.path) == ("STATE_BACKUP", f"{file}:sha256")


@pytest.mark.parametrize("text", ["", '{"schema": ', "[" * 100_000])
def test_a_contract_that_is_not_whole_does_not_stop_a_backup(work: Workspace, text: str) -> None:
    """`railbed up` backs up first, and then writes that contract anew."""
    work.contract_file.write_text(text)
    backups.write(work, work.dir / "backup.json", {"deployment": {}})
    assert backups.read(work.dir / "backup.json", work.stack)["contract"] is None


def test_only_the_last_generations_stay_and_are_private(work: Workspace) -> None:
    files = [keep(work, f"h100-{number}") for number in range(KEPT_STATES + 3)]
    assert KEPT_STATES == 10
    assert backups.generations(work) == files[:2:-1]
    assert all(file.stat().st_mode & 0o077 == 0 for file in backups.generations(work))


def test_a_state_that_did_not_change_makes_no_generation(work: Workspace) -> None:
    keep(work, "h100-0")
    again = deployment("h100-0", time="2026-11-30T12:00:00Z")
    assert backups.keep(work, again, "up") is None
    assert len(backups.generations(work)) == 1
    keep(work, "h100-0", "h100-1", before="destroy")
    assert [file.name for file in backups.generations(work)] == ["000002-destroy.json", "000001-up.json"]


def test_a_secret_that_was_only_encrypted_anew_is_no_change(work: Workspace) -> None:
    def state(cipher: str, plain: str = "") -> dict[str, Any]:
        made = deployment("h100-0")
        secret = {backups.SIGNATURE: backups.SECRET, "ciphertext": cipher}
        made["deployment"]["resources"][0]["outputs"] = {"secrets": [secret], "ciphertext": plain}
        return made

    assert backups.keep(work, state("v1:AAAA"), "up")
    assert backups.keep(work, state("v1:BBBB"), "up") is None
    assert backups.keep(work, state("v1:BBBB", "of a resource"), "up")


def test_another_order_is_no_change(work: Workspace) -> None:
    def state(*names: str) -> dict[str, Any]:
        made = deployment(*names)
        urns = [URN + name for name in names]
        made["deployment"]["resources"][0] |= {
            "dependencies": urns,
            "propertyDependencies": {"servers": urns},
        }
        return made

    assert backups.keep(work, state("h100-0", "h100-1"), "up")
    assert backups.keep(work, state("h100-1", "h100-0"), "up") is None
    assert backups.keep(work, state("h100-1", "h100-2"), "up")


def test_a_state_without_resources_makes_no_generation(work: Workspace) -> None:
    for empty in ({}, {"version": 3, "deployment": None}, deployment()):
        assert backups.keep(work, empty, "up") is None
    assert backups.generations(work) == []


def test_a_cut_generation_is_shown_passed_over_and_written_again(work: Workspace) -> None:
    first, second = keep(work, "h100-0"), keep(work, "h100-0", "h100-1")
    second.write_text(second.read_text()[:300])
    assert [bool(one.trouble) for one in backups.listed(work)] == [True, False]
    assert backups.newest_good(work) == first
    assert keep(work, "h100-0", "h100-1").name == "000003-up.json"


def test_a_full_disk_is_an_error_before_anything_is_changed(work: Workspace) -> None:
    good = keep(work, "h100-0")
    with files_end_at(100), pytest.raises(RailbedError, match="nothing was changed") as full:
        keep(work, "h100-0", "h100-1")
    assert (full.value.code, "make room" in full.value.hint) == ("SYSTEM", True)
    assert backups.generations(work) == [good]
    assert list(backups.folder(work).iterdir()) == [good]


def test_a_damaged_state_names_the_newest_good_generation_that_is_another(work: Workspace) -> None:
    first, second = keep(work, "h100-0"), keep(work, "h100-0", "h100-1")
    where = second.relative_to(work.root)
    damaged = deployments.damaged(work, "unexpected end of JSON input")
    assert damaged.code == "STATE_DAMAGED"
    assert f"`railbed state restore --stack prod {where}`" in damaged.hint
    # The state that the engine reads and does not use was backed up as well: that copy is no way back.
    present = backups.content_digest(deployment("h100-0", "h100-1"))
    assert str(first.relative_to(work.root)) in deployments.damaged(work, "", present).hint


def test_without_a_good_generation_the_engine_s_own_copies_are_named(work: Workspace) -> None:
    assert ".pulumi/backups" in deployments.damaged(work, "cut").hint


@pytest.mark.parametrize(("contract", "backup", "lost"), [(1, 1, True), (0, 1, False), (1, 0, False)])
def test_a_stack_that_was_made_and_is_unknown_to_the_engine_is_lost(
    work: Workspace, contract: bool, backup: bool, lost: bool
) -> None:
    if contract:
        work.contract_file.write_text("{}")
    if backup:
        keep(work, "h100-0")
    if not lost:
        deployments.refuse_lost(work)
        return
    with pytest.raises(deployments.StateLost) as error:
        deployments.refuse_lost(work)
    assert "railbed state restore" in error.value.hint
    assert str(work.contract_file) in error.value.hint


SAID = """code: 255
 stderr: error: The Pulumi CLI encountered a snapshot integrity error. This is a bug!
Error:             snapshot integrity failure; refusing to use it: child resource X refers to missing parent Y
github.com/pulumi/pulumi/pkg/v3/resource/stack/snapshot.SnapshotIntegrityErrorf({0x42d498d, 0x2d})
"""
"""Of Pulumi 3.259.0, shortened."""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (SAID, "snapshot integrity failure; refusing to use it: child resource X refers to missing parent Y"),
        (
            "error: failed to load checkpoint: place 1: unexpected end of JSON input",
            "failed to load checkpoint: place 1: unexpected end of JSON input",
        ),
        ("error: the stack is currently locked by 1 lock(s)", ""),
        ("error: no stack named 'prod' found", ""),
    ],
)
def test_the_engine_s_words_for_a_damaged_state(text: str, reason: str) -> None:
    assert deployments.unreadable(text) == reason
