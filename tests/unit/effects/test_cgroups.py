"""Removing a host's cgroup: children first, again while something is busy, and never without end."""

from __future__ import annotations

from pathlib import Path

import pytest

from railbed.effects.lab import cgroups
from railbed.errors import CommandError


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "KILL_PAUSE_S", 0.0)


def test_children_go_before_their_parent(tmp_path: Path) -> None:
    (tmp_path / "host/payload/init.scope").mkdir(parents=True)
    cgroups.kill(tmp_path / "host")
    assert not (tmp_path / "host").exists()
    assert tmp_path.exists()


def test_a_busy_child_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    busy = tmp_path / "host/payload"
    busy.mkdir(parents=True)
    tries, real = [], Path.rmdir

    def rmdir(self: Path) -> None:
        if self == busy and len(tries) < 3:
            tries.append(self)
            raise OSError(16, "Device or resource busy")
        real(self)

    monkeypatch.setattr(Path, "rmdir", rmdir)
    cgroups.kill(tmp_path / "host")
    assert len(tries) == 3
    assert not (tmp_path / "host").exists()


def test_what_never_ends_is_told(tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "host/cgroup.procs").write_text("")  # a plain file keeps the folder busy for good
    with pytest.raises(CommandError) as stuck:
        cgroups.kill(tmp_path / "host")
    assert str(tmp_path / "host") in stuck.value.path
