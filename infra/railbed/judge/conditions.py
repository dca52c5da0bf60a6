"""The conditions of a measurement: what a node was busy with while it was measured. Pure.

A rate that is too low on a busy node says nothing of the node's hardware. A rate that holds its floor on a busy node is a
pass: other load can only lower it, and a number above the bound is no measurement.
"""

from __future__ import annotations

from railbed.claims import FrozenModel
from railbed.defaults import CLOCK_STEP_S, CPU_BUSY_LIMIT, CPU_PRESSURE_LIMIT, STEAL_LIMIT, TIME_OFFSET_S

SEPARATOR = "--"
COMMAND = (
    f"cat /proc/uptime; echo {SEPARATOR}; date +%s.%N; echo {SEPARATOR}; head -n 1 /proc/stat; echo {SEPARATOR}; "
    "cat /proc/pressure/cpu 2>/dev/null; :"
)
"""Prints one reading. Kernels that are built or booted without pressure stall information have no /proc/pressure."""
MICROSECONDS = 1e6


class Reading(FrozenModel):
    """A node's counters at one moment."""

    uptime_s: float
    clock_s: float
    """Seconds since 1970 by the node's clock."""
    busy_ticks: int
    steal_ticks: int
    all_ticks: int
    stalled_s: float | None
    """Seconds since boot in which some task waited for a processor (proc_pressure, `some … total=`); None: not known."""


class Conditions(FrozenModel):
    """What a node did from one reading to the next."""

    seconds: float
    cpu_pressure: float | None
    """Share of the time in which some task waited for a processor; None where the kernel does not report it."""
    cpu_busy: float
    """Share of processor time that was not idle."""
    steal: float
    """Share of processor time that the hypervisor gave to others."""
    clock_step_s: float
    """How far the clock was set in between."""

    def problems(self) -> list[str]:
        """What lies outside the limits, in words; empty where the node was quiet enough."""
        found = []
        if self.cpu_pressure is not None and self.cpu_pressure > CPU_PRESSURE_LIMIT:
            found.append(f"tasks waited for a processor {self.cpu_pressure:.0%} of the time")
        if self.cpu_busy > CPU_BUSY_LIMIT:
            found.append(f"processors were busy {self.cpu_busy:.0%} of the time")
        if self.steal > STEAL_LIMIT:
            found.append(f"the hypervisor took {self.steal:.0%} of the processor time")
        if abs(self.clock_step_s) > CLOCK_STEP_S:
            found.append(f"the clock was set by {self.clock_step_s:+.3g} s")
        return found


def read(text: str) -> Reading | None:
    """A reading from what COMMAND printed; None where it is none."""
    parts = [part.split() for part in text.split(SEPARATOR)]
    try:
        uptime, clock, stat, pressure = parts
        ticks = [int(word) for word in stat[1:9]]
        user, nice, system, _idle, _iowait, irq, softirq, steal = ticks
        total = next((word for word in pressure if word.startswith("total=")), None)
        return Reading(
            uptime_s=float(uptime[0]),
            clock_s=float(clock[0]),
            busy_ticks=user + nice + system + irq + softirq,
            steal_ticks=steal,
            all_ticks=sum(ticks),
            stalled_s=None if total is None else int(total.removeprefix("total=")) / MICROSECONDS,
        )
    except (ValueError, IndexError):
        return None


def between(before: Reading, after: Reading) -> Conditions | None:
    """The conditions from one reading to the next; None where no time went by, or the node booted in between."""
    seconds = after.uptime_s - before.uptime_s
    ticks = after.all_ticks - before.all_ticks
    if seconds <= 0 or ticks <= 0:
        return None
    pressure = None
    if before.stalled_s is not None and after.stalled_s is not None:
        pressure = (after.stalled_s - before.stalled_s) / seconds
    return Conditions(
        seconds=seconds,
        cpu_pressure=pressure,
        cpu_busy=(after.busy_ticks - before.busy_ticks) / ticks,
        steal=(after.steal_ticks - before.steal_ticks) / ticks,
        clock_step_s=after.clock_s - before.clock_s - seconds,
    )


def clock_problem(node_s: float, asked_s: float, answered_s: float) -> str:
    """Why a node's clock cannot be compared with others'; empty where it may be right.

    ``asked_s`` and ``answered_s`` are railbed's clock around the reading: the node's clock must lie between them, give or
    take TIME_OFFSET_S.
    """
    off = node_s - answered_s if node_s > answered_s else min(0.0, node_s - asked_s)
    return f"its clock is off by {off:+.3g} s or more" if abs(off) > TIME_OFFSET_S else ""
