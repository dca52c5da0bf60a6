"""Tells a boot that hangs from one that is slow. Pure but for the reading of a process's time.

Emulated with several processors, QEMU 7.2 now and then hangs early in the kernel's start. Once both processors were halted,
the local APIC with a timer interrupt in service for ever; once both were busy for ten minutes without a word. A reset gets a
machine going; one that hangs for a reason of its own hangs again, and its console is shown.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

IDLE_S, IDLE_SHARE = 90.0, 0.03
"""A machine that uses less of one processor for so long waits for nothing. One that a busy computer starves uses more."""
BUSY_S = 60.0
"""Processor seconds: more than a whole boot takes (about 50 s, measured), and a boot reads its disk all along."""


@dataclass
class Stall:
    """What was seen of one boot. Progress is any change of a number, as bytes written to the console, or requests to the disk."""

    resets: int = 0
    _progress: tuple[int, ...] = ()
    _moved_used_s: float = 0.0
    _window_s: float = 0.0
    _window_used_s: float = 0.0

    def seen(self, now_s: float, used_s: float, progress: tuple[int, ...]) -> bool:
        """True where nothing moved while the machine was idle for ``IDLE_S`` seconds, or used ``BUSY_S`` processor seconds.

        ``now_s``: of any monotonic clock; ``used_s``: processor seconds of the machine's process.
        """
        if progress != self._progress:
            self._progress = progress
            self._begin(now_s, used_s)
            return False
        waited_s, window_used_s = now_s - self._window_s, used_s - self._window_used_s
        if used_s - self._moved_used_s > BUSY_S or (
            waited_s >= IDLE_S and window_used_s < IDLE_SHARE * waited_s
        ):
            self.resets += 1
            self._begin(now_s, used_s)
            return True
        if waited_s >= IDLE_S:
            self._window_s, self._window_used_s = now_s, used_s
        return False

    def _begin(self, now_s: float, used_s: float) -> None:
        self._moved_used_s = used_s
        self._window_s, self._window_used_s = now_s, used_s


def used_s(pidfile: Path) -> float:
    """Processor seconds of the process that the file names; 0 where it is gone."""
    try:
        fields = Path(f"/proc/{int(pidfile.read_text())}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
