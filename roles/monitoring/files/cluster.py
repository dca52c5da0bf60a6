#!/usr/bin/python3
"""States of the scheduler and what nodes report, as a text file of the Prometheus node exporter. Standard library only.

usage: cluster.py FILE

Runs on a controller as a user without rights, and asks with `scontrol` alone. What does not answer is said to be unread and
has no samples: a zero would be a measurement. Exit status 0: the file was written.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ASK_TIMEOUT_S = 10
"""Of one scontrol; slurmctld answers within milliseconds, and the timer comes again."""
PREFIX = "railbed_slurm"
HELP = {
    "unread": "1 where this could not be asked this time; without it there are no other samples of it.",
    "controller_up": "Whether the scheduler's controller answers.",
    "node_down": "Whether the scheduler has the node down, or does not hear it.",
    "node_drained": "Whether the scheduler gives the node no new job by somebody's will.",
    "node_held": "Whether a reservation for maintenance (flag MAINT) keeps users' jobs off the node, as railbed's own does.",
    "node_invalid": "Whether the node registered with less than its line of slurm.conf promises.",
    "node_report": "1 for each fault that the node's health check reports, by its code.",
}  # fmt: skip
"""Metric → meaning; all are gauges."""
PING = re.compile(r"^Slurmctld\(\w+\) at (\S+) is (UP|DOWN)\s*$", re.M)
NAME = re.compile(r"^NodeName=(\S+) ")
STATE = re.compile(r" State=(\S+)")
COMMENT = re.compile(r" Comment=\[railbed:health\] (.*?)(?: \w+=|$)")
CODE = re.compile(r"(?:^|\| )([a-z-]+)\(")
"""One fault of a report: ``code(subject) text | code(subject) text``."""


class Sample(NamedTuple):
    """One value of a metric."""

    metric: str
    labels: dict[str, str]
    value: int


class Unread(Exception):
    """The scheduler did not answer."""


def ask(words: list[str]) -> str:
    """What scontrol prints. Raises Unread where it is missing, hangs or fails."""
    try:
        done = subprocess.run(
            ["scontrol", *words], capture_output=True, text=True, timeout=ASK_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as failed:
        raise Unread(f"scontrol {' '.join(words)}: {failed}") from None
    # `scontrol ping` ends with 1 where a controller is down, and says which.
    if done.returncode and not PING.search(done.stdout):
        raise Unread(f"scontrol {' '.join(words)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def controllers() -> Iterator[Sample]:
    """Whether each controller answers. Raises Unread."""
    found = PING.findall(ask(["ping"]))
    if not found:
        raise Unread("scontrol ping names no controller")
    for name, state in found:
        yield Sample("controller_up", {"controller": name}, int(state == "UP"))


def nodes() -> Iterator[Sample]:
    """State and report of each node. Raises Unread."""
    lines = [line for line in ask(["show", "node", "--oneliner"]).splitlines() if NAME.match(line)]
    if not lines:
        raise Unread("scontrol shows no node")
    for line in lines:
        yield from node(line)


def node(line: str) -> Iterator[Sample]:
    """One node, from its line of `scontrol show node --oneliner`."""
    named, stated = NAME.match(line), STATE.search(line)
    if not named or not stated:
        return
    labels, state = {"node": named[1]}, stated[1]
    # Slurm marks a node that does not answer with a star behind its state.
    words = set(state.replace("*", "+NOT_RESPONDING").split("+"))
    yield Sample("node_down", labels, int(bool(words & {"DOWN", "UNKNOWN", "ERROR", "NOT_RESPONDING"})))
    yield Sample("node_drained", labels, int(bool(words & {"DRAIN", "DRAINED", "DRAINING"})))
    # Nodes of any reservation are RESERVED, somebody's jobs run there; with Flags=MAINT they are MAINTENANCE too.
    yield Sample("node_held", labels, int(bool(words & {"MAINTENANCE", "MAINT"})))
    yield Sample("node_invalid", labels, int("INVALID_REG" in words))
    report = COMMENT.search(line)
    for code in sorted(set(CODE.findall(report[1] if report else ""))):
        yield Sample("node_report", {**labels, "code": code}, 1)


PARTS = {"controllers": controllers, "nodes": nodes}


def collect() -> Iterator[Sample]:
    """Everything, each part preceded by whether it could be asked."""
    for part, samples in PARTS.items():
        try:
            found = list(samples())
        except Unread as failed:
            print(failed, file=sys.stderr)
            yield Sample("unread", {"part": part}, 1)
            # Nobody answers: that is what an alert has to see.
            if part == "controllers":
                yield Sample("controller_up", {"controller": "any"}, 0)
            continue
        yield Sample("unread", {"part": part}, 0)
        yield from found


def text(samples: Iterable[Sample]) -> str:
    """Prometheus' text format: the samples of a metric together, after its meaning."""
    by_metric: dict[str, list[str]] = {}
    for metric, labels, value in samples:
        inside = ",".join(f'{name}="{_escaped(label)}"' for name, label in labels.items())
        by_metric.setdefault(metric, []).append(f"{PREFIX}_{metric}{{{inside}}} {value}\n")
    return "".join(
        f"# HELP {PREFIX}_{metric} {HELP[metric]}\n# TYPE {PREFIX}_{metric} gauge\n{''.join(lines)}"
        for metric, lines in by_metric.items()
    )


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def write(path: Path, content: str) -> None:
    """Replaces the file in one step: the exporter never reads half of it."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    beside = Path(name)
    try:
        with os.fdopen(handle, "w") as out:
            out.write(content)
        beside.chmod(0o644)
        beside.replace(path)
    except OSError:
        beside.unlink()
        raise


if __name__ == "__main__":
    write(Path(sys.argv[1]), text(collect()))
