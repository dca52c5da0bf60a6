"""Module debs against stand-ins of dpkg-query, apt-get and dpkg that keep their packages in a JSON file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.unit.configure import modules

DEBS = modules.load("debs")
DPKG_QUERY = """
import fnmatch, json, os, sys
held = json.load(open(os.environ["FAKE_PACKAGES"]))["installed"]
names = sys.argv[4:]
found = {name: fnmatch.filter(held, name) for name in names}
for name in dict.fromkeys(sum(found.values(), [])):
    version, want, status = held[name]
    print(f"{name}\\t{version}\\t{want}\\t{status}")
missing = [n for n in names if not found[n]]
for name in missing: print(f"dpkg-query: no packages found matching {name}", file=sys.stderr)
sys.exit(1 if missing else 0)
"""
APT_GET = """
import fnmatch, json, os, sys
path = os.environ["FAKE_PACKAGES"]; state = json.load(open(path))
state["calls"].append(sys.argv[1:])
if "install" in sys.argv and "--download-only" not in sys.argv:
    for asked in sys.argv[sys.argv.index("install") + 1:]:
        if asked.endswith("-"):
            del state["installed"][asked[:-1]]
            continue
        name, _, version = asked.partition("=")
        fitting = [v for v in state["offered"].get(name, []) if fnmatch.fnmatch(v, version or "*")]
        if not fitting:
            print(f"E: Version '{version}' for '{name}' was not found", file=sys.stderr); sys.exit(100)
        state["installed"][name] = [fitting[0], "install", "installed"]
json.dump(state, open(path, "w"))
"""
DPKG = """
import json, os, sys
path = os.environ["FAKE_PACKAGES"]; state = json.load(open(path))
if "--audit" in sys.argv: sys.exit(0)
for line in filter(str.strip, sys.stdin):
    name, selection = line.split(); state["installed"][name][1] = selection
json.dump(state, open(path, "w"))
"""


class Node:
    """The stand-ins' packages."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.write({"installed": {}, "offered": {}, "calls": []})

    def write(self, state: dict[str, Any]) -> None:
        self.file.write_text(json.dumps(state))

    def read(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self.file.read_text())
        return state

    def has(self, **packages: str) -> None:
        state = self.read()
        for name, version in packages.items():
            state["installed"][name.replace("_", "-")] = [version, "install", "installed"]
        self.write(state)

    def offers(self, **packages: list[str]) -> None:
        state = self.read()
        state["offered"] = {name.replace("_", "-"): versions for name, versions in packages.items()}
        self.write(state)

    def verbs(self) -> list[str]:
        words = ("update", "--download-only", "install")
        return [next(word for word in words if word in call) for call in self.read()["calls"]]


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, body in (("dpkg-query", DPKG_QUERY), ("apt-get", APT_GET), ("dpkg", DPKG)):
        modules.program(programs, name, body)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_PACKAGES", str(tmp_path / "packages.json"))
    monkeypatch.setattr(DEBS, "REFRESHED", str(tmp_path / "periodic" / "refreshed"))
    monkeypatch.setattr(DEBS, "HELD", str(tmp_path / "periodic" / "held"))
    monkeypatch.setattr(DEBS, "KEPT", str(tmp_path / "periodic" / "kept"))
    monkeypatch.setattr(DEBS, "UNFINISHED", str(tmp_path / "updates"))
    return Node(tmp_path / "packages.json")


def test_what_is_there_needs_no_package_manager(node: Node) -> None:
    node.has(chrony="4.3-2", munge="0.5.15-2")
    answer = modules.call(DEBS, packages=["chrony", "munge"])
    assert not answer["changed"] and node.verbs() == []
    assert answer["versions"] == {"chrony": "4.3-2", "munge": "0.5.15-2"}


def test_all_that_is_missing_comes_in_one_transaction(node: Node) -> None:
    node.has(chrony="4.3-2")
    node.offers(munge=["0.5.15-2"], jq=["1.6"])
    answer = modules.call(DEBS, packages=["chrony", "munge", "jq"])
    assert answer["changed"] and node.verbs() == ["update", "--download-only", "install"]
    assert answer["installed"] == {"munge": "", "jq": ""}
    assert not modules.call(DEBS, packages=["chrony", "munge", "jq"])["changed"]


def test_a_higher_version_is_lowered_to_the_locked_one_and_held(node: Node) -> None:
    node.has(nvidia_open="575.57.08-1")
    node.offers(nvidia_open=["575.57.08-1", "570.124.06-1"])
    want = {"packages": ["nvidia-open=570.124.06-*"], "hold": ["nvidia-open"]}
    answer = modules.call(DEBS, **want)
    assert answer.get("installed") == {"nvidia-open": "575.57.08-1"}, answer
    assert node.read()["installed"]["nvidia-open"] == ["570.124.06-1", "hold", "installed"]
    assert "--allow-downgrades" in node.read()["calls"][-1]
    assert not modules.call(DEBS, **want)["changed"]


def test_a_held_package_of_the_wrong_version_is_still_corrected(node: Node) -> None:
    node.has(nvidia_open="565.57.01-1")
    node.offers(nvidia_open=["570.124.06-1"])
    modules.call(DEBS, packages=["nvidia-open=570.124.06-*"], hold=["nvidia-open"])
    assert "--allow-change-held-packages" in node.read()["calls"][-1]


def test_what_an_image_brought_is_held_and_never_removed(node: Node) -> None:
    node.has(rdma_core="2510", jq="1.6")
    assert modules.call(DEBS, packages=["jq"], hold=["rdma-core", "jq"])["changed"]
    assert node.read()["installed"]["rdma-core"] == ["2510", "hold", "installed"]
    answer = modules.call(DEBS, packages=[], hold=[])
    assert answer["removed"] == {"jq": "1.6"}, "what this module brought goes"
    assert node.read()["installed"]["rdma-core"] == ["2510", "install", "installed"], "and is free again"
    assert not modules.call(DEBS, packages=[], hold=[])["changed"]


def test_only_the_holds_of_an_earlier_run_are_released(node: Node) -> None:
    """A profile that no longer names a package lets it go; a person's hold stays, and so does a name that is still meant."""
    node.has(libfabric1="1", rdma_core="2510", efa="1", jq="1.6")
    state = node.read()
    state["installed"]["rdma-core"][1] = "hold"
    node.write(state)
    image = {"packages": ["jq"], "hold": ["libfabric*", "rdma-core", "efa"]}
    assert modules.call(DEBS, **image)["changed"]
    fewer = {"packages": ["jq"], "hold": ["efa*"]}
    would = modules.call(DEBS, check=True, **fewer)
    assert would["changed"] and "no hold libfabric1\n" in would["diff"][0]["after"]
    assert node.read()["installed"]["libfabric1"][1] == "hold", "check mode writes nothing"
    modules.call(DEBS, **fewer)
    wants = {name: one[1] for name, one in node.read()["installed"].items()}
    assert wants == {"libfabric1": "install", "rdma-core": "hold", "efa": "hold", "jq": "install"}


def test_a_run_that_was_cut_off_leaves_no_hold_that_nobody_knows(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.has(rdma_core="2510", jq="1.6")
    select = DEBS.Apt.select

    def cut_off(apt: Any, names: list[str], state: str) -> None:
        select(apt, names, state)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(DEBS.Apt, "select", cut_off)
        modules.call(DEBS, packages=["jq"], hold=["rdma-core"])
    assert node.read()["installed"]["rdma-core"][1] == "hold"
    modules.call(DEBS, packages=["jq"], hold=[])
    assert node.read()["installed"]["rdma-core"][1] == "install"


PINS = {"first": ["pinning-*"]}


def test_what_decides_for_the_others_comes_before_they_are_resolved(node: Node) -> None:
    """And goes before them, where an earlier run brought another one."""
    node.offers(pinning_570=["1"], pinning_595=["1"], driver=["595", "570"], jq=["1.6"])
    old = {"packages": ["jq", "pinning-570", "driver=570"], "hold": ["pinning-570", "driver"]}
    assert modules.call(DEBS, **old, **PINS)["changed"]
    assert node.verbs() == ["update", "--download-only", "install", "--download-only", "install"]
    asked = [call[call.index("install") + 1 :] for call in node.read()["calls"] if "install" in call]
    assert asked == [["pinning-570"]] * 2 + [["jq", "driver=570"]] * 2
    assert not modules.call(DEBS, **old, **PINS)["changed"]
    new = {"packages": ["jq", "pinning-595", "driver=595"], "hold": ["pinning-595", "driver"]}
    answer = modules.call(DEBS, **new, **PINS)
    asked = [call[call.index("install") + 1 :] for call in node.read()["calls"] if "install" in call]
    assert asked[-4:] == [["pinning-595", "pinning-570-"]] * 2 + [["driver=595"]] * 2
    assert answer["removed"] == {"pinning-570": "1"} and "pinning-570" not in node.read()["installed"]


def test_a_failure_after_the_pins_came_leaves_the_packages_as_they_were(node: Node) -> None:
    node.has(driver="570")
    node.offers(pinning_595=["1"], driver=["570"])
    answer = modules.call(DEBS, packages=["pinning-595", "driver=595"], **PINS)
    assert "'595' for 'driver' was not found" in answer["msg"]
    assert answer["half_done"] is False and "pinning-595" in node.read()["installed"]


def test_what_was_held_under_another_name_goes_in_the_same_transaction(node: Node) -> None:
    node.has(nvidia_fabricmanager="1")
    node.offers(
        nvidia_fabricmanager_570=["570.124.06-1"], nvidia_fabricmanager=["595.71.05-1"], munge=["0.5"]
    )
    old = {
        "packages": ["munge", "nvidia-fabricmanager-570=570.124.06-*"],
        "hold": ["nvidia-fabricmanager-570"],
    }
    new = {
        "packages": ["munge", "nvidia-fabricmanager=595.71.05-*"],
        "hold": ["nvidia-fabricmanager", "linux-*"],
    }
    modules.call(DEBS, **old)
    assert "nvidia-fabricmanager" in node.read()["installed"], "what others installed is theirs"
    would = modules.call(DEBS, check=True, **new)
    assert would["changed"] and would["removed"] == {"nvidia-fabricmanager-570": "570.124.06-1"}
    assert "nvidia-fabricmanager-570" in node.read()["installed"]
    answer = modules.call(DEBS, **new)
    assert answer["removed"] == {"nvidia-fabricmanager-570": "570.124.06-1"}
    words = node.read()["calls"][-1]
    assert words[-2:] == ["nvidia-fabricmanager=595.71.05-*", "nvidia-fabricmanager-570-"]
    assert not modules.call(DEBS, **new)["changed"]
    assert modules.call(DEBS, packages=["munge"], hold=[])["removed"] == {
        "nvidia-fabricmanager": "595.71.05-1"
    }
    assert set(node.read()["installed"]) == {"munge"}


def test_a_version_that_nobody_offers_is_an_error(node: Node) -> None:
    node.offers(nvidia_open=["565.57.01-1"])
    answer = modules.call(DEBS, packages=["nvidia-open=570.124.06-*"])
    assert answer["failed"] and "was not found" in answer["msg"]


def test_another_branch_is_not_mistaken_for_the_locked_version(node: Node) -> None:
    """570.124.06 is not 570.124.0 and not 1570.124.06."""
    assert DEBS.missing(["p=570.124.06-*"], {"p": DEBS.Installed("1570.124.06-1", False)})
    assert DEBS.missing(["p=570.124.06-*"], {"p": DEBS.Installed("570.124.061-1", False)})
    assert not DEBS.missing(["p=570.124.06-*"], {"p": DEBS.Installed("570.124.06-1", False)})


def test_a_half_installed_package_does_not_count() -> None:
    assert DEBS.parse("munge\t0.5\tinstall\thalf-configured\n") == {}


def test_what_is_held_by_a_pattern_is_what_is_installed(node: Node) -> None:
    """The kernel that an image came with: nobody named it, and it must not move."""
    installed = {name: DEBS.Installed("6.8.0-1", held) for name, held in
                 (("linux-image-6.8.0-1-generic", False), ("linux-image-generic", True), ("munge", False))}  # fmt: skip
    assert DEBS.loose(["linux-image-*"], installed) == ["linux-image-6.8.0-1-generic"]
    assert DEBS.loose(["linux-headers-*"], installed) == []
    assert DEBS.loose(["nvidia-open"], installed) == ["nvidia-open"]


def test_check_mode_calls_no_package_manager(node: Node) -> None:
    answer = modules.call(DEBS, check=True, packages=["munge"], hold=["munge"])
    assert answer["changed"] and node.verbs() == []


def test_lists_are_read_anew_when_a_source_changed_and_that_is_no_change(node: Node, tmp_path: Path) -> None:
    node.has(chrony="4.3-2")
    source = tmp_path / "railbed.sources"
    source.write_text("Types: deb\n")
    want = {"packages": ["chrony"], "sources": [str(source)]}
    assert not modules.call(DEBS, **want)["changed"] and node.verbs() == ["update"]
    modules.call(DEBS, **want)
    assert node.verbs() == ["update"]
