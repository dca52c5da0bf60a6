"""The qualification on virtual machines: what makes a row fail, and the stand-in for Ubuntu's installer."""

from __future__ import annotations

import importlib.machinery
import importlib.util
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from tests.qualify import metal, run
from tests.qualify.metal import images, inside

from railbed.effects.bmc import disks
from railbed.effects.bmc.seed import BOOT_DISK
from railbed.errors import RailbedError

PLAIN = "SN0000\nh100-0\n/dev/nvme0n1p2\nPersonalities :\n"
MIRROR = "SN0001\nh100-0\n/dev/md0p2\nmd0 : active raid1 nvme1n1p1[1] nvme0n1p1[0]\n 4 blocks super 1.2 [2/2] [UU]\n"
HALF = MIRROR.replace("[UU]", "[U_]")
PASSED = {"claims": [{"claim": "node.identity", "node": "h100-0", "verdict": "pass"}]}
FAILED = {"claims": [{"claim": "node.identity", "node": "h100-0", "verdict": "fail"}]}


class Redfish:
    def __init__(self, power: str, writes_again: int) -> None:
        self.power, self.again, self.runs = power, writes_again, 0

    def system(self, index: int) -> dict[str, str]:
        return {"PowerState": self.power}

    def writes(self) -> list[str]:
        return ["write"] * (self.runs * self.again)


class Stack:
    name = "h100-0"

    def __init__(
        self, redfish: Redfish, shown: str, report: dict[str, Any], simulated: bool, error: Exception | None
    ) -> None:
        self.redfish, self.shown, self.report, self.simulated, self.error = (
            redfish,
            shown,
            report,
            simulated,
            error,
        )

    def preflight(self) -> list[str]:
        return []

    def up(self, say: object) -> Any:
        if self.error:
            raise self.error
        self.redfish.runs += 1
        return SimpleNamespace(simulated=self.simulated)

    def ssh(self, command: str) -> str:
        return self.shown

    def validate(self) -> dict[str, Any]:
        return self.report


@pytest.mark.parametrize(
    ("kind", "changes", "told"),
    [
        ("iso", {"shown": PLAIN}, []),
        ("ironic", {"shown": MIRROR}, []),
        ("iso", {"shown": PLAIN, "power": "On"}, ["was On to begin with"]),
        ("iso", {"shown": PLAIN, "simulated": False}, ["is an emulator"]),
        ("iso", {"shown": PLAIN.replace("SN0000", "SN0009")}, ["another machine answers"]),
        ("iso", {"shown": PLAIN, "writes_again": 2}, ["wrote 2 times"]),
        ("iso", {"shown": PLAIN, "report": FAILED}, ["node.identity: fail"]),
        ("iso", {"shown": PLAIN, "report": {"claims": []}}, ["node.identity: not asked"]),
        ("ironic", {"shown": PLAIN.replace("SN0000", "SN0001")}, ["no whole RAID 1"]),
        ("ironic", {"shown": HALF}, ["no whole RAID 1"]),
        ("ironic", {"shown": MIRROR, "error": RailbedError("it stays off")}, ["it stays off"]),
    ],
)  # fmt: skip
def test_a_row_holds_only_where_all_of_it_does(kind: str, changes: dict[str, Any], told: list[str]) -> None:
    redfish = Redfish(changes.get("power", "Off"), changes.get("writes_again", 0))
    stack = Stack(
        redfish, changes["shown"], changes.get("report", PASSED), changes.get("simulated", True), changes.get("error")
    )  # fmt: skip
    row = inside.row(kind, stack, redfish, metal.INSTALLERS.index(kind))  # type: ignore[arg-type]
    assert row.passed == (not told)
    assert len(row.problems) == len(told)
    assert all(word in problem for word, problem in zip(told, row.problems, strict=True))


def test_a_whole_run_has_one_row_for_each_installer() -> None:
    assert run.planned_rows("metal", runs=20) == 2
    assert "metal" in run.ABOUT


@pytest.fixture
def autoinstall() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("autoinstall", str(images.GUEST / "autoinstall"))
    spec = importlib.util.spec_from_loader("autoinstall", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_the_stand_in_picks_the_disk_as_the_installer_would(
    autoinstall: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [
        {"path": "/dev/nvme0n1", "serial": "QEMU_NVMe_Ctrl_D0", "model": "m", "ssd": True, "size": 8},
        {"path": "/dev/nvme1n1", "serial": "QEMU_NVMe_Ctrl_D1", "model": "m", "ssd": True, "size": 4},
        {"path": "/dev/vda", "serial": "V", "model": "m", "ssd": False, "size": 1},
    ]
    monkeypatch.setattr(autoinstall, "disks", lambda: found)
    assert autoinstall.chosen(disks.autoinstall({"serial": "D0"}))["path"] == "/dev/nvme0n1"
    assert autoinstall.chosen(BOOT_DISK)["path"] == "/dev/nvme1n1"
    with pytest.raises(SystemExit, match="no disk fits"):
        autoinstall.chosen(disks.autoinstall({"serial": "D9"}))


def test_its_programs_are_packed_as_the_kernel_unpacks_them() -> None:
    """newc: a header of 110 bytes, the name, the content, each padded to four bytes."""
    entry = images._entry("init", b"#!/bin/sh\n")
    assert (entry[:6], len(entry) % 4) == (b"070701", 0)
    fields = [int(entry[6 + 8 * at : 14 + 8 * at], 16) for at in range(13)]
    assert (fields[1], fields[6], fields[11]) == (0o100755, 10, 5)
    assert entry[110:115] == b"init\0"
    assert entry[116:126] == b"#!/bin/sh\n"
