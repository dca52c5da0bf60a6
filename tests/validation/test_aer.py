"""PCIe errors as Linux counts them. The files' form is that of Documentation/ABI/testing/sysfs-bus-pci-devices-aer, cut down to
two kinds of error; numbers are made up."""

from __future__ import annotations

from typing import Any

import pytest

from railbed.validate.node.test_aer import PLACES

PARTS = {**{f"gpu {i}": f"/sys/bus/pci/devices/0000:{0x10 + i:02x}:00.0" for i in range(2)},
         **{f"rail {i}": f"/sys/class/infiniband/mlx5_{i}/device" for i in range(2)}}  # fmt: skip


def write(world: Any, part: str, severity: str, total: str, count: int) -> None:
    world.write(f"{PARTS[part]}/aer_dev_{severity}", f"Undefined 0\nDLP {count}\nTOTAL_ERR_{total} {count}\n")


@pytest.fixture
def node(world: Any) -> Any:
    """Two GPUs and two rails without an error."""
    world.want.update(gpus=2, rails=[{"index": i, "device": f"mlx5_{i}", "netdev": ""} for i in range(2)])
    rows = "".join(f"{i}, 00000000:{0x10 + i:02X}:00.0\n" for i in range(2))
    world.command("nvidia-smi", rows, arguments=" ".join(PLACES[1:]))
    for part in PARTS:
        for severity, total in (("fatal", "FATAL"), ("nonfatal", "NONFATAL"), ("correctable", "COR")):
            write(world, part, severity, total, 0)
    return world


def test_links_without_an_error_pass_and_corrected_ones_are_told(
    node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert node.check("node.aer", monkeypatch).reason == "none at 4 devices"
    write(node, "rail 1", "correctable", "COR", 7)
    found = node.check("node.aer", monkeypatch)
    assert (found.verdict, found.reason) == ("pass", "none at 4 devices; 7 were corrected")


@pytest.mark.refutes("node.aer")
@pytest.mark.parametrize(
    ("part", "severity", "total"),
    [("gpu 1", "fatal", "FATAL"), ("gpu 0", "nonfatal", "NONFATAL"), ("rail 1", "nonfatal", "NONFATAL")],
)
def test_an_error_that_was_not_corrected_names_its_device(
    node: Any, monkeypatch: pytest.MonkeyPatch, part: str, severity: str, total: str
) -> None:
    write(node, part, severity, total, 3)
    found = node.check("node.aer", monkeypatch)
    assert (found.verdict, found.parts) == ("fail", (part,))
    assert found.reason == f"{part}: 3 {severity} PCIe errors"


@pytest.mark.parametrize("text", ["", "\x00\xff", "TOTAL_ERR_FATAL many\n"])
def test_a_device_without_counters_proves_nothing(
    node: Any, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    node.write(f"{PARTS['gpu 0']}/aer_dev_fatal", text)
    found = node.check("node.aer", monkeypatch)
    assert (found.verdict, found.reason) == ("unproven", "the kernel counts no errors of gpu 0")


def test_gpus_that_are_not_listed_prove_nothing(node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    node.command("nvidia-smi", "0, 00000000:10:00.0\n", arguments=" ".join(PLACES[1:]))
    found = node.check("node.aer", monkeypatch)
    assert found.verdict == "unproven" and found.reason.startswith("blocked by node.gpus: ")


@pytest.mark.parametrize(
    ("text", "claim"),
    [
        ("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n", "node.driver"),
        ("Unable to determine the device handle for GPU1: GPU is lost.  Reboot the system\n", "node.gpus"),
    ],
)
def test_what_stands_in_the_way_is_named(
    node: Any, monkeypatch: pytest.MonkeyPatch, text: str, claim: str
) -> None:
    node.command("nvidia-smi", text, arguments=" ".join(PLACES[1:]))
    node.command("nvidia-smi", text)
    for asked in ("node.aer", "node.clocks", "node.pcie"):
        found = node.check(asked, monkeypatch)
        assert found.verdict == "unproven" and found.reason.startswith(f"blocked by {claim}: "), asked


def test_a_card_that_is_gone_is_explained_by_another_claim(
    node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.want["rails"].append({"index": 2, "device": "mlx5_2", "netdev": ""})
    found = node.check("node.aer", monkeypatch)
    reason = "blocked by node.nics: the kernel counts no errors of rail 2"
    assert (found.verdict, found.reason) == ("unproven", reason)
