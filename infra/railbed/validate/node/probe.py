"""How a check reads the node that it runs on, and what it can find. Python 3.9, standard library only."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Optional, Union

COMMAND_TIMEOUT_S = 10
KILL_GRACE_S = 1
"""A killed process ends within milliseconds, unless it waits inside the kernel (state D)."""
READ_S = 0.5
"""For what a process has written by then, when others beside it used up the time."""
TIMED_OUT = 124
MOST_BYTES = 65_536
NOT_RUN = 125
NOT_EXECUTABLE = 126
NOT_FOUND = 127


@dataclass(frozen=True)
class Symptom:
    """One fault as a check saw it; ``code`` is a row of ``faults.FAULTS``."""

    code: str
    subject: str
    """What is broken: ``gpu 5``, ``rail 3``, ``/scratch``, …"""
    text: str


@dataclass(frozen=True)
class Finding:
    """What one check saw. ``parts`` name what is broken: ``gpu 5``, ``rail 3``, ``driver``, ``storage``, …"""

    verdict: str
    reason: str
    measured: Union[float, str, None] = None
    unit: str = ""
    expected: Union[float, str, None] = None
    parts: tuple[str, ...] = ()
    symptoms: tuple[Symptom, ...] = ()


@dataclass(frozen=True)
class Answer:
    """How a command ended.

    ``code`` is 124 when its time ran out, 125 when none was left to start it, 126 when it cannot be run, 127 when it is not
    installed.
    """

    code: int
    out: str
    err: str

    @property
    def first_line(self) -> str:
        """The first thing that it said."""
        lines = (self.out + "\n" + self.err).splitlines()
        return next((line.strip() for line in lines if line.strip()), "nothing")


@dataclass(frozen=True)
class Stuck:
    """A process that was killed and did not end; ``started`` is its start in clock ticks since boot (proc_pid_stat(5))."""

    pid: int
    started: str


def read_stuck(found: Any) -> dict[str, Stuck]:
    """Command line → its process, from JSON that another version of the program may have written."""
    known = found.items() if isinstance(found, dict) else ()
    return {
        key: Stuck(one["pid"], one["started"])
        for key, one in known
        if isinstance(one, dict) and isinstance(one.get("pid"), int) and isinstance(one.get("started"), str)
    }


class Probe:
    """How a check reads the node it runs on.

    ``deadline_s`` (``time.monotonic``) bounds all commands together. ``stuck`` maps a command line to its process of an
    earlier run that could not be ended: while that lives the command is not started again, or one would be left at every run.
    A program that did not answer in time is not asked again: a GPU that hangs would use up everybody's time.
    """

    def __init__(
        self, root: str = "", deadline_s: Optional[float] = None, stuck: Optional[dict[str, Stuck]] = None
    ) -> None:
        self.root = root
        self.deadline_s = deadline_s
        self.stuck = {key: one for key, one in (stuck or {}).items() if _started(one.pid) == one.started}
        self.silent: dict[str, Answer] = {}

    def hangs(self, program: str) -> bool:
        """Whether some process of the program, whatever it was asked, could not be ended."""
        return any(line.split()[0] == program for line in self.stuck)

    def hung_s(self, program: str) -> float:
        """How long the oldest process of the program that could not be ended has been there, seconds; 0 where there is none."""
        starts = [
            int(one.started) for line, one in self.stuck.items() if line.split()[0] == program and one.started
        ]
        if not starts:
            return 0.0
        with open("/proc/uptime") as source:
            return float(source.read().split()[0]) - min(starts) / os.sysconf("SC_CLK_TCK")

    def run(self, argv: Sequence[str], timeout_s: float = COMMAND_TIMEOUT_S) -> Answer:
        """Runs a command to its end."""
        answer = self.silent.get(argv[0]) or self.execute(argv, timeout_s)
        if answer.code == TIMED_OUT:
            self.silent[argv[0]] = answer
        return answer

    def execute(self, argv: Sequence[str], timeout_s: float) -> Answer:
        """Runs a command, whatever its program did before."""
        return self.together([argv], timeout_s)[0]

    def together(
        self, commands: Sequence[Sequence[str]], timeout_s: float = COMMAND_TIMEOUT_S
    ) -> list[Answer]:
        """Runs commands side by side, each to its end; what does not end is killed, and waited for no longer."""
        end = time.monotonic() + timeout_s
        if self.deadline_s is not None:
            end = min(end, self.deadline_s)
        started = [self._start(argv, end) for argv in commands]
        return [
            one if isinstance(one, Answer) else self._finish(argv, one, end, timeout_s)
            for argv, one in zip(commands, started)  # noqa: B905 - Python 3.9
        ]

    def _start(self, argv: Sequence[str], end: float) -> Union[Answer, subprocess.Popen[str]]:
        if " ".join(argv) in self.stuck:
            return Answer(
                TIMED_OUT, "", f"{argv[0]}: no answer, and the process of an earlier check cannot be ended"
            )
        if time.monotonic() >= end:
            return Answer(NOT_RUN, "", f"{argv[0]}: no time was left to run it")
        try:
            return subprocess.Popen(
                list(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                errors="replace",
            )  # fmt: skip
        except FileNotFoundError:
            return Answer(NOT_FOUND, "", f"{argv[0]}: not found")
        except OSError as refused:
            return Answer(NOT_EXECUTABLE, "", f"{argv[0]}: {refused.strerror}")

    def _finish(
        self, argv: Sequence[str], child: subprocess.Popen[str], end: float, timeout_s: float
    ) -> Answer:
        try:
            out, err = child.communicate(timeout=max(READ_S, end - time.monotonic()))
            return Answer(child.returncode, out, err)
        except subprocess.TimeoutExpired:
            child.kill()
        try:
            child.communicate(timeout=KILL_GRACE_S)
        except subprocess.TimeoutExpired:
            # subprocess.run would wait for it for ever.
            self.stuck[" ".join(argv)] = Stuck(child.pid, _started(child.pid))
        return Answer(TIMED_OUT, "", f"{argv[0]}: no answer within {timeout_s:g} s")

    def read(self, path: str) -> Optional[str]:
        """Text of a file; None where there is none, or where the kernel refuses to read it."""
        try:
            with open(self.root + path, errors="replace") as source:
                return source.read()
        except OSError:
            return None

    def get(self, url: str, headers: dict[str, str], timeout_s: float) -> Optional[str]:
        """What the provider's metadata service answers, never by a proxy; None where it does not."""
        # Costs more than a check without it.
        import http.client
        import urllib.request

        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(urllib.request.Request(url, headers=headers), timeout=timeout_s) as answer:
                return str(answer.read(MOST_BYTES).decode(errors="replace"))
        except (OSError, http.client.HTTPException):
            return None

    def raw(self, path: str) -> Optional[bytes]:
        """Bytes of a file; None as for ``read``."""
        try:
            with open(self.root + path, "rb") as source:
                return source.read()
        except OSError:
            return None

    def target(self, path: str) -> str:
        """Where a link of sysfs leads, without the folder in front; empty where there is none."""
        found = os.path.realpath(self.root + path)
        front = os.path.realpath(self.root or "/")
        return "/" + os.path.relpath(found, front) if os.path.exists(found) else ""

    def names(self, folder: str) -> list[str]:
        """Names in a folder; empty where there is none."""
        try:
            return sorted(os.listdir(self.root + folder))
        except OSError:
            return []


def _started(pid: int) -> str:
    """When a process started, in clock ticks since boot; empty where there is none, or only what is left of it."""
    try:
        with open(f"/proc/{pid}/stat") as source:
            state, *fields = source.read().rsplit(")", 1)[1].split()
    except OSError:
        return ""
    return "" if state in "ZX" else fields[18]


Check = Callable[[Probe, dict[str, Any]], Finding]
