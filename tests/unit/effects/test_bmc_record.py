"""The guard: when a machine may be installed."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.effects.bmc.record import Record, State, drop_half_made, half_made, load, must_install, save
from railbed.effects.bmc.target import BmcError, Target

TARGET = Target("h100-0", "SN 0/7", "https://10.81.0.11")


def made(generation: int = 1, state: State = "installed", name: str = "h100-0") -> Record:
    return Record("SN 0/7", name, generation, state, "ssh-ed25519 AAAA", "2026-11-24T10:00:00+00:00")


@pytest.mark.parametrize(
    ("generation", "record", "state", "power", "installs"),
    [
        (1, None, None, "off", True), (1, made(), None, "on", False), (1, made(), None, "off", False),
        (2, made(), None, "on", True), (1, made(state="written"), None, "off", False),
        (1, made(state="started"), None, "on", True), (1, None, 1, "on", False), (1, None, 1, "off", False),
        (2, None, 1, "on", True),
    ],
)  # fmt: skip
def test_a_machine_is_installed_when_it_is_free_or_given_up(
    generation: int, record: Record | None, state: int | None, power: str, installs: bool
) -> None:
    assert must_install(TARGET, generation, record, state, power) is installs


@pytest.mark.parametrize(
    ("generation", "record", "state", "power"),
    [
        (1, None, None, "on"), (1, None, None, "poweringon"), (1, None, None, "unknown"),
        (1, made(2), None, "off"), (1, made(name="other"), None, "off"), (1, None, 2, "off"),
    ],
)  # fmt: skip
def test_a_system_that_nobody_gave_up_is_never_lost(
    generation: int, record: Record | None, state: int | None, power: str
) -> None:
    with pytest.raises(BmcError) as refused:
        must_install(TARGET, generation, record, state, power)
    assert refused.value.code == "MACHINE_IN_USE"
    assert "nothing was done" in refused.value.message


@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from(["on", "off"]), st.sampled_from(get_args(State)))
def test_an_installed_machine_is_installed_again_only_by_a_higher_generation(
    asked: int, last: int, power: str, state: State
) -> None:
    try:
        installs = must_install(TARGET, asked, made(last, state), None, power)
    except BmcError:
        assert asked < last
    else:
        assert installs == (asked > last or state == "started")


def test_a_record_is_found_again_by_serial(tmp_path: Path) -> None:
    assert load(tmp_path, TARGET.serial) is None
    save(tmp_path / "metal", TARGET, 1, "started", "key")
    save(tmp_path / "metal", TARGET, 1, "installed", "key")
    found = load(tmp_path / "metal", TARGET.serial)
    assert found is not None
    assert (found.state, found.serial, found.name) == ("installed", "SN 0/7", "h100-0")
    assert load(tmp_path / "metal", "SN 0") is None
    assert [path.parent for path in (tmp_path / "metal").iterdir()] == [tmp_path / "metal"]


def test_what_is_half_made_is_known_by_its_record_and_can_be_let_go(tmp_path: Path) -> None:
    assert half_made(tmp_path / "absent") == []
    states: list[State] = ["started", "written", "installed"]
    for number, state in enumerate(states):
        save(tmp_path, Target(f"h100-{number}", f"SN {number}", "https://10.81.0.11"), 1, state, "key")
    (tmp_path / "image-0.json").write_text("no record")
    assert half_made(tmp_path) == ["h100-0"]
    assert [drop_half_made(tmp_path, f"SN {number}") for number in range(4)] == [True, False, False, False]
    assert half_made(tmp_path) == []
    assert [load(tmp_path, f"SN {number}") is None for number in range(3)] == [True, False, False]
