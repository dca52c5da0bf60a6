"""The service that joins the GPUs of a machine over its NVSwitches."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from railbed.validate.node.gpus import LOST
from railbed.validate.node.image import fits, whose
from railbed.validate.node.probe import NOT_FOUND, Finding, Probe

UNIT = "nvidia-fabricmanager.service"
PART = "fabric manager"
MODULE = "ib_umad"
"""What it sends management datagrams through to switches of the fifth generation."""
JOINED = ("Completed", "Success")
"""State and status of a GPU that may use NVLink (`nvidia-smi -q`; NVIDIA's fabric manager user guide). A GPU from before
Hopper has neither (N/A)."""


def _version(probe: Probe) -> str:
    said = probe.run(["nv-fabricmanager", "--version"])
    found = re.search(r"version is\s*:\s*(\d[\d.]*)", said.out)
    return found[1] if found else ""


def _apart(report: str) -> list[str]:
    """GPUs that are not in the fabric, with what they say; by the driver's minor numbers."""
    found = []
    for index, block in enumerate(re.findall(r"<gpu id=.*?</gpu>", report, re.S)):
        fabric = re.search(r"<fabric>\s*<state>(.*?)</state>\s*<status>(.*?)</status>", block, re.S)
        minor = re.search(r"<minor_number>(\d+)</minor_number>", block)
        if fabric and fabric.groups() != JOINED and fabric[1] != "N/A":
            found.append(f"gpu {minor[1] if minor else index} is {fabric[1]} ({fabric[2]})")
    return found


def fabric_manager(probe: Probe, want: dict[str, Any]) -> Finding:
    """It has the loaded driver's version, runs, reaches the switches, and every GPU that answers is in its fabric."""
    expected = str(want["fabric_manager"])
    version = _version(probe)
    if not version or not fits(version, expected):
        reason = f"it is {version}, not {expected}" if version else "nv-fabricmanager prints no version"
        return Finding("fail", reason, version or None, "", expected, (PART,))
    report = probe.run(["nvidia-smi", "-q", "-x"])
    loaded = re.search(r"<driver_version>(.*?)</driver_version>", report.out)
    if not loaded:
        claim = "node.gpus" if LOST in report.out + report.err else "node.driver"
        reason = f"blocked by {claim}: nvidia-smi says {report.first_line!r}"
        return Finding("unproven", reason, version, "", expected)
    if loaded[1] != version:
        reason = (
            f"blocked by node.driver: driver {loaded[1]} is loaded, which fabric manager {version} refuses"
        )
        return Finding("unproven", reason, version, "", expected)
    state = probe.run(["systemctl", "is-active", UNIT])
    if state.code == NOT_FOUND:
        return Finding("unproven", "systemctl is not installed", version, "", expected)
    if state.code != 0:
        return Finding("fail", f"{UNIT} is {state.first_line}", version, "", expected, (PART,))
    if want.get("nvlsm") and MODULE not in probe.names("/sys/module"):
        reason = f"module {MODULE} is not loaded: it cannot reach the NVSwitches when it starts again"
        return Finding("fail", reason, version, "", expected, (PART,))
    apart = _apart(report.out)
    if apart:
        return Finding("fail", f"not in its fabric: {', '.join(apart)}", version, "", expected, (PART,))
    return Finding(
        "pass", f"fabric manager {version} runs with its driver{whose(expected)}", version, "", expected
    )


@pytest.mark.claim("node.fabric_manager")
def test_fabric_manager(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(fabric_manager(probe, want))
