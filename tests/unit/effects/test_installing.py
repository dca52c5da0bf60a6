"""When the record says that an installation has started: just before the first act that costs a system, not earlier."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from railbed.effects.bmc import iso, record
from railbed.effects.bmc.connection import Bmc
from railbed.effects.bmc.hostkey import HostKey
from railbed.effects.bmc.installing import Begin, install
from railbed.effects.bmc.inventory import Drive, Inventory
from railbed.effects.bmc.login import Login
from railbed.effects.bmc.target import BmcError, Target

TARGET = Target("h100-0", "SN0", "https://10.81.0.1")
BMC = Bmc(TARGET, Login("u", "p"))


def stuck() -> BmcError:
    return BmcError(TARGET, "no", code="MEDIA")


class Fails:
    """An installer that fails before or after it has begun."""

    def __init__(self, begins: bool) -> None:
        self.begins = begins

    def check(self, bmc: Bmc, folder: Path) -> None:
        """Nothing to check."""

    def write(self, bmc: Bmc, key: HostKey, generation: int, begin: Begin) -> None:
        if self.begins:
            begin()
        raise stuck()


@pytest.mark.parametrize("begins", [True, False])
def test_what_failed_before_anything_was_written_leaves_no_record(tmp_path: Path, begins: bool) -> None:
    with pytest.raises(BmcError):
        install(BMC, Fails(begins), 1, tmp_path / "metal", tmp_path / "secrets")
    found = record.load(tmp_path / "metal", "SN0")
    assert (found and found.state) == ("started" if begins else None)


@pytest.mark.parametrize("failing", ["", "insert", "boot_disc_once"])
def test_the_iso_installer_begins_when_all_is_in_the_drives(
    monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    done: list[str] = []

    def step(name: str) -> Callable[..., None]:
        def go(*_: Any) -> None:
            done.append(name)
            if name == failing:
                raise stuck()

        return go

    @contextmanager
    def serving(*_: Any) -> Iterator[Any]:
        yield SimpleNamespace(
            offer=lambda content: "https://10.0.0.1:1/secret/seed.iso", withdraw=step("withdraw")
        )

    for name in ("eject_all", "insert", "boot_disc_once"):
        monkeypatch.setattr(iso.media, name, step(name))
    for name in ("turn_on", "turn_off"):
        monkeypatch.setattr(iso.power, name, step(name))
    monkeypatch.setattr(iso.power, "until", lambda *_: None)
    monkeypatch.setattr(iso.seed_server, "serving", serving)
    one = iso.Iso(
        "https://10.0.0.1/x.iso",
        "a" * 64,
        "02:00:00:00:00:01",
        "10.80.0.11/24",
        ["ssh-ed25519 A"],
        "10.0.0.1",
    )
    if not failing:
        one.write(BMC, HostKey("private", "ssh-ed25519 A"), 1, step("begin"))
        assert done[done.index("boot_disc_once") :][:3] == ["boot_disc_once", "begin", "turn_on"]
        return
    with pytest.raises(BmcError):
        one.write(BMC, HostKey("private", "ssh-ed25519 A"), 1, step("begin"))
    assert not {"begin", "turn_on"} & set(done)


@pytest.mark.parametrize(("serial", "code"), [("S123", ""), ("S12", "DISK_HINT")])
def test_the_iso_installer_refuses_a_hint_that_its_pattern_finds_twice(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, serial: str, code: str
) -> None:
    drives = [Drive("d0", "PM893", 480, "S12"), Drive("d1", "PM893", 480, "S123")]
    monkeypatch.setattr(iso.image, "compare", lambda *_: None)
    monkeypatch.setattr(iso.inventory, "take", lambda bmc: Inventory(drives=drives))
    one = iso.Iso(
        "https://10.0.0.1/x.iso", "a" * 64, "", "10.80.0.11/24", [], "10.0.0.1", disk={"serial": serial}
    )
    try:
        one.check(BMC, tmp_path)
    except BmcError as refused:
        assert refused.code == code
    else:
        assert not code
