"""What a virtual machine is made of on this computer, and what is refused before any of it is made."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

import pytest
from tests.unit.lab.test_machines import spec

from railbed.defaults import UNIX_SOCKET_PATH_BYTES
from railbed.effects.lab import hosts as containers
from railbed.effects.lab.hosts import Bind
from railbed.effects.lab.machines import hosts, qemu
from railbed.errors import HostError


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


def test_a_socket_path_may_be_as_long_as_unix_takes() -> None:
    longest = Path("/" + "x" * (UNIX_SOCKET_PATH_BYTES - 2 - len(qemu.CONTROL)))
    assert len(os.fsencode(longest / qemu.CONTROL)) == UNIX_SOCKET_PATH_BYTES
    qemu.require_paths("h100-0", longest, [])
    with pytest.raises(HostError) as refused:
        qemu.require_paths("h100-0", longest.with_name("é" + longest.name[1:]), [])
    assert refused.value.found == f"{UNIX_SOCKET_PATH_BYTES + 1} bytes"


@pytest.mark.parametrize("what", ["folder", "image", "bind"])
def test_a_comma_in_a_path_is_refused_before_anything_is_made_or_removed(tmp_path: Path, what: str) -> None:
    made = spec(tmp_path / "a,b" if what == "folder" else tmp_path)
    host = made.host
    if what == "image":
        host = dataclasses.replace(host, image="/cache/a,b/image")
    if what == "bind":
        host = dataclasses.replace(host, binds=[Bind("/srv/a,b", "/srv/shown", True)])
    before = {path: path.read_bytes() for path in host.folder.iterdir()}
    with pytest.raises(HostError) as refused:
        hosts.create(dataclasses.replace(made, host=host))
    assert "a,b" in refused.value.path
    assert {path: path.read_bytes() for path in host.folder.iterdir()} == before
