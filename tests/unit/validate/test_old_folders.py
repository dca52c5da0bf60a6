"""What killed validations left on a shared filesystem: what goes, what stays, and what the report says of it.

The program that runs on nodes runs here over a folder in the place of the filesystem.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from tests.unit.validate.conftest import FakeRemote
from tests.unit.validate.test_storage import Cluster

from railbed.contract import Contract
from railbed.defaults import OLD_FOLDER_AGE_S, OLD_FOLDERS_MOST
from railbed.effects import secrets
from railbed.effects.workspace import Workspace
from railbed.run import Result
from railbed.validate import old_folders
from railbed.validate.node import old_folders as program
from railbed.validate.validation_run import ValidationRun

OURS, THEIRS = "0123456789ab", "ba9876543210"
OLD_S = OLD_FOLDER_AGE_S * 3


class Mount:
    """A filesystem with folders that began ``OLD_S`` ago."""

    def __init__(self, root: Path) -> None:
        self.root = root / "scratch"
        self.root.mkdir()
        self.now_s = time.time()

    def folder(
        self, stack: str = OURS, *, kind: str = "probe", age_s: float = OLD_S, touched_s: float = OLD_S
    ) -> Path:
        made = self.root / f".railbed-{kind}-{stack}-{int((self.now_s - age_s) * 1e9):x}"
        (made / "h100-0").mkdir(parents=True)
        (made / "h100-0" / "file.0").write_bytes(b"x" * 100)
        self.touch(made, touched_s)
        return made

    def touch(self, folder: Path, age_s: float) -> None:
        for one in [*folder.rglob("*"), folder]:
            os.utime(one, (self.now_s - age_s,) * 2, follow_symlinks=False)

    def sweep(self, *, most: int = OLD_FOLDERS_MOST, limit_s: float = 30.0) -> dict[str, Any]:
        return program.Sweep(str(self.root), OURS, self.now_s, OLD_FOLDER_AGE_S, most, limit_s).run()


@pytest.fixture
def mount(tmp_path: Path) -> Mount:
    return Mount(tmp_path)


def kept(said: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["why"] for one in said["kept"]}


@pytest.mark.parametrize("kind", ["probe", "checkpoint", "job", "look"])
def test_an_old_folder_of_this_stack_goes_with_all_in_it(mount: Mount, kind: str) -> None:
    folder = mount.folder(kind=kind)
    said = mount.sweep()
    assert not folder.exists() and list(mount.root.iterdir()) == []
    (removed,) = said["removed"]
    assert removed["name"] == folder.name and removed["age_s"] == pytest.approx(OLD_S, abs=1)
    assert said["whole"] and not said["kept"]


def test_another_stack_s_folder_is_never_touched(mount: Mount) -> None:
    folder = mount.folder(THEIRS)
    said = mount.sweep()
    assert (folder / "h100-0" / "file.0").exists() and said["foreign"] == 1 and not said["removed"]


def test_a_folder_that_a_run_may_still_use_stays(mount: Mount) -> None:
    young = mount.folder(age_s=OLD_FOLDER_AGE_S / 2)
    ahead = mount.folder(age_s=-OLD_FOLDER_AGE_S)
    written = mount.folder()
    os.utime(written / "h100-0" / "file.0")
    said = mount.sweep()
    assert young.exists() and ahead.exists() and written.exists() and not said["removed"]
    assert kept(said) == {written.name: "something in it changed lately"}


def test_links_are_removed_and_never_followed(mount: Mount, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis").write_text("years of work")
    inside = mount.folder()
    (inside / "h100-0" / "away").symlink_to(home)
    (inside / "thesis").symlink_to(home / "thesis")
    mount.touch(inside, OLD_S)
    outside = mount.root / f".railbed-probe-{OURS}-1"
    outside.symlink_to(home)
    said = mount.sweep()
    assert (home / "thesis").read_text() == "years of work"
    assert not inside.exists() and outside.is_symlink()
    assert list(kept(said)) == [outside.name], "a link in a folder's place is none of ours"


@pytest.mark.parametrize(
    "name",
    [".railbed-probe-18a5f0c2d3e4b500", f".railbed-probe-{OURS}-", f".railbed-probe-{OURS}-1\n",
     f".railbed-probe-{OURS}-1 x", f".railbed-probe-{OURS.upper()}-1", f".railbed-probe-{OURS}-{'f' * 17}",
     f".railbed-probe-{OURS}x-1", ".railbed-probe-$(reboot)", ".railbed-job-\x1b[2J", ".railbed-checkpoint-unknown-1"],
)  # fmt: skip
def test_names_without_an_id_are_told_and_stay(mount: Mount, name: str) -> None:
    folder = mount.root / name
    folder.mkdir()
    mount.touch(folder, OLD_S)
    said = json.loads(json.dumps(mount.sweep()))
    assert folder.exists() and not said["removed"] and not said["kept"]
    assert said["unnamed"]["count"] == 1 and said["unnamed"]["oldest_s"] == pytest.approx(OLD_S, abs=60)
    assert said["unnamed"]["names"][0].isprintable()


def test_users_own_files_are_not_even_counted(mount: Mount) -> None:
    for name in ("data", ".railbed", "railbed-probe-1", ".railbed-other-1"):
        (mount.root / name).mkdir()
    said = mount.sweep()
    assert len(list(mount.root.iterdir())) == 4 and said["unnamed"]["count"] == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a folder to somebody else")
def test_a_folder_that_somebody_else_gave_the_name_stays(mount: Mount) -> None:
    folder = mount.folder()
    os.chown(folder, 65534, 65534)
    assert kept(mount.sweep()) == {folder.name: "it is of another user"} and folder.exists()


def test_what_a_validation_does_not_make_stays(mount: Mount) -> None:
    folder = mount.folder()
    (folder / "/".join("abcdefghij")).mkdir(parents=True)
    mount.touch(folder, OLD_S)
    assert kept(mount.sweep()) == {folder.name: "it is deeper than a validation makes it"}


def test_one_run_removes_so_many_and_the_next_goes_on(mount: Mount) -> None:
    for at in range(5):
        mount.folder(age_s=OLD_S + at)
    said = mount.sweep(most=3)
    assert len(said["removed"]) == 3 and not said["whole"]
    assert len(mount.sweep(most=3)["removed"]) == 2 and list(mount.root.iterdir()) == []


def test_the_time_of_a_run_is_bounded(mount: Mount) -> None:
    folder = mount.folder()
    said = mount.sweep(limit_s=-1.0)
    assert folder.exists() and not said["whole"] and not said["removed"]


def test_a_full_filesystem_is_cleared_too(mount: Mount, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = mount.folder()

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(program.os, "mkdir", full)
    assert len(mount.sweep()["removed"]) == 1 and not folder.exists()


class Nodes(Cluster):
    """The cluster of the storage tests; its filesystem is a folder here."""

    def __init__(self, contract: Contract, folder: Path, mount: Mount) -> None:
        super().__init__(contract, folder, lambda answer: FakeRemote(contract, answer))
        self.mount, self.said = mount, ""

    def answer(self, node: str, line: str) -> Result:
        if f" {OURS} " in line:
            return Result((), 0, self.said or json.dumps(self.mount.sweep()), "")
        return super().answer(node, line)

    def notes(self, monkeypatch: pytest.MonkeyPatch, stack_id: str = OURS) -> list[str]:
        made = ValidationRun.__init__

        def named(self: ValidationRun, *given: Any, **more: Any) -> None:
            made(self, *given, **more, stack_id=stack_id)

        monkeypatch.setattr(ValidationRun, "__init__", named)
        self.run("storage.write")
        return self.validation.notes


def test_the_report_tells_what_was_removed_and_what_nobody_knows(
    contract: Contract, tmp_path: Path, mount: Mount, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = mount.folder()
    (mount.root / ".railbed-probe-18a5f0c2d3e4b500").mkdir()
    nodes = Nodes(contract, tmp_path, mount)
    removed, unnamed = nodes.notes(monkeypatch)
    assert removed == (
        f"/scratch (seen from h100-0): removed 1 folders that killed validations left: {folder.name} (3 days)"
    )
    assert (
        "1 folders whose names do not say of which stack" in unnamed
        and ".railbed-probe-18a5f0c2d3e4b500" in unnamed
    )
    asked = [node for node, line in nodes.remote.commands if f" {OURS} " in line]
    assert asked == ["h100-0"], "one client looks, once"
    made = next(line for _, line in nodes.remote.commands if line.startswith("mkdir"))
    assert f"/.railbed-probe-{OURS}-" in made


@pytest.mark.parametrize(
    "said",
    ["garbage", "{}", json.dumps({"removed": [{"name": "x" * 300, "age_s": 1.0}] * 99}), "[" * 5000],
)
def test_odd_answers_are_told_and_stop_nothing(
    contract: Contract, tmp_path: Path, mount: Mount, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    nodes = Nodes(contract, tmp_path, mount)
    nodes.said = said
    (note,) = nodes.notes(monkeypatch)
    assert note.startswith("/scratch (seen from h100-0): ") and len(note) < 1000
    assert nodes.validation.answers.of("storage.write", "") is not None


def test_without_a_key_nothing_is_looked_at(
    contract: Contract, tmp_path: Path, mount: Mount, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = Nodes(contract, tmp_path, mount)
    assert nodes.notes(monkeypatch, "") == []
    made = next(line for _, line in nodes.remote.commands if line.startswith("mkdir"))
    assert f"/.railbed-probe-{old_folders.UNKNOWN}-" in made


def test_two_stacks_of_one_name_have_other_ids(tmp_path: Path) -> None:
    one, other = Workspace(tmp_path / "a", "prod"), Workspace(tmp_path / "b", "prod")
    assert secrets.stack_id(one) == ""
    for work in (one, other):
        secrets.ensure_stack_secrets(work)
    assert secrets.stack_id(one) == secrets.stack_id(one) != secrets.stack_id(other)
    assert program.NAME.fullmatch(f".railbed-probe-{secrets.stack_id(one)}-{time.time_ns():x}")
