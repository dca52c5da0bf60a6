"""A lab host whose spec says another kind of host: containers and virtual machines share names and folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from railbed.effects.lab import hosts
from railbed.effects.lab.machines import hosts as machines
from railbed.platforms.lab.nodes import TYPES
from railbed.platforms.lab.resources import RESOURCES

CONTAINER, MACHINE = RESOURCES[TYPES["container"]], RESOURCES[TYPES["machine"]]


@pytest.fixture
def destroyed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of hosts that were destroyed; nothing is."""
    gone: list[str] = []
    monkeypatch.setattr(hosts, "destroy", lambda lab_id, name, lab_dir: gone.append(name))
    return gone


def inputs(lab_dir: Path, *made: str) -> dict[str, Any]:
    """Of a host in whose folder these were made."""
    for part in made:
        (hosts.folder_of(lab_dir, "h100-0") / part).mkdir(parents=True)
    return {"lab_id": "abc", "lab_dir": str(lab_dir), "name": "h100-0"}


def test_a_container_that_is_a_machine_by_now_is_left_alone(tmp_path: Path, destroyed: list[str]) -> None:
    CONTAINER.delete(inputs(tmp_path, machines.MACHINE_ID))
    assert destroyed == []


def test_a_machine_that_is_a_container_by_now_is_left_alone(tmp_path: Path, destroyed: list[str]) -> None:
    MACHINE.delete(inputs(tmp_path, hosts.UPPER))
    assert destroyed == []


def test_each_kind_deletes_its_own(tmp_path: Path, destroyed: list[str]) -> None:
    CONTAINER.delete(inputs(tmp_path / "containers", hosts.UPPER))
    MACHINE.delete(inputs(tmp_path / "machines", machines.MACHINE_ID))
    assert destroyed == ["h100-0", "h100-0"]


def test_what_a_kill_left_half_made_is_deleted_by_either(tmp_path: Path, destroyed: list[str]) -> None:
    for kind in (CONTAINER, MACHINE):
        kind.delete(inputs(tmp_path))
    assert destroyed == ["h100-0", "h100-0"]


def test_an_image_of_the_other_kind_makes_the_host_anew() -> None:
    assert all("image" in RESOURCES[typ].replace_on for typ in TYPES.values())  # type: ignore[attr-defined]
