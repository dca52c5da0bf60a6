"""Folders that are built once: by one process, whole or not at all, and anew where what decides them changed."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.kube import building

from railbed.effects import built_once


def make(out: Path) -> None:
    (out / "whole").write_text("all of it")


def test_of_many_that_ask_at_once_one_builds(tmp_path: Path) -> None:
    built: list[Path] = []

    def counted(out: Path) -> None:
        built.append(out)
        make(out)

    with ThreadPoolExecutor(4) as pool:
        found = {pool.submit(built_once.ensure, tmp_path / "of" / "a.1", "x", counted) for _ in range(4)}
    assert {one.result() for one in found} == {tmp_path / "of" / "a.1"} and len(built) == 1
    assert (tmp_path / "of" / "a.1" / "whole").read_text() == "all of it"


def test_a_build_that_fails_leaves_nothing_under_its_name(tmp_path: Path) -> None:
    def fails(out: Path) -> None:
        make(out)
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        built_once.ensure(tmp_path / "a", "x", fails)
    assert not (tmp_path / "a").exists()
    assert built_once.ensure(tmp_path / "a", "x", make) == tmp_path / "a"


def test_what_a_killed_build_left_is_removed_before_the_next_of_any_key(tmp_path: Path) -> None:
    def killed(out: Path) -> None:
        (out / "half").write_text("a half")
        os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if not child:
        built_once.ensure(tmp_path / "a", "x", killed)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert (tmp_path / "a.building" / "half").is_file() and not (tmp_path / "a").exists()
    built_once.ensure(tmp_path / "b", "x", make)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["b", "lock"]


def test_names_are_those_of_what_the_cache_has_already() -> None:
    assert built_once.key(["a", b"b"]) == built_once.key(["a\nb"]) == "7e18f737311b"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VERSION", "v1.37.3"),
        ("LINKED", ("-trimpath",)),
        ("ENVIRONMENT", {**building.ENVIRONMENT, "CGO_ENABLED": "1"}),
        ("PROGRAMS", {"etcd": "./etcd"}),
        ("STAGES", building.STAGES[1:]),
    ],
)
def test_a_control_plane_that_is_built_otherwise_has_another_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: Any
) -> None:
    before = building.folder()
    monkeypatch.setattr(building, name, value)
    assert building.folder() != before


def test_a_source_of_the_control_plane_decides_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for path in building.SOURCE.rglob("*"):
        if path.is_file():
            copy = tmp_path / path.relative_to(building.SOURCE)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    before = building.folder()
    monkeypatch.setattr(building, "SOURCE", tmp_path)
    assert building.folder() == before
    (tmp_path / "programs.go").write_text("package programs\n")
    assert building.folder() != before
