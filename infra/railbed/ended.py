"""Why a program on a node failed, as a sentence for people: from its exit status and its last words. Pure; never raises."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from railbed.run import TIMED_OUT, Result
from railbed.text import shown

SSH_FAILED = 255
"""ssh's own exit status: the command on the other side did not begin, or the connection was lost. railbed gives
it too where sudo refuses."""
MAY_NOT_RUN, NOT_FOUND = 126, 127
"""Exit statuses of shells, timeout(1) and env(1) for a program that cannot be started."""
SIGNALS = {
    134: "aborted itself (SIGABRT)", 137: "was killed (SIGKILL: out of memory, or by force)", 139: "crashed (SIGSEGV)",
    143: "was ended (SIGTERM)",
}  # fmt: skip
"""128 and the number of the signal (signal(7))."""
WORDS_CHARACTERS = 300
SHOWN_LINES = 15


@dataclass(frozen=True)
class Rule:
    """A text that a tool prints, and what it means; ``{1}`` is its first group, ``{at}`` the place."""

    text: re.Pattern[str]
    meaning: str
    statuses: frozenset[int] = frozenset()
    """Exit statuses with which the text has this meaning; none: any."""


def _rule(text: str, meaning: str, *statuses: int) -> Rule:
    return Rule(re.compile(text), meaning, frozenset(statuses))


NAME = r"['‘\"]?([^'’\"\s:/]{1,80})['’\"]?"
"""A program by its name alone, quoted or not."""
PATH = r"['‘\"]?((?:[^'’\"\s:]{0,200}/)?[^'’\"\s:/]{1,80})['’\"]?"
"""A program by its name or its path."""
FORBIDDEN = "{1} may not be executed on {at}: Permission denied"
MUNGE = "the munge key or clock of {at} differs from the controller's"

RULES = (
    # effects/remote.py, where the login of a node is not root's
    _rule(r"^(login \S+ of \S+ may not become root: .*)", "{1}", SSH_FAILED),
    # ssh (OpenSSH 8 to 10)
    _rule(r"Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED|No \S+ host key is known for",
          "the SSH host key of {at} is not the one that was made with it", SSH_FAILED),
    _rule(r"Permission denied \((?:publickey|[\w,-]*publickey)", "{at} does not accept the operator's SSH key", SSH_FAILED),
    _rule(r"Could not resolve hostname", "the address of {at} cannot be resolved", SSH_FAILED),
    _rule(r"connect to host \S+(?: port \d+)?: Connection refused", "no SSH server listens on {at}", SSH_FAILED),
    _rule(r"connect to host \S+(?: port \d+)?: (?:Connection|Operation) timed out|Connection timed out during banner",
          "{at} does not answer: the SSH connection timed out", SSH_FAILED),
    _rule(r"connect to host \S+(?: port \d+)?: (No route to host|Network is unreachable)",
          "there is no way to {at}: {1}", SSH_FAILED),
    _rule(r"Timeout, server \S+ not responding|client_loop: send disconnect|Broken pipe",
          "{at} stopped answering over SSH", SSH_FAILED),
    _rule(r"Connection (?:closed|reset) by|kex_exchange_identification", "{at} closed the SSH connection", SSH_FAILED),
    # munge (0.5) and Slurm (22.05 to 24.11)
    _rule(r"Munge (?:encode|decode) failed: Failed to (?:access|connect)", "munged does not run on {at}"),
    _rule(r"on node (\S{1,80}): (?:Zero Bytes were transmitted|Invalid (?:job |authentication )?credential)",
          "the munge key or clock of {1} differs from the controller's"),
    _rule(r"Zero Bytes were transmitted|Invalid (?:job |authentication )?credential|"
          r"Protocol authentication error|Munge (?:encode|decode) failed|(?:Expired|Rewound) credential", MUNGE),
    _rule(r"Unable to contact slurm controller|slurm_load_\w+ error: (?:Socket timed out|Connection refused)",
          "the Slurm controller does not answer {at}"),
    _rule(r"error while loading shared libraries: ([^:\s]{1,120})", "a program on {at} lacks the library {1}"),
    # programs that are missing or may not run: timeout(1) and env(1) of coreutils, shells, Slurm, Python
    _rule(rf"(?:failed to run command|env:) {PATH}: No such file or directory|execve\(\): {PATH}: No such file or directory",
          "{1} is not installed on {at}"),
    _rule(rf"(?:failed to run command|env:|execve\(\):) {PATH}: Permission denied", FORBIDDEN),
    _rule(rf"{PATH}: (?:command )?not found", "{1} is not installed on {at}", NOT_FOUND),
    _rule(rf"{PATH}: No such file or directory", "{1} is not installed on {at}", NOT_FOUND),
    _rule(rf"{PATH}: Permission denied", FORBIDDEN, MAY_NOT_RUN),
    _rule(r"Exec format error|cannot execute binary file", "{program} is no program for {at}: it was built for another machine"),
    _rule(rf"FileNotFoundError: \[Errno 2\] No such file or directory: {NAME}$", "{1} is not installed on {at}"),
    _rule(rf"PermissionError: \[Errno 13\] Permission denied: {NAME}$", FORBIDDEN),
    _rule(r"No module named ['\"]?([\w.]{1,80})", "Python on {at} lacks the module {1}"),
    _rule(r"Fatal Python error: (.{1,160})", "Python does not start on {at}: {1}"),
    # what the operating system refuses (errno(3)), as Python and coreutils print it
    _rule(r"\[Errno \d+\] ([^:'\"]{1,80}): ['\"]([^'\"]{1,160})", "{at}: {2}: {1}"),
    _rule(r"\[Errno \d+\] ([^:'\"]{1,80})", "{at}: {1}"),
    _rule(r"cannot \w+(?: \w+)? ['‘]([^'’]{1,160})['’]: (.{1,80})", "{at}: {1}: {2}"),
    # a crash that nothing above explains
    _rule(r"^(MemoryError|[A-Za-z_.]{1,60}(?:Error|Exception)(?:: .{0,200})?)$", "{program} crashed on {at}: {1}"),
)  # fmt: skip
"""In this order; the first that fits one of the last lines says it."""
LATE = re.compile(r"stopped after ([\d.]{1,12}) s$")
RANKS = re.compile(
    r"srun: error: ([\w.\[\],-]{1,120}): tasks? [\d,-]+: (?:Exited|Killed|Terminated|Segmentation|Aborted)"
)
"""Which of several nodes a step failed on."""


CRASHES = frozenset((132, 134, 135, 136, 139))
"""128 and the signals of a program's own making: SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGSEGV (signal(7))."""
OF_OTHERS = re.compile(r"tasks? [\d,-]+: (?:Killed|Terminated)\b")
"""Ranks that Slurm ended since another one had failed (`srun --kill-on-bad-exit`)."""
ERROR_LINE = re.compile(r"error|\*\*\*|PMIX|signal|fail", re.I)
"""srun and slurmstepd; Open MPI's report of a signal; PMIx; nccl-tests ("Test NCCL failure", src/common.h)."""
CANCELLED = re.compile(r"\bCANCELLED AT\b")
"""slurmstepd on the first node of a step that was ended: it says nothing of that node."""
NCCL_ERROR = "NCCL WARN"


def crashed(result: Result, nodes: Sequence[str], nccl: str = "") -> bool:
    """Whether a step over nodes ended by a crash: a signal of its own making, or an error of which srun, PMIx or NCCL's log
    names a node. A step that did not start, or that ran out of time, did not crash."""
    if result.returncode in (0, SSH_FAILED, TIMED_OUT):
        return False
    return result.returncode in CRASHES or bool(accused(f"{result.stdout}\n{result.stderr}", nodes, nccl))


def accused(said: str, nodes: Sequence[str], nccl: str = "") -> list[str]:
    """The nodes that a step's errors name, first those whose ranks were not just ended for another's sake."""
    lines = [line for line in said.splitlines() if ERROR_LINE.search(line) and not CANCELLED.search(line)]
    lines += [line for line in nccl.splitlines() if NCCL_ERROR in line]
    own = [line for line in lines if not OF_OTHERS.search(line)]
    return _named(own, nodes) or _named(lines, nodes)


def _named(lines: Sequence[str], nodes: Sequence[str]) -> list[str]:
    text = "\n".join(lines)
    return [name for name in nodes if re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text)]


def why(result: Result, program: str, place: str) -> str:
    """One sentence. ``program`` is what railbed ran, in words; ``place`` the node that it ran on."""
    return sentence(program, result.returncode, result.tail(), place)


def sentence(program: str, status: int, said: str, place: str) -> str:
    """The same from the exit status and the last words. Of a step over several nodes the one that failed is named."""
    known = meaning(program, status, said, place)
    if known:
        return known
    lines = _lines(said)
    at, last = _failed_on(lines) or place, lines[-1] if lines else ""
    late = LATE.search(last)
    if late or status == TIMED_OUT:
        return f"{program} on {at} did not end" + (f" within {late[1]} s" if late else " in its time")
    if status == SSH_FAILED:
        return f"SSH to {at} failed: {last or 'it said nothing'}"
    ended = SIGNALS.get(status, f"ended with {status}")
    return f"{program} on {at} {ended}" + (f": {last}" if last else " and said nothing")


def meaning(program: str, status: int, said: str, place: str) -> str:
    """The sentence of the first rule that fits; empty where none does."""
    lines = _lines(said)
    at = _failed_on(lines) or place
    for rule in RULES:
        if rule.statuses and status not in rule.statuses:
            continue
        for line in reversed(lines):
            found = rule.text.search(line)
            if found:
                groups = [group for group in found.groups() if group]
                return rule.meaning.format("", *groups, at=at, program=program)
    return ""


def _lines(said: str) -> list[str]:
    return [shown(line, WORDS_CHARACTERS) for line in said.splitlines()[-SHOWN_LINES:] if line.strip()]


def _failed_on(lines: list[str]) -> str:
    return next((found[1] for line in lines if (found := RANKS.search(line))), "")
