"""Module rpms against stand-ins of rpm and dnf that keep their packages in a JSON file; the real ones were never asked."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.configure import modules

RPMS = modules.load("rpms")
RPM = """
import json, os
for name, version in sorted(json.load(open(os.environ["FAKE_RPMS"]))["installed"].items()):
    print(f"{name}\\t{version}")
"""
DNF = """
import fnmatch, json, os, sys
path = os.environ["FAKE_RPMS"]; state = json.load(open(path))
state["calls"].append(sys.argv[1:]); json.dump(state, open(path, "w"))
if state["down"] and "makecache" in sys.argv:
    print("Error: Failed to download metadata for repo 'cuda'", file=sys.stderr); sys.exit(1)
if "install" in sys.argv:
    wanted = [word for word in sys.argv[sys.argv.index("install") + 1:] if not word.startswith("--")]
    for spec in wanted:
        fitting = [
            (name, version) for name, versions in state["offered"].items() for version in versions
            if any(fnmatch.fnmatch(spelt, spec) or spec == name for spelt in (
                f"{name}-{version}", f"{name}-{version.partition(':')[2]}"))
        ]
        if not fitting:
            print(f"Error: Unable to find a match: {spec}", file=sys.stderr); sys.exit(1)
        if state["unsigned"] and "--downloadonly" in sys.argv:
            print("Error: GPG check FAILED", file=sys.stderr); sys.exit(1)
        if "--downloadonly" not in sys.argv:
            state["installed"][fitting[0][0]] = fitting[0][1]
    json.dump(state, open(path, "w"))
"""


class Node:
    """The stand-ins' packages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "rpms.json"
        self.locks = folder / "versionlock.list"
        self.write({"installed": {}, "offered": {}, "calls": [], "down": False, "unsigned": False})

    def write(self, state: dict[str, Any]) -> None:
        self.file.write_text(json.dumps(state))

    def read(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self.file.read_text())
        return state

    def set(self, **changes: Any) -> None:
        self.write({**self.read(), **changes})

    def bring(self, *packages: str, check: bool = False, **more: Any) -> dict[str, Any]:
        return modules.call(RPMS, check, packages=list(packages), lock_list=str(self.locks), **more)

    def verbs(self) -> list[str]:
        words = ("makecache", "--downloadonly", "--cacheonly")
        return [word for call in self.read()["calls"] for word in words if word in call]


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, body in (("rpm", RPM), ("dnf", DNF)):
        modules.program(programs, name, body)
    made = Node(tmp_path)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_RPMS", str(made.file))
    monkeypatch.setattr(RPMS, "REFRESHED", str(tmp_path / "refreshed"))
    return made


DRIVER = {"nvidia-open": ["3:595.71.05-1.el9"], "chrony": ["0:4.6.1-1.el9"]}


def test_everything_is_fetched_before_one_transaction_installs_it(node: Node) -> None:
    node.set(offered=DRIVER)
    answer = node.bring("chrony", "nvidia-open=595.71.05-*", hold=["nvidia-open"])
    assert answer["changed"] and answer["versions"] == {
        "chrony": "0:4.6.1-1.el9", "nvidia-open": "3:595.71.05-1.el9",
    }  # fmt: skip
    assert node.verbs() == ["makecache", "--downloadonly", "--cacheonly"]
    calls = node.read()["calls"]
    assert calls[-1][-2:] == ["chrony", "nvidia-open-595.71.05-*"]
    assert all("--setopt=*.skip_if_unavailable=0" in call for call in calls)
    assert not any("nogpgcheck" in word for call in calls for word in call)
    assert node.locks.read_text().splitlines()[1:] == ["nvidia-open-3:595.71.05-1.el9.*"]


def test_a_second_run_changes_nothing_and_asks_no_source(node: Node) -> None:
    node.set(offered=DRIVER)
    node.bring("chrony", hold=["chrony"])
    node.set(calls=[])
    assert not node.bring("chrony", hold=["chrony"])["changed"]
    assert node.read()["calls"] == []


def test_a_higher_version_is_lowered_and_an_epoch_is_not_needed(node: Node) -> None:
    node.set(installed={"nvidia-open": "3:610.43.02-1.el9"}, offered=DRIVER)
    answer = node.bring("nvidia-open=595.71.05-*")
    assert answer["installed"] == {"nvidia-open": "3:610.43.02-1.el9"}
    assert node.read()["installed"]["nvidia-open"] == "3:595.71.05-1.el9"
    assert not node.bring("nvidia-open=3:595.71.05-*")["changed"], "the same with its epoch"


def test_the_installed_kernel_is_held_whatever_it_is(node: Node) -> None:
    kernel = {
        "kernel-core": "0:5.14.0-570.el9",
        "kernel-modules": "0:5.14.0-570.el9",
        "bash": "0:5.1.8-9.el9",
    }
    node.set(installed=kernel)
    assert node.bring("bash", hold=["kernel-core", "kernel-modules*", "nvidia-open"])["changed"]
    held = node.locks.read_text().splitlines()[1:]
    assert held == ["kernel-core-0:5.14.0-570.el9.*", "kernel-modules-0:5.14.0-570.el9.*"]


@pytest.mark.parametrize(
    ("changes", "words", "package"),
    [
        ({"down": True}, "reading the sources failed", "chrony"),
        ({"unsigned": True}, "GPG check FAILED", "chrony"),
        ({}, "Unable to find a match", "nvidia-open=1.2-*"),
    ],
)
def test_what_fails_before_the_transaction_changes_nothing(
    node: Node, changes: dict[str, Any], words: str, package: str
) -> None:
    node.set(offered=DRIVER, **changes)
    answer = node.bring(package, hold=["chrony"])
    assert answer["failed"] and words in answer["msg"] and answer["half_done"] is False
    assert answer["msg"].endswith("no package was changed")
    assert node.read()["installed"] == {} and not node.locks.exists()


def test_check_mode_writes_nothing(node: Node) -> None:
    node.set(offered=DRIVER)
    answer = node.bring("chrony", hold=["chrony"], check=True)
    assert answer["changed"] and answer["installed"] == {"chrony": ""}
    assert node.read()["calls"] == [] and not node.locks.exists()


def test_a_changed_source_is_read_anew(node: Node) -> None:
    source = node.folder / "railbed.repo"
    source.write_text("[a]\n")
    node.set(installed={"chrony": "0:4.6.1-1.el9"})
    assert not node.bring("chrony", sources=[str(source)], hold=["x"]).get("failed")
    assert node.verbs() == ["makecache"]
    node.bring("chrony", sources=[str(source)], hold=["x"])
    assert node.verbs() == ["makecache"], "once"


@given(
    st.integers(0, 9),
    st.text("0123456789.", min_size=1, max_size=8),
    st.text("0123456789el.", min_size=1, max_size=6),
)
def test_a_version_fits_itself_with_and_without_epoch_and_ending(
    epoch: int, version: str, release: str
) -> None:
    installed = f"{epoch}:{version}-{release}"
    for wanted in ("", installed, f"{version}-{release}", f"{version}-*", f"{epoch}:{version}-*"):
        assert RPMS.fits(installed, wanted)
    assert not RPMS.fits(installed, f"{epoch + 1}:{version}-{release}")
    assert not RPMS.fits(installed, f"{version}1-{release}")
