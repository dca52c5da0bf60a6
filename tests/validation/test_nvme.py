"""Health of local NVMe drives. The log has the keys of nvme-cli's `smart-log -o json`, as dell/csi-baremetal's tests quote it."""

from __future__ import annotations

import json
from typing import Any

import pytest

HEALTHY = {
    "critical_warning": 0, "temperature": 302, "avail_spare": 100, "spare_thresh": 10, "percent_used": 3,
    "data_units_read": 97704077, "media_errors": 0,
}  # fmt: skip


def said(**changes: Any) -> str:
    return json.dumps({**HEALTHY, **changes})


@pytest.fixture
def drives(world: Any) -> Any:
    for name in ("nvme0", "nvme1"):
        world.write(f"/sys/class/nvme/{name}/model", "SAMSUNG MZWLJ3T8HBLS-00007               \n")
        world.write(f"/sys/class/nvme/{name}/transport", "pcie\n")
    world.command("nvme", said(), arguments="smart-log /dev/nvme0 -o json")
    return world


@pytest.mark.refutes("node.nvme")
@pytest.mark.parametrize(
    ("out", "verdict", "words"),
    [
        (said(), "pass", "2 local drives are well"),
        (said(media_errors="18446744073709551616"), "pass", "18446744073709551616 media errors"),
        (said(critical_warning={"value": 0, "available_spare": 0}), "pass", "well"),
        (said(critical_warning=4), "fail", "nvme1: it has so many errors"),
        (said(critical_warning=9), "fail", "below its own threshold, it is read-only"),
        (said(critical_warning=64), "fail", "0x40"),
        (said(avail_spare=4), "fail", "4 % of its spare blocks"),
        (said(percent_used=103), "fail", "103 % of the life"),
        ("", "unproven", "no health log of nvme1"),
        ("\x00\xff", "unproven", "no health log of nvme1"),
        ("[]", "unproven", "no health log"),
        (json.dumps({k: v for k, v in HEALTHY.items() if k != "avail_spare"}), "unproven", "no health log"),
        (said(critical_warning=True), "unproven", "no health log"),
        (said(percent_used=-1), "unproven", "no health log"),
    ],
)
def test_what_a_drive_says(
    drives: Any, monkeypatch: pytest.MonkeyPatch, out: str, verdict: str, words: str
) -> None:
    drives.command("nvme", out, arguments="smart-log /dev/nvme1 -o json")
    found = drives.check("node.nvme", monkeypatch)
    assert (found.verdict, found.parts) == (verdict, ("drive nvme1",) if verdict == "fail" else ())
    assert words in found.reason


def test_a_drive_that_gives_no_log_is_unproven(drives: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    drives.command("nvme", "NVMe status: Invalid Log Page", 1, arguments="smart-log /dev/nvme1 -o json")
    found = drives.check("node.nvme", monkeypatch)
    assert found.verdict == "unproven" and "nvme1 (NVMe status: Invalid Log Page)" in found.reason


def test_without_nvme_cli_it_is_unproven(drives: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    drives.without("nvme")
    assert drives.check("node.nvme", monkeypatch).verdict == "unproven"


@pytest.mark.parametrize(
    ("file", "text"), [("model", "Amazon Elastic Block Store              \n"), ("transport", "rdma\n")]
)
def test_a_disk_of_the_network_is_left_out(
    drives: Any, monkeypatch: pytest.MonkeyPatch, file: str, text: str
) -> None:
    drives.write(f"/sys/class/nvme/nvme1/{file}", text)
    found = drives.check("node.nvme", monkeypatch)
    assert (found.verdict, found.measured) == ("pass", 1)


def test_a_node_without_drives_passes_and_says_so(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = world.check("node.nvme", monkeypatch)
    assert (found.verdict, found.reason) == ("pass", "no local NVMe drive")
