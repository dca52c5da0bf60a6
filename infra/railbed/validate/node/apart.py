"""Checks in a process apart, each with a deadline: one that hangs, in the kernel too, costs its own claim and no other.

A plugin of pytest by its public hooks. The parent forks; the child runs the checks as pytest would, and sends the reports and
records of each as one line of JSON through a pipe. Where a line is late the parent leaves that child, and forks again for the
checks that are left. It never waits for a child that it left: a process that sleeps in the kernel takes no signal. On a healthy
node that is one fork, and 6 % more time of 38 checks (2026-12-03); one for each check made it half as long again.
"""

from __future__ import annotations

import json
import os
import select
import signal
import stat
import time
from collections.abc import Callable
from typing import Any, Optional

import pytest

CHECK_S = 70.0
"""Of one check: the slowest waits 60 s for the training stack to load, and ends by itself before."""
LEAST_S = 3.0
"""What a check gets where others have used up the time of the suite."""
RESERVE_S = 5.0
"""Of the suite's time, for its start and its end."""
MOST_BYTES = 16 * 1024 * 1024
LATE_S = 2
"""So much later than the parent's kill a child ends itself, should the parent be gone."""
STREAMS = (stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR)


class _Lines:
    """Lines from a pipe, each within a time."""

    def __init__(self, reading: int) -> None:
        self.reading = reading
        self.rest = b""

    def next(self, timeout_s: float) -> Optional[bytes]:
        """The next line; empty where there is none any more, None where it did not come in time or was far too long."""
        end = time.monotonic() + timeout_s
        parts, size = [self.rest], len(self.rest)
        while b"\n" not in parts[-1]:
            left_s = end - time.monotonic()
            if left_s <= 0 or size > MOST_BYTES or not select.select([self.reading], [], [], left_s)[0]:
                return None
            part = os.read(self.reading, 1 << 16)
            if not part:
                return b""
            parts.append(part)
            size += len(part)
        line, _, self.rest = b"".join(parts).partition(b"\n")
        return line


class Apart:
    """``give`` and ``take``: what a child has to tell beside its reports, as JSON data. ``lost(item, reason)`` hears of a check
    that gave nothing. ``suite_s``: for all, on a node of ``slowdown`` 1."""

    def __init__(
        self, config: Any, give: Callable[[], Any], take: Callable[[Any], None], lost: Callable[[Any, str], None],
        *, suite_s: float, slowdown: float,
    ) -> None:  # fmt: skip
        self.config, self.give, self.take, self.lost = config, give, take, lost
        self.end = time.monotonic() + (suite_s - RESERVE_S) * slowdown
        self.slowdown = slowdown
        self.pipe: Optional[int] = None
        """In a child: where its answer goes."""
        self.reports: list[Any] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: Any) -> Optional[bool]:
        """In a child nothing: pytest goes on with its checks. In the parent all are done."""
        if session.testsfailed or not session.items:
            # What could not be collected is pytest's to tell.
            return None
        left = list(session.items)
        while left:
            reading, writing = os.pipe()
            child = os.fork()
            if child == 0:
                os.close(reading)
                self._become(writing)
                session.items[:] = left
                return None
            os.close(writing)
            left = self._watch(_Lines(reading), child, left)
            os.close(reading)
        return True

    def _watch(self, lines: _Lines, child: int, items: list[Any]) -> list[Any]:
        """Takes what a child says of its checks, one after the other; returns those that it left."""
        for place, item in enumerate(items):
            limit_s = min(CHECK_S * self.slowdown, self.end - time.monotonic())
            limit_s = round(max(LEAST_S * self.slowdown, limit_s), 1)
            line = lines.next(limit_s)
            if line is None:
                _kill(child)
                self.lost(item, f"the check did not end within {limit_s:g} s")
                return items[place + 1 :]
            if not line:
                _, status = os.waitpid(child, 0)
                signalled = os.WIFSIGNALED(status)
                how = f"signal {os.WTERMSIG(status)}" if signalled else str(os.WEXITSTATUS(status))
                self.lost(item, f"the check crashed: its process ended with {how} and said nothing")
                return items[place + 1 :]
            self._told(item, json.loads(line))
        _kill(child)
        return []

    def _told(self, item: Any, answer: dict[str, Any]) -> None:
        self.take(answer["told"])
        hook = item.ihook
        hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for data in answer["reports"]:
            # What a skipped test has for its representation is a tuple, and a list in JSON.
            if isinstance(data.get("longrepr"), list):
                data["longrepr"] = tuple(data["longrepr"])
            report = self.config.hook.pytest_report_from_serializable(config=self.config, data=data)
            hook.pytest_runtest_logreport(report=report)
        hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

    def _become(self, writing: int) -> None:
        """Makes this process the child: it holds none of the parent's streams open, and prints nothing."""
        os.setpgid(0, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        self.pipe = writing
        nothing = os.open(os.devnull, os.O_RDWR)
        for name in os.listdir("/proc/self/fd"):
            held = int(name)
            try:
                kind = stat.S_IFMT(os.fstat(held).st_mode)
            except OSError:
                continue
            if held not in (writing, nothing) and kind in STREAMS:
                os.dup2(nothing, held)
        reporter = self.config.pluginmanager.getplugin("terminalreporter")
        if reporter is not None:
            self.config.pluginmanager.unregister(reporter)

    def pytest_runtest_logstart(self) -> None:
        if self.pipe is not None:
            signal.alarm(int(CHECK_S * self.slowdown) + LATE_S)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if self.pipe is not None:
            hook = self.config.hook
            self.reports.append(hook.pytest_report_to_serializable(config=self.config, report=report))

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logfinish(self) -> None:
        """The child is done with a check."""
        if self.pipe is None:
            return
        answer = json.dumps({"told": self.give(), "reports": self.reports}, default=str).encode() + b"\n"
        self.reports = []
        while answer:
            answer = answer[os.write(self.pipe, answer) :]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """A child ends here, before it writes the parent's results."""
        if self.pipe is not None:
            os._exit(1)


def _kill(child: int) -> None:
    for end in (os.killpg, os.kill):
        try:
            end(child, signal.SIGKILL)
        except OSError:
            continue
    os.waitpid(child, os.WNOHANG)
