"""Modules sysctls and links, over a folder in place of /proc/sys and /sys/class/net."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from tests.unit.configure import modules

SYSCTLS = modules.load("sysctls")
LINKS = modules.load("links")
IP = """
import os, sys
_, link, verb, dev, name, mtu, value, up = sys.argv
assert (link, verb, dev, mtu, up) == ("link", "set", "dev", "mtu", "up")
folder = os.path.join(os.environ["FAKE_NET"], name)
open(os.path.join(folder, "mtu"), "w").write(value + "\\n")
open(os.path.join(folder, "flags"), "w").write("0x1003\\n")
"""


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "proc"
    (root / "net/ipv4").mkdir(parents=True)
    (root / "net/ipv4/tcp_rmem").write_text("4096\t131072\t6291456\n")
    (root / "net/ipv4/tcp_congestion_control").write_text("bbr\n")
    monkeypatch.setattr(SYSCTLS, "PROC", str(root))
    return root


def sysctls(tmp_path: Path, check: bool = False, **more: Any) -> dict[str, Any]:
    return modules.call(SYSCTLS, check=check, path=str(tmp_path / "90-railbed.conf"), **more)


def test_parameters_are_set_now_and_for_the_next_boot(tmp_path: Path, proc: Path) -> None:
    values = {"net.ipv4.tcp_congestion_control": "reno"}
    answer = sysctls(tmp_path, values=values)
    assert answer["changed"] and answer["set"] == {"net.ipv4.tcp_congestion_control": "bbr"}
    assert (proc / "net/ipv4/tcp_congestion_control").read_text() == "reno"
    assert "-net.ipv4.tcp_congestion_control = reno\n" in (tmp_path / "90-railbed.conf").read_text()
    assert not sysctls(tmp_path, values=values)["changed"]


def test_a_value_that_someone_changed_by_hand_is_set_again(tmp_path: Path, proc: Path) -> None:
    values = {"net.ipv4.tcp_congestion_control": "reno"}
    sysctls(tmp_path, values=values)
    (proc / "net/ipv4/tcp_congestion_control").write_text("bbr\n")
    assert sysctls(tmp_path, values=values)["set"] == {"net.ipv4.tcp_congestion_control": "bbr"}


def test_tabs_and_blanks_are_the_same(tmp_path: Path, proc: Path) -> None:
    assert sysctls(tmp_path, values={"net.ipv4.tcp_rmem": "4096 131072 6291456"})["set"] == {}


def test_check_mode_sets_nothing(tmp_path: Path, proc: Path) -> None:
    assert sysctls(tmp_path, check=True, values={"net.ipv4.tcp_congestion_control": "reno"})["changed"]
    assert (proc / "net/ipv4/tcp_congestion_control").read_text() == "bbr\n"
    assert not (tmp_path / "90-railbed.conf").exists()


def test_a_parameter_that_must_be_there_and_is_not_is_an_error(tmp_path: Path, proc: Path) -> None:
    answer = sysctls(tmp_path, values={"vm.swappiness": 1})
    assert answer["failed"] and "vm.swappiness" in answer["msg"]


def test_a_parameter_of_the_host_below_is_left_alone_and_kept_for_the_boot(
    tmp_path: Path, proc: Path
) -> None:
    answer = sysctls(tmp_path, where_writable={"vm.swappiness": 1})
    assert answer["left"] == ["vm.swappiness"] and answer["set"] == {}
    assert "-vm.swappiness = 1\n" in (tmp_path / "90-railbed.conf").read_text()


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root, programs = tmp_path / "net", tmp_path / "bin"
    for name in ("rail0", "rail1"):
        (root / name).mkdir(parents=True)
        (root / name / "mtu").write_text("9000\n")
        (root / name / "flags").write_text("0x1003\n")
    programs.mkdir()
    modules.program(programs, "ip", IP)
    monkeypatch.setattr(LINKS, "NET", str(root))
    monkeypatch.setenv("FAKE_NET", str(root))
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return root


RAILS = {"rail0": 9000, "rail1": 9000}


def test_rails_as_they_should_be_are_left_alone(net: Path) -> None:
    answer = modules.call(LINKS, links=RAILS)
    assert not answer["changed"] and answer["seen"] == ["rail0", "rail1"]


def test_a_rail_that_is_down_or_has_another_mtu_is_mended(net: Path) -> None:
    (net / "rail0/flags").write_text("0x1002\n")
    (net / "rail1/mtu").write_text("1500\n")
    assert modules.call(LINKS, check=True, links=RAILS)["changed"]
    assert (net / "rail1/mtu").read_text() == "1500\n"
    answer = modules.call(LINKS, links=RAILS)
    assert answer["corrected"] == {"rail0": {"up": "down"}, "rail1": {"mtu": "1500"}}
    assert not modules.call(LINKS, links=RAILS)["changed"]


def test_a_rail_that_does_not_exist_is_an_error(net: Path) -> None:
    answer = modules.call(LINKS, links={"rail7": 9000})
    assert answer["failed"] and "rail7" in answer["msg"]
