"""The agent's ramdisk: what names a build, what is copied of it, and how it sets addresses from the data that railbed writes."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from railbed.effects.bmc.system import System
from railbed.effects.ironic import node
from railbed.effects.ironic.ramdisk import build, content
from railbed.errors import HostError, UsageError

CARDS = {"02:00:00:00:00:01": "eth0", "02:00:00:00:00:02": "eth1"}
SYSTEM = System(
    name="h100-0", instance="i", address="10.80.0.11/16", authorized_keys=[], host_key="", host_key_private="",
    gateway="10.80.255.254",
)  # fmt: skip


@pytest.fixture
def program() -> ModuleType:
    """guest/railbed-agent-network, which has no suffix."""
    loader = importlib.machinery.SourceFileLoader(
        "agent_network", str(content.GUEST / "railbed-agent-network")
    )
    spec = importlib.util.spec_from_loader("agent_network", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture
def commands(program: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Callable[[node.Port], list[str]]:
    """What it runs for a machine with that port."""

    def of(port: node.Port) -> list[str]:
        ran: list[str] = []
        monkeypatch.setattr(program, "said", lambda: node.network_data(SYSTEM, port))
        monkeypatch.setattr(program, "cards", lambda: CARDS)
        monkeypatch.setattr(program, "call", lambda *words: ran.append(" ".join(words[1:])))
        program.main()
        return ran

    return of


def test_one_card_gets_the_machine_s_own_address(commands: Callable[[node.Port], list[str]]) -> None:
    assert commands(node.Port(["02:00:00:00:00:01"])) == [
        "link set lo up", "link set eth0 up", "address replace 10.80.0.11/16 dev eth0",
        "route replace 0.0.0.0/0 via 10.80.255.254 dev eth0", "-brief address",
    ]  # fmt: skip


def test_bond_vlan_and_mtu_are_set_as_the_system_s_will_be(
    commands: Callable[[node.Port], list[str]],
) -> None:
    ran = commands(node.Port(list(CARDS), bond_mode="802.3ad", vlan=12, mtu=9000))
    assert "link add bond0 type bond mode 802.3ad miimon 100" in ran
    assert [line for line in ran if "master" in line] == [
        "link set eth0 master bond0",
        "link set eth1 master bond0",
    ]
    assert "link add link bond0 name vlan0 type vlan id 12" in ran
    assert "link set vlan0 mtu 9000" in ran
    assert "address replace 10.80.0.11/16 dev vlan0" in ran
    # A card must be down to join a bond.
    assert (
        ran.index("link set eth0 down")
        < ran.index("link set eth0 master bond0")
        < ran.index("link set bond0 up")
    )


def test_a_card_that_does_not_appear_is_named(
    program: ModuleType, commands: Callable[[node.Port], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "WAIT_S", 0)
    monkeypatch.setattr(program, "within", lambda what, ask: ask() or program.sys.exit(f"no {what}"))
    with pytest.raises(SystemExit, match="02:00:00:00:00:99"):
        commands(node.Port(["02:00:00:00:00:99"]))


@pytest.mark.parametrize(("kernel", "found"), [(True, True), (False, False)])
def test_a_config_drive_of_an_earlier_system_is_not_the_disc(
    program: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernel: bool, found: bool
) -> None:
    """Both have the label; only the disc that was booted has a kernel on it."""
    data = {"links": [], "networks": []}
    (tmp_path / "openstack/latest").mkdir(parents=True)
    (tmp_path / "openstack/latest/network_data.json").write_text(json.dumps(data))
    if kernel:
        (tmp_path / "vmlinuz").touch()
    monkeypatch.setattr(program, "MOUNT", str(tmp_path))
    monkeypatch.setattr(program, "discs", lambda: ["/dev/sr0"])
    monkeypatch.setattr(program, "call", lambda *words: None)

    class Mounted:
        returncode = 0

    monkeypatch.setattr(program.subprocess, "run", lambda *a, **k: Mounted())
    assert program.said() == (data if found else None)


def built(folder: Path) -> build.Built:
    for part in build.PARTS:
        (folder / part).write_text(part)
    sums = {part: build.sha256(folder / part) for part in build.PARTS}
    (folder / build.SUMS).write_text(json.dumps(sums))
    return build.Built(folder)


def test_a_built_file_is_copied_whole_or_not_at_all(tmp_path: Path) -> None:
    made = built(tmp_path)
    made.copy("ramdisk", tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "ramdisk"
    made.file("kernel").write_text("another")
    with pytest.raises(HostError, match="damaged"):
        made.copy("kernel", tmp_path / "other")
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted([*build.PARTS, build.SUMS, "copy"])
    (tmp_path / build.SUMS).write_text("{")
    with pytest.raises(UsageError):
        made.sha256("esp")


def test_a_build_is_named_by_what_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requirements = tmp_path / "requirements"
    requirements.write_text("ironic-python-agent==13.0.0\n")
    first = content.digest(requirements)
    assert content.digest(requirements) == first
    requirements.write_text("ironic-python-agent==14.0.0\n")
    assert content.digest(requirements) != first
    requirements.write_text("ironic-python-agent==13.0.0\n")
    guest = shutil.copytree(content.GUEST, tmp_path / "guest")
    (guest / "__pycache__").mkdir(exist_ok=True)
    monkeypatch.setattr(content, "GUEST", guest)
    assert content.digest(requirements) == first
    monkeypatch.setattr(content, "PACKAGES", (*content.PACKAGES, "jq"))
    assert content.digest(requirements) != first


@pytest.mark.parametrize(("uid", "tools", "lacks"), [
    (0, {"debootstrap", "uv"}, []), (1000, {"debootstrap", "uv"}, ["root"]), (0, {"uv"}, ["debootstrap"]),
])  # fmt: skip
def test_what_a_build_lacks_is_told_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uid: int, tools: set[str], lacks: list[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(build.os, "geteuid", lambda: uid)
    monkeypatch.setattr(build.shutil, "which", lambda name: name if name in tools else None)
    assert build.lacking() == lacks
    if lacks:
        with pytest.raises(HostError) as caught:
            build.ensure(Path(__file__).resolve().parents[3], lambda _: None)
        assert (caught.value.code, caught.value.found) == ("AGENT_BUILD", f"no {lacks[0]}")
        assert not build.builds_dir().exists()


def test_the_disc_goes_before_a_disk_that_has_such_a_file() -> None:
    assert "--hint=cd0" in content.GRUB
    unit: dict[str, Any] = dict(
        line.split("=", 1)
        for line in (content.GUEST / "railbed-agent.service").read_text().splitlines()
        if "=" in line
    )
    assert f"PYTHONPATH=/{content.AGENT} " in unit["Environment"]
    assert "railbed-agent-network.service" in unit["Requires"]
