"""Removing a host's cgroup: children first, again while something is busy, and never without end."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from railbed.effects.lab import cgroups, hosts, switches
from railbed.errors import CommandError
from railbed.run import run


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


def started(cgroup: Path, command: list[str | Path]) -> str:
    """What a start script writes to the list of a cgroup, here a folder; the host itself cannot start."""
    run(command)
    deadline = time.monotonic() + 30
    while not ((cgroup / "cgroup.procs").exists() and (cgroup / "cgroup.procs").read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return (cgroup / "cgroup.procs").read_text()


def test_a_started_process_moves_itself_and_names_no_other(tmp_path: Path) -> None:
    """A shell whose parent was killed reads 1 for its parent, and init would go into the lab's cgroup, to be killed."""
    nowhere, pidfile, log = tmp_path / "nowhere", tmp_path / "pid", tmp_path / "log"
    host: list[str | Path] = [
        "sh",
        hosts.BOOT_SCRIPT,
        "rb-none",
        nowhere,
        pidfile,
        log,
        tmp_path / "host",
        "--",
    ]
    leaf: list[str | Path] = ["rb-none", "leaf0", "rb-none", nowhere, pidfile, log, "rail*", "5"]
    switch: list[str | Path] = ["sh", switches.SCRIPT, *leaf, tmp_path / "switch"]
    assert started(tmp_path / "host", host) == "0\n"
    assert started(tmp_path / "switch", switch) == "0\n"
