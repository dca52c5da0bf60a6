"""Project directories are their group's, on the mounted filesystem only, and no quota is set below what is used."""

from __future__ import annotations

import grp
import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).resolve().parents[2] / "roles/projects/files/make.py"
QUOTA = """\
{path}: (current values | soft quota | hard quota) ; soft quota grace period: default
 inodes   |                    2 |                    - |                    - |
 length   | {used:20} | {none:20} | {limit:20} |
 size     |                    0 |                    - |                    - |
 realsize |                    0 |                    - |                    - |
"""
"""As the lab's MooseFS 3.0.117 printed it; the numbers are the test's."""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The program; a folder that counts as mounted; tools of MooseFS that remember one quota."""
    found = importlib.util.spec_from_file_location("make_projects", PROGRAM)
    assert found and found.loader
    module: Any = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    module.calls, module.used, module.limit = [], 0, "-"

    def call(*argv: str) -> str:
        module.calls.append(argv)
        if argv[0] == "mfssetquota":
            module.limit = argv[2]
        return QUOTA.format(path=argv[-1], used=module.used, none="-", limit=module.limit)

    monkeypatch.setattr(module, "_call", call)
    monkeypatch.setattr(os.path, "ismount", lambda path: path == str(tmp_path))
    monkeypatch.setattr(os, "chown", lambda *_, **__: None)
    mine = grp.struct_group(("acme", "x", os.getgid(), []))
    monkeypatch.setattr(grp, "getgrnam", lambda _: mine)
    module.wanted = {
        "group": "acme", "kind": "moosefs", "mount": str(tmp_path), "path": str(tmp_path / "projects/acme"), "quota_bytes": 100,
    }  # fmt: skip
    return module


def make(program: Any, *, check: bool = False, **changes: Any) -> list[str]:
    done: list[str] = program.Project({**program.wanted, **changes}, check).make()
    return done


def test_a_directory_is_made_once_and_its_groups(program: Any) -> None:
    assert len(make(program)) == 2
    made = Path(program.wanted["path"])
    assert made.stat().st_mode & 0o7777 == 0o2770 and program.limit == "100"
    (made / "data").write_text("theirs")
    if os.getuid() == 0:
        assert make(program) == [], "a second run changes nothing"
    assert (made / "data").read_text() == "theirs"


def test_a_check_makes_nothing(program: Any) -> None:
    assert len(make(program, check=True)) == 1
    assert not Path(program.wanted["path"]).exists() and program.calls == []


def test_nothing_is_made_on_the_hosts_own_disk(program: Any, tmp_path: Path) -> None:
    with pytest.raises(program.Refused, match="is not mounted"):
        make(program, mount=str(tmp_path / "elsewhere"))
    assert not Path(program.wanted["path"]).exists()


def test_a_quota_below_what_is_used_is_refused_and_the_old_one_stays(program: Any) -> None:
    make(program)
    program.used = 101
    with pytest.raises(program.Refused, match="QUOTA_BELOW_USE"):
        make(program, quota_bytes=90)
    assert program.limit == "100"


def test_what_nobody_can_read_sets_no_quota(program: Any) -> None:
    program._call = lambda *argv: program.calls.append(argv) or "garbage\n"
    with pytest.raises(program.Refused, match="nobody can read"):
        make(program)
    assert [argv[0] for argv in program.calls] == ["mfsgetquota"]


def test_a_link_in_its_place_is_not_followed(program: Any, tmp_path: Path) -> None:
    (tmp_path / "projects").mkdir()
    (tmp_path / "projects/acme").symlink_to("/etc")
    with pytest.raises(program.Refused, match="is no folder"):
        make(program)
