"""What an earlier run has left of railbed's own Ironic: kept while a machine is half-way, else removed with its secrets."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

import pytest
import requests

from railbed.effects import lock
from railbed.effects.ironic import process
from railbed.effects.ironic.config import AGENT_TRUSTS, STATE, Where


@pytest.fixture
def left(tmp_path: Path) -> Path:
    folder = tmp_path / "ironic"
    process.prepare(folder, Where("127.0.0.1", 1, 2), "/usr/bin/true", "")
    (folder / STATE / "ironic.sqlite").write_text("passwords")
    return folder


def test_state_that_nobody_needs_goes_with_its_secrets(left: Path) -> None:
    process.tidy(left, lambda: ["h100-0"])
    assert (left / STATE / "ironic.sqlite").exists(), "a machine is half-way"
    with lock.acquire(left.with_suffix(".lock"), "the embedded Ironic"):
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


def test_the_agent_trusts_the_api_and_the_image_s_server(left: Path, tmp_path: Path) -> None:
    """It knows one file for both, so a public server is trusted by the usual authorities, another by the site's."""
    trusted, own = left / AGENT_TRUSTS, (left / "certificate.pem").read_text()
    assert f"api_ca_file = {trusted}" in (left / "ironic.conf").read_text()
    assert trusted.read_text() == own + Path(requests.utils.DEFAULT_CA_BUNDLE_PATH).read_text()
    authority = tmp_path / "authority.pem"
    authority.write_text("of the site\n")
    process.prepare(left, Where("127.0.0.1", 1, 2), "/usr/bin/true", str(authority))
    assert trusted.read_text() == (left / "certificate.pem").read_text() + "of the site\n"


def test_a_link_that_its_user_laid_is_not_followed(left: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("as before")
    for name in ("ironic.conf", "authorities.pem", "files", "users"):
        (left / STATE / name).symlink_to(victim)
    process.prepare(left, Where("127.0.0.1", 1, 2), "/usr/bin/true", "/etc/hostname")
    assert (victim.read_text(), victim.stat().st_uid) == ("as before", os.geteuid())


class Quiet:
    """In place of Ironic's process."""

    ended, pid = False, 0

    def __init__(self, command: object) -> None:
        """Starts nothing."""

    def send(self, data: bytes) -> None:
        """Nobody reads it."""

    def close(self, timeout_s: float = 0) -> None:
        """Nothing runs."""


@pytest.mark.parametrize(
    ("half_made", "kept", "forgotten"), [(["h100-0"], True, {"h100-1", "h100-2"}), ([], False, set())]
)
def test_a_start_goes_on_only_with_what_records_say_is_begun(
    left: Path, monkeypatch: pytest.MonkeyPatch, half_made: list[str], kept: bool, forgotten: Collection[str]
) -> None:
    """The first start of a run; nodes of machines that this run itself has in hand are left alone by a later one."""
    names = ["h100-0", "h100-1", "h100-2"]
    gone: list[str] = []

    class Nodes:
        def __init__(self, access: object) -> None:
            """The database's, where there is one."""

        def names(self) -> list[str]:
            there = names if (left / STATE / "ironic.sqlite").exists() else []
            return [one for one in there if one not in gone]

        forget = staticmethod(gone.append)

    monkeypatch.setattr(process, "Session", Quiet)
    monkeypatch.setattr(process, "Nodes", Nodes)
    monkeypatch.setattr(process, "_await", lambda embedded: None)
    monkeypatch.setattr(process, "_as_user", lambda folder, python: [])
    monkeypatch.setattr(process, "iso_maker", lambda: "/usr/bin/true")
    with process.running(left, Where("127.0.0.1", 1, 2), Path("python"), lambda: half_made):
        assert (left / STATE / "ironic.sqlite").exists() == kept
        assert set(gone) == set(forgotten)
        process.tidy(left, list)
        assert left.exists(), "it runs"
    assert left.exists() == kept
