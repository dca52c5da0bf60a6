"""Module sealed: what one machine has of its own goes, by pattern, and words of it are found where they are left."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tests.unit.configure import modules

SEALED = modules.load("sealed")
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    for name in (
        "etc/ssh/ssh_host_ed25519_key",
        "etc/ssh/sshd_config",
        "var/log/syslog",
        "var/log/journal/ab/system.journal",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "var/log/current").symlink_to("journal")
    (tmp_path / "home/ada/.ssh").mkdir(parents=True)
    (tmp_path / "home/ada/.ssh/authorized_keys").write_text("ssh-ed25519 AAAA")
    return tmp_path


def test_patterns_take_files_folders_and_links(machine: Path) -> None:
    wanted = [f"{machine}/{p}" for p in ("etc/ssh/ssh_host_*", "home/*/.ssh", "var/log/**", "etc/nothing")]
    answer = modules.call(SEALED, remove=wanted)
    assert answer["changed"] and f"{machine}/home/ada/.ssh" in answer["removed"]
    assert (machine / "etc/ssh/sshd_config").exists() and not (
        machine / "etc/ssh/ssh_host_ed25519_key"
    ).exists()
    assert (machine / "var/log/journal/ab").is_dir(), "services expect their folders"
    assert not [path for path in (machine / "var/log").rglob("*") if not path.is_dir()]
    again = modules.call(SEALED, remove=wanted)
    assert not again["changed"] and again["removed"] == []


def test_check_mode_says_what_would_go_and_takes_nothing(machine: Path) -> None:
    answer = modules.call(SEALED, check=True, remove=[f"{machine}/etc/ssh/ssh_host_*"])
    assert answer["changed"] and len(answer["removed"]) == 1
    assert (machine / "etc/ssh/ssh_host_ed25519_key").exists()


def test_an_address_is_found_whole_only(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("192.0.2.7 build\n")
    (tmp_path / "longer").write_text("192.0.2.77 other\n1192.0.2.7\n192.0.2.7.example\n")
    (tmp_path / "sentence").write_text("it was 192.0.2.7.")
    (tmp_path / "link").symlink_to("hosts")
    answer = modules.call(SEALED, remove=[], words=["192.0.2.7", "192.0.2.8"], searched=[str(tmp_path)])
    assert answer["found"] == {f"{tmp_path}/{name}": ["192.0.2.7"] for name in ("hosts", "sentence")}
    assert not answer["changed"]


def test_a_relative_pattern_is_refused() -> None:
    answer = modules.call(SEALED, remove=["etc/ssh/*"])
    assert answer["failed"] and "absolute" in answer["msg"]


def test_what_cannot_be_removed_is_said(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(SEALED, "remove", refuse)
    answer = modules.call(SEALED, remove=[f"{machine}/etc/ssh/ssh_host_*"])
    assert answer["failed"] and "busy" in answer["msg"]


def test_every_entry_of_the_role_says_what_it_is_and_why() -> None:
    entries = yaml.safe_load((ROOT / "roles/seal/vars/main.yml").read_text())["seal_removed"]
    assert all(one["path"].startswith("/") and len(one["reason"]) > 10 for one in entries)
    assert {one["kind"] for one in entries} == {"identity", "secret", "cluster", "trace"}
    assert len({one["path"] for one in entries}) == len(entries)
