"""Errors of the PCIe links of GPUs and rail cards since the boot, as the kernel counts them (advanced error reporting).

Documentation/ABI/testing/sysfs-bus-pci-devices-aer of Linux: a file for each severity, a line for each kind of error, a total.
Corrected errors slow a link and are reported; no limit is published.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Optional

import pytest

from railbed.validate.node.gpus import hidden_by
from railbed.validate.node.probe import NOT_FOUND, TIMED_OUT, Finding, Probe

PLACES = ["nvidia-smi", "--query-gpu=index,pci.bus_id", "--format=csv,noheader"]
ROW = re.compile(r"^(\d+), [0-9A-Fa-f]{4}([0-9A-Fa-f]{4}:[0-9A-Fa-f:.]+)\s*$", re.M)
SEVERITIES = {"fatal": "FATAL", "nonfatal": "NONFATAL", "correctable": "COR"}
"""Of a file's name → of its total's."""


def aer(probe: Probe, want: dict[str, Any]) -> Finding:
    """No link lost a packet that could not be had again."""
    count, expected = int(want["gpus"]), "no uncorrected PCIe error since the boot"
    answer = probe.run(PLACES)
    if answer.code in (NOT_FOUND, TIMED_OUT):
        return Finding("unproven", answer.first_line, expected=expected)
    devices = {
        f"gpu {index}": f"/sys/bus/pci/devices/{place.lower()}" for index, place in ROW.findall(answer.out)
    }
    if len(devices) < count:
        claim = hidden_by(answer, len(devices))
        reason = f"blocked by {claim}: nvidia-smi names the places of {len(devices)} of {count} GPUs"
        return Finding("unproven", f"{reason}: {answer.first_line!r}", expected=expected)
    gone: list[str] = []
    for rail in want.get("rails") or []:
        device, netdev = rail.get("device"), rail.get("netdev")
        folder = f"/sys/class/infiniband/{device}" if device else f"/sys/class/net/{netdev}"
        gone += [] if probe.names(folder) else [f"rail {rail['index']}"]
        devices[f"rail {rail['index']}"] = f"{folder}/device"
    bad: dict[str, str] = {}
    silent, corrected = [], 0
    for part, folder in devices.items():
        counts = {name: _total(probe, folder, name) for name in SEVERITIES}
        if counts["fatal"] is None or counts["nonfatal"] is None:
            silent.append(part)
        counted = [f"{counts[name]} {name}" for name in ("fatal", "nonfatal") if counts[name]]
        if counted:
            bad[part] = f"{' and '.join(counted)} PCIe errors"
        corrected += counts["correctable"] or 0
    if bad:
        shown = "; ".join(f"{part}: {text}" for part, text in bad.items())
        return Finding("fail", shown, len(bad), "devices", expected, tuple(bad))
    if silent:
        blocked = "blocked by node.nics: " if set(silent) <= set(gone) else ""
        reason = f"{blocked}the kernel counts no errors of {', '.join(silent)}"
        return Finding("unproven", reason, expected=expected)
    beside = f"; {corrected} were corrected" if corrected else ""
    return Finding("pass", f"none at {len(devices)} devices{beside}", 0, "devices", expected)


def _total(probe: Probe, folder: str, severity: str) -> Optional[int]:
    text = probe.read(f"{folder}/aer_dev_{severity}") or ""
    found = re.search(rf"^TOTAL_ERR_{SEVERITIES[severity]} (\d{{1,18}})$", text, re.M)
    return int(found[1]) if found else None


@pytest.mark.claim("node.aer")
def test_aer(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(aer(probe, want))
