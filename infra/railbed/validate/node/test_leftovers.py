"""Leftovers: what a job left behind takes memory, processors or a GPU of the next one. Nothing is ended or removed here.

Checked only where no job runs: there ordinary users have no processes, no GPU has any, and nobody's shared memory or semaphores
lie about. POSIX ones are files below /dev/shm (shm_overview(7), sem_overview(7)), System V ones stand in /proc/sysvipc
(sysvipc(7)). Whose processes are: ``process_table.py``.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from railbed.validate.node.gpus import hidden_by
from railbed.validate.node.probe import Finding, Probe
from railbed.validate.node.process_table import STEP, in_login, is_step, ordinary, table_of

ASK = ["nvidia-smi", "-q", "-x"]
"""As other checks ask it. `--query-compute-apps` returns the same for no process and for none that it may see."""
GPU = re.compile(r'<gpu id="([0-9A-Fa-f:.]+)">(.*?)</gpu>', re.S)
LISTED = re.compile(r"<processes>(.*?)</processes>", re.S)
APP = re.compile(r"<process_info>(.*?)</process_info>", re.S)
COMPUTES = "C"
"""In a process' type: C, C+G or M+C (nvidia-smi manual); G alone draws."""
SHARED_FILES = ["find", "/dev/shm", "-xdev", "-mindepth", "1", "!", "-type", "d", "-printf", r"%U %s %f\n"]
SHARED_FILE = re.compile(r"^(\d+) (\d+) (.*)$", re.M)
TRIES, PAUSE_S = 4, 1.0
"""A step that is over, and what it kept, may take seconds to end."""
EXPECTED = "none"
NAMED = 4


@dataclass
class Seen:
    """One check. ``obstacle``: why it proves nothing."""

    obstacle: str = ""
    found: list[str] = field(default_factory=list)


def _processes(probe: Probe, seen: Seen) -> None:
    table = table_of(probe)
    if 1 not in table:
        seen.obstacle = seen.obstacle or "/proc does not show the processes of others"
    inside = {number for number in table if in_login(number, table)}
    # All of theirs: a manager of the user's services and a terminal that outlives a connection are below no login.
    logged_in = {table[number].uid for number in inside}
    for number, one in sorted(table.items()):
        if is_step(probe, number, one):
            seen.obstacle = f"a step of a job runs here: process {number} is {STEP}"
        if ordinary(one.uid) and one.uid not in logged_in:
            seen.found.append(f"process {number} ({one.name}) of user {one.uid}")


def _gpus(probe: Probe, seen: Seen) -> None:
    answer = probe.run(ASK)
    lists = [(gpu, LISTED.search(text)) for gpu, text in GPU.findall(answer.out)]
    listings = [(gpu, listed[1].strip()) for gpu, listed in lists if listed]
    if (
        answer.code
        or not lists
        or len(listings) < len(lists)
        or any(text and not APP.search(text) for _, text in listings)
    ):
        why = f"blocked by {hidden_by(answer)}: nvidia-smi does not list the processes of every GPU"
        seen.obstacle = seen.obstacle or why
    for gpu, text in listings:
        for app in APP.findall(text):
            known = dict(re.findall(r"<(pid|type|process_name)>([^<]*)<", app))
            if COMPUTES in known.get("type", COMPUTES):
                seen.found.append(f"process {known.get('pid')} ({known.get('process_name')}) on GPU {gpu}")


def _shared(probe: Probe, seen: Seen) -> None:
    files = probe.run(SHARED_FILES)
    if files.code:
        seen.obstacle = seen.obstacle or f"/dev/shm cannot be listed: {files.first_line}"
    for uid, size, name in SHARED_FILE.findall(files.out):
        if ordinary(int(uid)):
            seen.found.append(f"/dev/shm/{name} ({size} B) of user {uid}")
    for what, place in (("shm", 7), ("sem", 4)):
        rows = (probe.read(f"/proc/sysvipc/{what}") or "").splitlines()
        if not rows or "key" not in rows[0]:
            seen.obstacle = seen.obstacle or f"/proc/sysvipc/{what} cannot be read"
        for row in rows[1:]:
            columns = row.split()
            if len(columns) > place and columns[place].isdigit() and ordinary(int(columns[place])):
                kind = "shared memory" if what == "shm" else "semaphores"
                seen.found.append(f"System V {kind} {columns[1]} of user {columns[place]}")


def inspect(probe: Probe, want: dict[str, Any]) -> Seen:
    """All that is left of jobs, and what hides some of it."""
    seen = Seen()
    _processes(probe, seen)
    if want["gpus"]:
        _gpus(probe, seen)
    _shared(probe, seen)
    return seen


def leftovers(probe: Probe, want: dict[str, Any]) -> Finding:
    """Nothing is left where no job runs; a node with a job is not accused."""
    if want["job"]:
        return Finding("unproven", want["job"], expected=EXPECTED)
    seen = inspect(probe, want)
    for _ in range(TRIES - 1):
        if not (seen.found or STEP in seen.obstacle):
            break
        time.sleep(PAUSE_S)
        seen = inspect(probe, want)
    if STEP in seen.obstacle:
        return Finding("unproven", seen.obstacle, expected=EXPECTED)
    if seen.found:
        more = f" and {len(seen.found) - NAMED} more" if len(seen.found) > NAMED else ""
        reason = f"no job runs here, and it has {', '.join(seen.found[:NAMED])}{more}"
        return Finding("fail", reason, float(len(seen.found)), "leftovers", EXPECTED, ("leftovers",))
    if seen.obstacle:
        return Finding("unproven", seen.obstacle, expected=EXPECTED)
    return Finding(
        "pass", "no process, GPU process, shared memory or semaphores of users", EXPECTED, "", EXPECTED
    )


@pytest.mark.claim("node.leftovers")
def test_leftovers(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(leftovers(probe, want))
