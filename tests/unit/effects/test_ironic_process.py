"""What an earlier run has left of railbed's own Ironic: kept while a machine is half-way, else removed with its secrets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from railbed.effects import lock
from railbed.effects.ironic import process
from railbed.effects.ironic.config import STATE, Where


@pytest.fixture
def left(tmp_path: Path) -> Path:
    folder = tmp_path / "ironic"
    process.prepare(folder, Where("127.0.0.1", 1, 2), "/usr/bin/true", "")
    (folder / STATE / "ironic.sqlite").write_text("passwords")
    return folder


def test_state_that_nobody_needs_goes_with_its_secrets(left: Path) -> None:
    process.tidy(left, lambda: ["h100-0"])
    assert (left / STATE / "ironic.sqlite").exists(), "a machine is half-way"
    with lock.held(left.with_suffix(".lock"), "the embedded Ironic"):
        process.tidy(left, list)
    assert left.exists(), "another railbed runs it"
    process.tidy(left, list)
    assert not left.exists()
    process.tidy(left, list)


def test_only_its_own_folder_is_written_by_its_user_and_a_second_start_keeps_the_secret_path(
    left: Path,
) -> None:
    token = (left / "token").read_text()
    assert token in (left / "ironic.conf").read_text()
    assert (left / "token").stat().st_mode & 0o077 == 0
    process.prepare(left, Where("127.0.0.1", 1, 2), "/usr/bin/true", "")
    assert (left / "token").read_text() == token
    if os.geteuid() == 0:
        own = process.IRONIC_UID
        assert [(left / one).stat().st_uid for one in (".", "bin", "agent", STATE)] == [0, 0, 0, own]
        assert {(left / one).stat().st_mode & 0o022 for one in (".", "bin", "agent")} == {0}


def test_a_link_that_its_user_laid_is_not_followed(left: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("as before")
    for name in ("ironic.conf", "authorities.pem", "files", "users"):
        (left / STATE / name).symlink_to(victim)
    process.prepare(left, Where("127.0.0.1", 1, 2), "/usr/bin/true", "/etc/hostname")
    assert (victim.read_text(), victim.stat().st_uid) == ("as before", os.geteuid())
