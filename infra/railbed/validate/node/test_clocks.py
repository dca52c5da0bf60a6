"""What holds a GPU back without breaking it: heat, the power brake, a power limit below the board's, MIG."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from railbed.validate.node.gpus import hidden_by
from railbed.validate.node.probe import NOT_FOUND, TIMED_OUT, Finding, Probe

FIELDS = "index,clocks_event_reasons.active,power.limit,power.default_limit,mig.mode.current"
QUERY = ["nvidia-smi", "--query-gpu=" + FIELDS, "--format=csv,noheader,nounits"]
ROW = re.compile(
    r"^(\d+), 0x([0-9A-Fa-f]{1,16}), ([\d.]+), ([\d.]+|\[N/A\]), (Enabled|Disabled|\[N/A\])\s*$", re.M
)
REASONS = {
    0x8: "hardware slowdown", 0x20: "software thermal slowdown", 0x40: "hardware thermal slowdown", 0x80: "power brake",
}  # fmt: skip
"""Bits of nvml.h (nvmlClocksEventReasons…) that are no part of normal work: the mask 0xE8 of Azure's health agent
(github.com/Azure/cyclecloud-healthagent). An idle clock, a software power cap and a program's own setting are."""
POWER_SLACK_W = 1.0
"""NVML counts milliwatts, nvidia-smi prints hundredths of a watt."""


def clocks(probe: Probe, want: dict[str, Any]) -> Finding:
    """No GPU is slowed down or limited, and none is cut into parts."""
    count, expected = int(want["gpus"]), "whole GPUs at full power and clocks"
    answer = probe.run(QUERY)
    if answer.code in (NOT_FOUND, TIMED_OUT):
        return Finding("unproven", answer.first_line, expected=expected)
    rows = ROW.findall(answer.out)
    bad: dict[str, list[str]] = {}
    for index, reasons, limit, default, mig in rows:
        limits = [words for bit, words in REASONS.items() if int(reasons, 16) & bit]
        least = want.get("gpu_power_w") or (0.0 if default == "[N/A]" else float(default))
        if float(limit) < least - POWER_SLACK_W:
            limits.append(f"its power limit is {limit} W, not {least:g}")
        if mig == "Enabled":
            limits.append("MIG is on")
        if limits:
            bad[f"gpu {index}"] = limits
    if bad:
        shown = "; ".join(f"{gpu}: {', '.join(texts)}" for gpu, texts in bad.items())
        return Finding("fail", shown, len(rows) - len(bad), "GPUs", expected, tuple(bad))
    if len(rows) < count:
        why = f"blocked by {hidden_by(answer, len(rows))}: nvidia-smi lists {len(rows)} of {count} GPUs"
        return Finding("unproven", f"{why}: {answer.first_line!r}", len(rows), "GPUs", expected)
    return Finding("pass", f"nothing holds {count} GPUs back", len(rows), "GPUs", expected)


@pytest.mark.claim("node.clocks")
def test_clocks(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(clocks(probe, want))
