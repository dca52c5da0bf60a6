"""Memory: a module that dropped out, or that firmware keeps, is missed by the jobs that the scheduler promised it to."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from railbed.validate.node.probe import Finding, Probe

TOTAL = re.compile(r"^MemTotal:\s+(\d+) kB$", re.M)
KIB = 1024


def memory(probe: Probe, want: dict[str, Any]) -> Finding:
    """The kernel has the machine's memory, save what firmware and it keep (proc_meminfo(5))."""
    nominal, floor = int(want["memory_mib"]), int(want["memory_floor_mib"])
    if not nominal:
        return Finding("unproven", "nobody published how much memory this machine has")
    found = TOTAL.search(probe.read("/proc/meminfo") or "")
    if not found:
        return Finding("unproven", "/proc/meminfo names no MemTotal", expected=floor)
    total = int(found[1]) // KIB
    amount = f"{total} of {nominal} MiB are there"
    if total < floor:
        return Finding("fail", f"{amount}, and {floor} are needed", total, "MiB", floor, ("memory",))
    return Finding("pass", amount, total, "MiB", floor)


@pytest.mark.claim("node.memory")
def test_memory(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(memory(probe, want))
