"""Watches the nodes of a measurement: a reading before, one after, and what lies between."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from railbed.defaults import SSH_FANOUT
from railbed.effects.remote import Remote
from railbed.judge import conditions
from railbed.judge.conditions import Conditions, Reading

CONDITIONS_TIMEOUT_S = 10.0
UNREAD = "its conditions could not be read"
"""Whether such a node was quiet is not known: what is low there accuses nobody."""


@dataclass
class Watch:
    """Conditions of each node of one measurement; complete once the measurement is over."""

    seen: dict[str, Conditions] = field(default_factory=dict)
    clocks: dict[str, str] = field(default_factory=dict)
    """Node → why its clock cannot be compared with the others'."""
    unread: set[str] = field(default_factory=set)
    """Nodes that gave no conditions."""

    def problems(self, nodes: Iterable[str] | None = None, *, clocks: bool = False) -> dict[str, list[str]]:
        """Node → what was outside the limits or is not known, for those of ``nodes`` (None: all) where something was.

        ``clocks``: whether the measurement compares the clocks of its nodes.
        """
        wanted = set(self.seen) | set(self.clocks) | self.unread if nodes is None else set(nodes)
        found: dict[str, list[str]] = {}
        for node in sorted(wanted):
            said = self.seen[node].problems() if node in self.seen else []
            if node in self.unread:
                said.append(UNREAD)
            if clocks and node in self.clocks:
                said.append(self.clocks[node])
            if said:
                found[node] = said
        return found

    def plain(self) -> dict[str, Any]:
        """As JSON data, for the evidence."""
        read = {node: one.model_dump(mode="json") for node, one in sorted(self.seen.items())}
        return read | dict.fromkeys(sorted(self.unread), UNREAD)


def words(problems: Mapping[str, list[str]]) -> str:
    """``conditions: …`` in one line; nodes with the same trouble together; empty where there is none."""
    nodes: dict[str, list[str]] = {}
    for node, said in problems.items():
        nodes.setdefault(", ".join(said), []).append(node)
    if not nodes:
        return ""
    return "conditions: " + "; ".join(f"{what} on {', '.join(names)}" for what, names in nodes.items())


@contextmanager
def watch(remote: Remote, nodes: Iterable[str]) -> Iterator[Watch]:
    """Reads the nodes' counters before and after the body. A node that gives none, or was booted between, has conditions
    that nobody knows."""
    names = list(nodes)
    found = Watch()
    before = _readings(remote, names)
    yield found
    for node, (reading, clock) in _readings(remote, names).items():
        first = before[node][0]
        one = conditions.between(first, reading) if first and reading else None
        if one is None:
            found.unread.add(node)
        else:
            found.seen[node] = one
        if clock:
            found.clocks[node] = clock


def _readings(remote: Remote, nodes: list[str]) -> dict[str, tuple[Reading | None, str]]:
    """Node → its reading, and what is wrong with its clock."""

    def ask(node: str) -> tuple[Reading | None, str]:
        asked = time.time()
        result = remote.run(node, conditions.COMMAND, timeout_s=CONDITIONS_TIMEOUT_S, check=False)
        answered = time.time()
        reading = conditions.read(result.stdout) if result.ok else None
        clock = conditions.clock_problem(reading.clock_s, asked, answered) if reading else ""
        return reading, clock

    return remote.each(nodes, ask, SSH_FANOUT)
