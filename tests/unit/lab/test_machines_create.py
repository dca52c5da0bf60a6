"""What a virtual machine is made of on this computer, and what is refused before any of it is made."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.unit.lab.test_machines import spec

from railbed.effects.lab import hosts as containers
from railbed.effects.lab.machines import hosts


@pytest.fixture(autouse=True)
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """No program runs; what was there before goes as always."""
    monkeypatch.setattr(hosts, "ensure", lambda made: None)
    monkeypatch.setattr(hosts, "_disks", lambda made: None)
    monkeypatch.setattr(containers, "make_host_key", lambda path, name: path.touch())
    monkeypatch.setattr(
        containers,
        "destroy",
        lambda lab_id, name, lab_dir: shutil.rmtree(containers.folder_of(lab_dir, name)),
    )


def test_nobody_else_looks_into_a_machines_folder(tmp_path: Path) -> None:
    made = spec(tmp_path)
    hosts.create(made)
    assert made.host.folder.stat().st_mode & 0o777 == 0o700
    assert hosts.made_in(made.host.folder)
