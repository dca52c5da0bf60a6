"""A file that others read is whole at every moment, also when the disk is full; the order of syncs survives a power loss."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from tests.full_disk import files_end_at

from railbed.effects import files
from railbed.errors import RailbedError


def test_a_file_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "accepted.json"
    for content in ("one", b"two"):
        files.replace(file, content)
    assert file.read_text() == "two"
    assert list(tmp_path.iterdir()) == [file]


def test_a_secret_is_private_from_the_first_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[int] = []
    sync = os.fsync

    def seen(fd: int) -> None:
        modes.append(stat.S_IMODE(os.fstat(fd).st_mode))
        sync(fd)

    monkeypatch.setattr(os, "fsync", seen)
    files.replace(tmp_path / "key", "secret", mode=files.PRIVATE)
    assert modes[0] == 0o600


def test_the_file_is_synced_before_the_rename_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    sync, rename = os.fsync, Path.replace

    def fsync(fd: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")
        sync(fd)

    def replace(self: Path, target: Path) -> Path:
        steps.append("rename")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    files.replace(tmp_path / "contract.json", "{}")
    files.link(tmp_path / "latest", "contract.json")
    assert steps == ["file", "rename", "folder", "rename", "folder"]


def test_a_full_disk_leaves_the_old_file_and_says_which(tmp_path: Path) -> None:
    file = tmp_path / "contract.json"
    files.replace(file, "old")

    with files_end_at(100), pytest.raises(RailbedError) as error:
        files.replace(file, "x" * 10_000)
    assert (error.value.code, error.value.path) == ("SYSTEM", str(file))
    assert "make room" in error.value.hint
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_missing_folder_is_an_error_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(RailbedError) as error:
        files.replace(tmp_path / "none" / "file", "text")
    assert error.value.code == "SYSTEM"
    assert error.value.path == str(tmp_path / "none" / "file")
