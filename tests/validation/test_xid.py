"""XIDs of the kernel log. The lines' form is that of NVIDIA's "XID Errors"; numbers, places and processes are made up."""

from __future__ import annotations

from typing import Any

import pytest

from railbed.validate.node import xids
from railbed.validate.node.test_xid import FIRST, PLACES, WRITTEN

BUS = {0: "00000000:0F:00.0", 3: "00000000:4C:00.0"}
CASES = {
    "NVRM: Xid (PCI:0000:4c:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.": ("fail", "gpu 3"),
    "NVRM: Xid (PCI:0000:0f:00): 95, pid=2503421, name=python3, Uncontained: FBHUB.": ("fail", "gpu 0"),
    "NVRM: Xid (PCI:0000:0f:00): 119, pid=1, name=nvidia-smi, Timeout after 6s of waiting for RPC": ("fail", "gpu 0"),
    "NVRM: Xid (PCI:0000:0f:00): 154, GPU recovery action changed from 0x0 (None) to 0x1 (GPU Reset Required)":
        ("fail", "gpu 0"),
    "NVRM: Xid (PCI:0000:0f:00): 154, GPU recovery action changed from 0x1 (GPU Reset Required) to 0x0 (None)":
        ("pass", ""),
    "NVRM: Xid (PCI:0000:0f:00): 119, pid=1, name=a, Timeout\n"
    "NVRM: Xid (PCI:0000:0f:00): 154, GPU recovery action changed from 0x0 (None) to 0x1 (GPU Reset Required)\n"
    "NVRM: Xid (PCI:0000:0f:00): 154, GPU recovery action changed from 0x1 (GPU Reset Required) to 0x0 (None)":
        ("pass", ""),
    "NVRM: Xid (PCI:0000:0f:00): 154, GPU recovery action changed from 0x1 (GPU Reset Required) to 0x0 (None)\n"
    "NVRM: Xid (PCI:0000:0f:00): 119, pid=1, name=a, Timeout": ("fail", "gpu 0"),
    "NVRM: Xid (PCI:0000:4c:00): 119, pid=1, name=a, Timeout\n"
    "NVRM: Xid (PCI:0000:0f:00): 154, GPU recovery action changed from 0x1 (GPU Reset Required) to 0x0 (None)":
        ("fail", "gpu 3"),
    "NVRM: Xid (PCI:0000:0f:00): 13, pid=2503421, name=python3, Graphics Exception: ESR 0x505730=0x4000b": ("pass", ""),
    "NVRM: Xid (PCI:0000:0f:00): 94, pid=2503421, name=python3, Ch 00000008": ("pass", ""),
    "NVRM: Xid (PCI:0000:0f:00): 999, pid=1, name=a, something new": ("unproven", ""),
    "NVRM: Xid (PCI:0000:99:00): 79, pid=1, name=a, GPU has fallen off the bus.": ("fail", "gpu at 0000:99:00"),
    "nvidia-nvswitch2: SXid (PCI:0000:85:00.0): 12028, Non-fatal, Link 44 egress non-posted PRIV error": ("pass", ""),
    "nvidia-nvswitch2: SXid (PCI:0000:85:00.0): 20034, Fatal, Link 30 LTSSM Fault Up": ("fail", "nvlink"),
    "kernel: Xid is not a word of the driver's here": ("pass", ""),
}  # fmt: skip


@pytest.fixture
def log(world: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    def asked(text: str, code: int = 0) -> Any:
        world.command("journalctl", "Linux version 6.8.0-60-generic\n", arguments=" ".join(FIRST[1:]))
        world.command("journalctl", text, code, arguments=" ".join(WRITTEN[1:]))
        rows = "".join(f"{index}, {place}\n" for index, place in BUS.items())
        world.command("nvidia-smi", rows, arguments=" ".join(PLACES[1:]))
        return world.check("node.xid", monkeypatch)

    return asked


@pytest.mark.refutes("node.xid")
@pytest.mark.parametrize(("line", "wanted"), CASES.items())
def test_one_line(log: Any, line: str, wanted: tuple[str, str]) -> None:
    found = log(line + "\n")
    assert (found.verdict, "".join(found.parts)) == wanted, found.reason


def test_the_worst_of_many_lines_counts_and_each_is_told_once(log: Any) -> None:
    found = log("\n".join([*CASES, *CASES]) + "\n")
    assert found.verdict == "fail"
    assert set(found.parts) == {"gpu 3", "gpu at 0000:99:00", "nvlink"}
    assert found.reason.count("XID 79") == 2


def test_a_log_without_any_passes(log: Any) -> None:
    found = log("", 1)
    assert (found.verdict, found.measured) == ("pass", 0)


def test_a_log_that_cannot_be_read_proves_nothing(
    world: Any, log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.command("journalctl", "", 0, arguments=" ".join(FIRST[1:]))
    assert world.check("node.xid", monkeypatch).verdict == "unproven"
    assert log("Failed to get journal access\n", 2).verdict == "unproven"


def test_no_code_is_in_two_tables() -> None:
    tables = [set(xids.APPLICATION), set(xids.WATCHED), set(xids.HARDWARE), {xids.RECOVERY}]
    assert sum(map(len, tables)) == len(set().union(*tables))
