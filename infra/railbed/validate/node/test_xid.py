"""Faults that the NVIDIA driver wrote to the kernel log since the node booted."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

import pytest

from railbed.validate.node import xids
from railbed.validate.node.probe import NOT_FOUND, Finding, Probe

FIRST = [*xids.LOG, "--lines=1"]
WRITTEN = [*xids.LOG, "--grep=Xid"]
REPORT = ["nvidia-smi", "-q", "-x"]
LIST = ["nvidia-smi", "-L"]
PLACES = ["nvidia-smi", "--query-gpu=index,pci.bus_id", "--format=csv,noheader"]
GPU_FOLDER = "/proc/driver/nvidia/gpus"
SXID = re.compile(r"SXid \(PCI:([0-9A-Fa-f:.]+)\): (\d{1,6}), (Non-fatal|Fatal)")
MAX_LISTED = 6


def xid(probe: Probe, want: dict[str, Any]) -> Finding:
    """No code of the log points at the node's hardware."""
    expected = "no XID of the hardware since the boot"
    # `make gpu` runs this as whoever calls it.
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    first, written = probe.run([*root, *FIRST]), probe.run([*root, *WRITTEN])
    if first.code == NOT_FOUND or first.code != 0 or not first.out.strip():
        return Finding("unproven", f"the kernel log cannot be read: {first.first_line}", expected=expected)
    # journalctl(1): 1 where nothing matches.
    if written.code not in (0, 1) or written.err.strip():
        return Finding(
            "unproven", f"the kernel log was not searched: {written.first_line}", expected=expected
        )
    by_verdict: dict[str, list[str]] = {"fail": [], "unproven": [], "pass": []}
    parts: list[str] = []
    lines = "\n".join(xids.messages(written.out))
    standing = xids.standing(xids.XID.findall(lines))
    gpus = _gpus(probe, {_bus(place) for place, _, _ in standing}, int(want["gpus"])) if standing else {}
    for place, code, words in standing:
        verdict, name = _of(int(code), words)
        part = gpus.get(_bus(place), f"gpu at {place}")
        by_verdict[verdict].append(f"{part}: XID {code} ({name})")
        parts += [part] if verdict == "fail" else []
    for place, code, severity in SXID.findall(lines):
        fatal = severity == "Fatal"
        by_verdict["fail" if fatal else "pass"].append(f"NVLink switch at {place}: SXid {code}, {severity}")
        parts += ["nvlink"] if fatal else []
    for verdict in ("fail", "unproven", "pass"):
        found = list(dict.fromkeys(by_verdict[verdict]))
        if found:
            more = f" and {len(found) - MAX_LISTED} more" if len(found) > MAX_LISTED else ""
            shown = "; ".join(found[:MAX_LISTED]) + more
            return Finding(verdict, shown, len(found), "XIDs", expected, tuple(dict.fromkeys(parts)))
    return Finding("pass", "the driver wrote none since the node booted", 0, "XIDs", expected)


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


def _gpus(probe: Probe, asked: set[str], count: int) -> dict[str, str]:
    """Place → ``gpu N``, by the driver's own numbers, which a GPU keeps when another is gone.

    nvidia-smi reports nothing on one that fell off the bus, and then on no other either, unless it is asked of those
    that are left. Numbers follow the places: those that nobody has are of the places that nobody has, where there are as many.
    """
    known = {}
    for place in probe.names(GPU_FOLDER):
        minor = re.search(
            r"^Device Minor:\s*(\d+)", probe.read(f"{GPU_FOLDER}/{place}/information") or "", re.M
        )
        known.update({_bus(place): int(minor[1])} if minor else {})
    if not asked <= known.keys():
        report = probe.run(REPORT).out
        blocks = re.findall(r'<gpu id="([^"]+)">.*?<minor_number>(\d+)</minor_number>', report, re.S)
        known.update({_bus(place): int(minor) for place, minor in blocks})
        if not blocks:
            left = ",".join(re.findall(r"^GPU (\d+): .+ \(UUID: ", probe.run(LIST).out, re.M))
            rows = probe.run([*PLACES, f"--id={left}"]).out if left else ""
            found = re.findall(r"^(\d+), ([0-9A-Fa-f:.]+)\s*$", rows, re.M)
            known.update({_bus(place): int(index) for index, place in found})
    lost = sorted(asked - known.keys(), key=lambda place: [int(part, 16) for part in place.split(":")])
    free = sorted(set(range(count)) - set(known.values()))
    if known and len(lost) == len(free):
        known.update(zip(lost, free))  # noqa: B905 - Python 3.9
    return {place: f"gpu {minor}" for place, minor in known.items()}


@pytest.mark.claim("node.xid")
def test_xid(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(xid(probe, want))
