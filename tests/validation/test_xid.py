"""XIDs of the kernel log. The lines' form is that of NVIDIA's "XID Errors"; numbers, places and processes are made up.

Around them is what `journalctl --output=json` prints (systemd 252), cut down to the fields that are asked for.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from railbed.effects.lab import hardware
from railbed.platforms.lab import gpu_faults
from railbed.validate.node import xids
from railbed.validate.node.test_xid import FIRST, PLACES, REPORT, WRITTEN

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


def entries(text: str, **fields: str) -> str:
    """The lines as the journal has them: the kernel's, or as ``fields`` say."""
    matched = fields or {"_TRANSPORT": "kernel"}
    return "".join(json.dumps({"MESSAGE": line, **matched}) + "\n" for line in text.splitlines())


def report(places: dict[int, str]) -> str:
    """As much of `nvidia-smi -q -x` as tells which GPU is where."""
    return "\n".join(
        f'<gpu id="{place}">\n<product_name>NVIDIA H100</product_name>\n<minor_number>{minor}</minor_number>\n</gpu>'
        for minor, place in places.items()
    )


@pytest.fixture
def log(world: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    def asked(text: str, code: int = 0, **fields: str) -> Any:
        first = entries("Linux version 6.8.0-60-generic")
        world.command("journalctl", first, arguments=" ".join(FIRST[1:]))
        world.command("journalctl", entries(text, **fields), code, arguments=" ".join(WRITTEN[1:]))
        world.command("nvidia-smi", report(BUS), arguments=" ".join(REPORT[1:]))
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


LOST_GPU = (
    "Unable to determine the device handle for GPU4: GPU is lost. Reboot the system to recover this GPU\n"
)
LOST = "NVRM: Xid (PCI:0000:4c:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus."


def test_what_any_user_writes_in_the_kernels_name_does_not_count(log: Any) -> None:
    assert log(LOST, _TRANSPORT="syslog", _UID="1000").verdict == "pass"
    assert log(LOST, _TRANSPORT="journal", _UID="0").parts == ("gpu 3",)


def test_a_line_that_is_no_entry_is_passed_over(
    world: Any, log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    log(LOST)
    world.command("journalctl", "{\n\x00[]\n7\n", arguments=" ".join(WRITTEN[1:]))
    assert world.check("node.xid", monkeypatch).verdict == "pass"


def test_a_gpu_that_fell_off_the_bus_has_the_number_that_is_missing(
    world: Any, log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    log(LOST)
    there = {minor: f"00000000:{0x10 * minor:02X}:00.0" for minor in range(8) if minor != 4}
    world.command("nvidia-smi", report(there), arguments=" ".join(REPORT[1:]))
    assert world.check("node.xid", monkeypatch).parts == ("gpu 4",)
    listed = "".join(f"GPU {index}: NVIDIA H100 80GB HBM3 (UUID: GPU-{index})\n" for index in there)
    left = ",".join(map(str, there))
    world.command("nvidia-smi", LOST_GPU, 15, arguments=" ".join(REPORT[1:]))
    world.command("nvidia-smi", listed + LOST_GPU, 15, arguments="-L")
    rows = "".join(f"{index}, {place}\n" for index, place in there.items())
    world.command("nvidia-smi", rows, arguments=" ".join([*PLACES[1:], f"--id={left}"]))
    assert world.check("node.xid", monkeypatch).parts == ("gpu 4",)
    world.command("nvidia-smi", report({0: there[0]}), arguments=" ".join(REPORT[1:]))
    assert world.check("node.xid", monkeypatch).parts == ("gpu at 0000:4c:00",)


def test_the_driver_knows_its_gpus_also_where_nvidia_smi_hangs(
    world: Any, log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    log(LOST)
    world.command("nvidia-smi", "", arguments=" ".join(REPORT[1:]))
    world.write(
        "/proc/driver/nvidia/gpus/0000:4c:00.0/information", "Model: \t\t NVIDIA H100\nDevice Minor: \t 6\n"
    )
    assert world.check("node.xid", monkeypatch).parts == ("gpu 6",)


def test_the_labs_lines_are_read_and_a_reset_ends_those_of_its_gpu(
    world: Any, log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `railbed lab fault inject` and `clear` write, by root through the journal's own interface."""
    delivered = hardware.description(8, "NVIDIA H100 80GB HBM3", 81559, "machine-0")
    written = [*gpu_faults.log_lines(delivered, "gpu-ecc", 3), *gpu_faults.log_lines(delivered, "xid-79", 4)]
    places = {index: hardware.bus_id(index) for index in range(8)}

    def parts(lines: list[str]) -> set[str]:
        log("\n".join(lines), _TRANSPORT="journal", _UID="0")
        world.command("nvidia-smi", report(places), arguments=" ".join(REPORT[1:]))
        return set(world.check("node.xid", monkeypatch).parts)

    assert parts(written) == {"gpu 3", "gpu 4"}
    assert parts([*written, gpu_faults.reset_line(delivered, 3)]) == {"gpu 4"}
