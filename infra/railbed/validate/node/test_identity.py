"""What identifies this machine, as its kernel, firmware and driver print it. The controller reads and judges it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Optional

import pytest

from railbed.validate.node.probe import Finding, Probe

DMI = "/sys/class/dmi/id"
DMI_NAMES = ("product_serial", "chassis_serial", "board_serial", "product_uuid", "board_asset_tag")
"""Tables of the firmware (SMBIOS) as the kernel shows them: Documentation/ABI/testing/sysfs-firmware-dmi-tables, dmi-id.c."""
FILES = {
    "container": "/run/systemd/container",
    "machine_id": "/etc/machine-id",
    "instance_id": "/var/lib/cloud/data/instance-id",
}
"""systemd(1) and machine-id(5); cloud-init writes what the cloud's metadata service returned."""
NET, RDMA = "/sys/class/net", "/sys/class/infiniband"
GPU_QUERY = ["nvidia-smi", "--query-gpu=index,uuid,serial", "--format=csv,noheader"]
MOST_CARDS = 128
MOST_CHARACTERS = 256
MOST_TABLE_CHARACTERS = 16_384


def _line(probe: Probe, path: str) -> Optional[str]:
    text = probe.read(path)
    return None if text is None else text.strip()[:MOST_CHARACTERS]


def _cards(probe: Probe, wanted: list[str]) -> list[dict[str, Any]]:
    """RDMA devices, and interfaces of cards; virtual functions and what no card stands behind are left out."""
    found: list[dict[str, Any]] = [
        {"name": name, "guid": _line(probe, f"{RDMA}/{name}/node_guid")}
        for name in probe.names(RDMA)
        if "physfn" not in probe.names(f"{RDMA}/{name}/device")
    ]
    for name in probe.names(NET):
        below = probe.names(f"{NET}/{name}/device")
        if (below and "physfn" not in below) or name in wanted:
            assigned = _line(probe, f"{NET}/{name}/addr_assign_type")
            found.append({"name": name, "mac": _line(probe, f"{NET}/{name}/address"), "assigned": assigned})
    return found[:MOST_CARDS]


def facts(probe: Probe, want: dict[str, Any]) -> dict[str, Any]:
    """Everything that identifies the machine, as text; None where there is nothing to read or the kernel refuses."""
    names = probe.names(DMI)
    shown: dict[str, Any] = {key: _line(probe, path) for key, path in FILES.items()}
    shown["dmi"] = {name: _line(probe, f"{DMI}/{name}") for name in DMI_NAMES if name in names}
    shown["cards"] = _cards(probe, [rail["netdev"] for rail in want["rails"] if rail["netdev"]])
    shown["gpus"] = None
    if want["gpus"]:
        answer = probe.run(GPU_QUERY)
        shown["gpus"] = (answer.out + answer.err)[:MOST_TABLE_CHARACTERS]
    return shown


@pytest.mark.claim("node.identity")
def test_identity(
    probe: Probe,
    want: dict[str, Any],
    judge: Callable[[Finding], None],
    show: Callable[[dict[str, Any]], None],
) -> None:
    show({"shown": facts(probe, want)})
    judge(Finding("unproven", "nobody compared it with the contract"))
