"""The clock, as chrony reports it (`chronyc -c tracking`)."""

from __future__ import annotations

from typing import Any

from railbed.validate.node.probe import NOT_FOUND, NOT_RUN, TIMED_OUT, Answer, Finding, Probe, Symptom

SYNC_TRIES = 8
"""Seconds that a daemon which has just started may take to find its source."""
FIELDS = 14
OWN_CLOCK = "7F7F0101"
"""Reference of a chronyd that serves its own clock (`local` of chrony.conf(5)): 127.127.1.1."""
CONTAINER = "/run/systemd/container"
"""What systemd runs in, where that is a container: its clock is its host's (systemd.io, Container Interface)."""
ASK = ("chronyc", "-n", "-c", "tracking")


def _tracking(answer: Answer) -> list[str]:
    fields = answer.out.strip().split(",")
    return fields if answer.code == 0 and len(fields) == FIELDS else []


def clock(probe: Probe, want: dict[str, Any]) -> Finding:
    """As ``clock_now``, but a daemon that has just started may find its source first."""
    fields = _tracking(probe.run(ASK))
    if fields and fields[13] != "Normal":
        bound = float(want["time_offset_s"])
        probe.run(["chronyc", "waitsync", str(SYNC_TRIES), f"{bound:g}", "0", "1"], SYNC_TRIES + 2)
    return clock_now(probe, want)


def clock_now(probe: Probe, want: dict[str, Any]) -> Finding:
    """chrony follows a source and the clock is within ``time_offset_s`` of it."""
    bound = float(want["time_offset_s"])
    answer = probe.run(ASK)
    if answer.code == NOT_FOUND:
        return Finding("unproven", "chronyc is not installed", expected=bound, unit="s")
    if answer.code in (TIMED_OUT, NOT_RUN):
        return Finding("unproven", answer.first_line, expected=bound, unit="s")
    fields = _tracking(answer)
    if not fields:
        return _wrong(f"chronyd does not answer: {answer.first_line}", None, bound)
    try:
        offset_s = abs(float(fields[4]))
    except ValueError:
        return Finding("unproven", f"chronyc printed {fields[4]!r} for the offset", expected=bound, unit="s")
    if fields[13] != "Normal":
        return _wrong(f"not synchronised: {fields[13]}", offset_s, bound)
    if offset_s > bound:
        return _wrong(f"{offset_s:g} s off {fields[1]}, more than {bound:g} s", offset_s, bound)
    if fields[0] == OWN_CLOCK and want.get("time_source") and not probe.read(CONTAINER):
        reason = "the node follows its own clock and no NTP server (`site.ntp` of the spec)"
        return Finding("unproven", reason, offset_s, "s", bound)
    source = fields[1] or "its own reference"
    return Finding("pass", f"synchronised to {source}, stratum {fields[2]}", offset_s, "s", bound)


def _wrong(reason: str, offset_s: float | None, bound: float) -> Finding:
    return Finding("fail", reason, offset_s, "s", bound, ("time",), (Symptom("time-wrong", "clock", reason),))
