"""Homes are made once, on the mounted filesystem only, and never for accounts of the host. The program runs as it is."""

from __future__ import annotations

import importlib.util
import os
import pwd
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).resolve().parents[2] / "roles/homes/files/make.py"


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The program, where alice is the directory's and ada the host's, and a folder that counts as mounted."""
    found = importlib.util.spec_from_file_location("make", PROGRAM)
    assert found and found.loader
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    (tmp_path / "skel").mkdir()
    (tmp_path / "skel/.profile").write_text("umask 027\n")
    (tmp_path / "passwd").write_text("ada:x:34567:34567::/home/ada:/bin/bash\n")
    (tmp_path / "shared").mkdir()
    module.settings = {
        "mount": str(tmp_path / "shared"),
        "path": str(tmp_path / "shared/home"),
        "first_id": 1000,
    }
    monkeypatch.setattr(module, "LOCAL", str(tmp_path / "passwd"))
    monkeypatch.setattr(module, "SKELETON", str(tmp_path / "skel"))
    monkeypatch.setattr(os.path, "ismount", lambda path: path == module.settings["mount"])
    monkeypatch.setattr(os, "chown", lambda *_, **__: None)

    def known(name: str, uid: int = 70_001, home: str = "") -> None:
        entry = pwd.struct_passwd(
            (name, "*", uid, 70_000, "", home or f"{module.settings['path']}/{name}", "")
        )
        monkeypatch.setattr(pwd, "getpwnam", lambda _: entry)

    module.known = known
    known("alice")
    return module


def test_the_folder_and_a_home_are_made_once(make: Any, tmp_path: Path) -> None:
    assert [make.make_base(make.settings) for _ in range(2)] == ["made", "there"]
    assert [make.make_home(make.settings, "alice") for _ in range(2)] == ["made", "there"]
    home = tmp_path / "shared/home/alice"
    assert (home / ".profile").read_text() == "umask 027\n" and home.stat().st_mode & 0o777 == 0o700
    assert [one.name for one in home.parent.iterdir()] == ["alice"]


def test_what_is_there_is_left_as_it_is(make: Any, tmp_path: Path) -> None:
    home = tmp_path / "shared/home/alice"
    home.mkdir(parents=True)
    (home / "data").write_text("mine")
    home.parent.chmod(0o711)
    assert make.make_base(make.settings) == make.make_home(make.settings, "alice") == "there"
    assert (home / "data").read_text() == "mine" and home.parent.stat().st_mode & 0o777 == 0o711


def test_nothing_is_made_where_the_filesystem_is_away(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os.path, "ismount", lambda _: False)
    for ask in (lambda: make.make_base(make.settings), lambda: make.make_home(make.settings, "alice")):
        with pytest.raises(make.Refused, match="is not mounted"):
            ask()
    assert list((tmp_path / "shared").iterdir()) == []


def test_accounts_of_the_host_are_passed_over_before_the_filesystem_is_looked_at(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os.path, "ismount", lambda _: pytest.fail("it was looked at"))
    assert make.make_home(make.settings, "ada") == "local"
    make.known("daemon", uid=999)
    assert make.make_home(make.settings, "daemon") == "elsewhere"
    make.known("bob", home="/srv/bob")
    assert make.make_home(make.settings, "bob") == "elsewhere"
