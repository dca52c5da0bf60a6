"""Faults that the NVIDIA driver wrote to the kernel log since the node booted."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

import pytest

from railbed.validate.node import xids
from railbed.validate.node.observe import DEVICE_MINOR, DRIVER
from railbed.validate.node.probe import NOT_FOUND, Finding, Probe

LOG = ["journalctl", "--dmesg", "--boot", "--quiet", "--no-pager", "--output=cat"]
FIRST = [*LOG, "--lines=1"]
WRITTEN = [*LOG, "--grep=Xid"]
PLACES = ["nvidia-smi", "--query-gpu=index,pci.bus_id", "--format=csv,noheader"]
XID = re.compile(r"NVRM: Xid \(PCI:([0-9A-Fa-f:]+)(?:\.\d)?\): (\d{1,4}), ?(.*)")
SXID = re.compile(r"SXid \(PCI:([0-9A-Fa-f:.]+)\): (\d{1,6}), (Non-fatal|Fatal)")
RECOVERED = re.compile(r"changed from .* to 0x0\b")
MOST_TOLD = 6


def xid(probe: Probe, _: dict[str, Any]) -> Finding:
    """No code of the log points at the node's hardware."""
    expected = "no XID of the hardware since the boot"
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    first, written = probe.run([*root, *FIRST]), probe.run([*root, *WRITTEN])
    if first.code == NOT_FOUND or first.code != 0 or not first.out.strip():
        return Finding("unproven", f"the kernel log cannot be read: {first.first_line}", expected=expected)
    # journalctl(1): 1 where nothing matches.
    if written.code not in (0, 1) or written.err.strip():
        return Finding(
            "unproven", f"the kernel log was not searched: {written.first_line}", expected=expected
        )
    told: dict[str, list[str]] = {"fail": [], "unproven": [], "pass": []}
    parts: list[str] = []
    gpus = _gpus(probe)
    for place, code, words in _standing(XID.findall(written.out)):
        verdict, name = _of(int(code), words)
        part = gpus.get(_bus(place), f"gpu at {place}")
        told[verdict].append(f"{part}: XID {code} ({name})")
        parts += [part] if verdict == "fail" else []
    for place, code, severity in SXID.findall(written.out):
        fatal = severity == "Fatal"
        told["fail" if fatal else "pass"].append(f"NVLink switch at {place}: SXid {code}, {severity}")
        parts += ["nvlink"] if fatal else []
    for verdict in ("fail", "unproven", "pass"):
        lines = list(dict.fromkeys(told[verdict]))
        if lines:
            more = f" and {len(lines) - MOST_TOLD} more" if len(lines) > MOST_TOLD else ""
            shown = "; ".join(lines[:MOST_TOLD]) + more
            return Finding(verdict, shown, len(lines), "XIDs", expected, tuple(dict.fromkeys(parts)))
    return Finding("pass", "the driver wrote none since the node booted", 0, "XIDs", expected)


def _standing(lines: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Those that no reset ended: where the driver says that a GPU needs nothing any more, what it had said of it is over."""
    standing: list[tuple[str, str, str]] = []
    for place, code, words in lines:
        if int(code) == xids.RECOVERY:
            over = [] if RECOVERED.search(words) else [(place, code, words)]
            earlier = [one for one in standing if one[0] != place or (over and int(one[1]) != xids.RECOVERY)]
            standing = earlier + over
        else:
            standing.append((place, code, words))
    return standing


def _of(code: int, words: str) -> tuple[str, str]:
    """Verdict and name of one code."""
    if code == xids.RECOVERY:
        return "fail", words[:80]
    for verdict, table in (("fail", xids.HARDWARE), ("pass", {**xids.WATCHED, **xids.APPLICATION})):
        if code in table:
            return verdict, table[code]
    return "unproven", "a code that is in no table"


def _bus(place: str) -> str:
    """Domain, bus and device in one form: the log has four digits of the domain and no function, nvidia-smi eight and one."""
    domain, _, rest = place.lower().partition(":")
    return f"{int(domain or '0', 16):x}:{rest.split('.')[0]}"


def _gpus(probe: Probe) -> dict[str, str]:
    """Place → ``gpu N``. nvidia-smi tells none where one GPU is lost: the driver's own folder still does, by device file."""
    rows = re.findall(r"^(\d+), ([0-9A-Fa-f:.]+)\s*$", probe.run(PLACES).out, re.M)
    return {**_files(probe), **{_bus(place): f"gpu {index}" for index, place in rows}}


def _files(probe: Probe) -> dict[str, str]:
    found = {}
    for place in probe.names(DRIVER):
        minor = DEVICE_MINOR.search(probe.read(f"{DRIVER}/{place}/information") or "")
        if minor:
            found[_bus(place)] = f"gpu {minor[1]}"
    return found


@pytest.mark.claim("node.xid")
def test_xid(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(xid(probe, want))
