"""The clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from railbed.validate.node.healthcheck import NOT_FOUND, Answer, Finding, Probe

SYNC_TRIES = 8
"""Seconds that a daemon which has just started may take to find its source."""
FIELDS = 14


def _tracking(answer: Answer) -> list[str]:
    fields = answer.out.strip().split(",")
    return fields if answer.code == 0 and len(fields) == FIELDS else []


def clock(probe: Probe, want: dict[str, Any]) -> Finding:
    """chrony follows a source and the clock is within ``time_offset_s`` of it (`chronyc -c tracking`)."""
    bound = float(want["time_offset_s"])
    ask = ["chronyc", "-n", "-c", "tracking"]
    answer = probe.run(ask)
    if answer.code == NOT_FOUND:
        return Finding("unproven", "chronyc is not installed", expected=bound, unit="s")
    fields = _tracking(answer)
    if fields and fields[13] != "Normal":
        probe.run(["chronyc", "waitsync", str(SYNC_TRIES), f"{bound:g}", "0", "1"], SYNC_TRIES + 2)
        answer = probe.run(ask)
        fields = _tracking(answer)
    if not fields:
        return Finding("fail", f"chronyd does not answer: {answer.first_line}", None, "s", bound, ("time",))
    try:
        offset_s = abs(float(fields[4]))
    except ValueError:
        return Finding("unproven", f"chronyc printed {fields[4]!r} for the offset", expected=bound, unit="s")
    if fields[13] != "Normal":
        return Finding("fail", f"not synchronised: {fields[13]}", offset_s, "s", bound, ("time",))
    if offset_s > bound:
        told = f"{offset_s:g} s off {fields[1]}, more than {bound:g} s"
        return Finding("fail", told, offset_s, "s", bound, ("time",))
    source = fields[1] or "its own reference"
    return Finding("pass", f"synchronised to {source}, stratum {fields[2]}", offset_s, "s", bound)


@pytest.mark.claim("node.time")
def test_clock(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(clock(probe, want))
