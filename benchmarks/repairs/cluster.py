"""Slurm, the nodes and the journal as a model with a simulated clock, and what railbed sees of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import simpy
from tests.unit.validate.conftest import make_contract, make_node

from railbed.contract import Contract
from railbed.defaults import ACCEPTANCE_RESERVATION
from railbed.effects.journal import Journal
from railbed.effects.journal_index import Entry, Index, named
from railbed.operate import breaker, lifecycle, past, standing
from railbed.operate.lifecycle import Event, Place, State
from railbed.operate.picture import Picture
from railbed.parse.slurm import Job, NodeState, Reservation

from .faults import Fault
from .settings import HOUR_S, Setting

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
JOB = Job("1", "ada", "pretrain", "RUNNING", ())
HEALTHY = Place(State.HEALTHY, proven=True)


class Kept(Index):
    """A journal's events, found as in a file."""

    def __init__(self) -> None:
        self.of_node: defaultdict[str, list[Entry]] = defaultdict(list)
        self.of_kind: defaultdict[str, list[Entry]] = defaultdict(list)

    def of(self, node: str) -> Iterator[Entry]:
        return iter(self.of_node[node][::-1])

    def kinds(self, kinds: Collection[str]) -> Iterator[Entry]:
        found = [entry for kind in kinds for entry in self.of_kind.get(kind, [])]
        found.sort(key=lambda entry: -entry.place)
        return iter(found)


class Memory(Journal):
    """The journal, by the simulated clock and on no disk."""

    def __init__(self, env: simpy.Environment) -> None:
        super().__init__(Path("/dev/null"))
        self.env, self.kept, self.count = env, Kept(), 0

    def write(self, event: str, **fields: Any) -> None:
        at = EPOCH + timedelta(seconds=self.env.now)
        self.count += 1
        entry = Entry(self.count, {"at": at.isoformat(timespec="seconds"), "event": event, **fields})
        self.kept.of_kind[event].append(entry)
        for name in set(named(entry.event)):
            self.kept.of_node[name].append(entry)

    def index(self) -> Index:
        return self.kept


class Cluster:
    """One pool. ``faults`` is the truth, which railbed does not see; ``visible`` what a health check says."""

    def __init__(self, env: simpy.Environment, setting: Setting) -> None:
        self.env, self.setting = env, setting
        self.contract = _contract(setting.nodes + setting.spares)
        self.pool = self.contract.nodes[1].pool
        self.names = [node.name for node in self.contract.nodes[1:]]
        self.states = {name: _idle(name) for name in self.names}
        self.journal = Memory(env)
        self.accepted = {node.name: node.identity.value for node in self.contract.nodes}
        self.releases = dict.fromkeys(
            [node.name for node in self.contract.nodes], self.contract.software.release
        )
        self.reserved: set[str] = set()
        self.out: set[str] = set()
        """Taken out by people who keep no journal."""
        self.busy: set[str] = set()
        """Nodes that the job holds."""
        self.faults: dict[str, Fault] = {}
        self.visible: dict[str, str] = {}
        self.places = dict.fromkeys(self.names, HEALTHY)
        self.changed = env.event()
        """Happens, and is made anew, whenever a node may have come back or a job has left one."""
        self.counts: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.most_out = self.same_fault = 0
        """Nodes at once: out of service; with the same fault, as the circuit breaker counts."""

    def picture(self) -> Picture:
        """What `picture.take` would put together now."""
        return Picture(
            contract=self.contract, states=self.states, jobs={name: [JOB] for name in self.busy},
            reservations=(Reservation(ACCEPTANCE_RESERVATION, tuple(sorted(self.reserved)), ("root",), frozenset()),),
            accepted=self.accepted, releases=self.releases, index=self.journal.kept,
            now=EPOCH + timedelta(seconds=self.env.now),
        )  # fmt: skip

    def usable(self, name: str) -> bool:
        """Whether a job may start on it; one that starts on a node with a visible fault is turned away by the Prolog."""
        return (
            self.states[name].usable and name not in self.reserved and name not in self.out and name not in self.visible
        )  # fmt: skip

    def notify(self) -> None:
        """Wakes who waits for a node."""
        self.most_out = max(self.most_out, sum(not self.usable(name) for name in self.names))
        codes = Counter(code for state in self.states.values() for code in breaker.codes(state))
        self.same_fault = max(self.same_fault, *codes.values(), 0)
        self.changed.succeed()
        self.changed = self.env.event()

    def within_hour(self, kinds: Collection[str]) -> int:
        """Most nodes of which the journal has such an event within any one hour."""
        entries = [(past.moment(one.at), named(one.event)) for one in self.journal.kept.kinds(kinds)]
        known = [(at, names) for at, names in entries if at]
        return max(
            (len({n for at, names in known if past.within(end, at, HOUR_S) and at <= end for n in names}) for end, _ in known),
            default=0,
        )  # fmt: skip

    def drain(self, name: str, reason: str) -> None:
        state = self.states[name]
        at = (EPOCH + timedelta(seconds=self.env.now)).isoformat(timespec="seconds")
        self.states[name] = replace(state, flags=state.flags | {"DRAIN"}, reason=reason, reason_at=at)

    def resume(self, name: str) -> None:
        state = self.states[name]
        self.states[name] = replace(state, flags=state.flags - {"DRAIN"}, reason="")

    def set_state(self, name: str, **fields: Any) -> None:
        self.states[name] = replace(self.states[name], **fields)

    def idle(self, name: str) -> None:
        """Asserts what must hold before anything disturbs a node."""
        if name in self.busy:
            raise AssertionError(f"{name} would be disturbed under a job")

    def moved(self, name: str, *events: Event, says: bool = True) -> None:
        """The node's life goes on by these events, and, where ``says``, records and scheduler say the same of it.

        Raises Refused for a move that the life of a node does not have, AssertionError where the two differ.
        """
        for event in events:
            self.places[name] = lifecycle.transition(self.places[name], event)
        seen = standing.of(self.contract.node(name), self.picture()).place
        if says and seen.state is not self.places[name].state:
            raise AssertionError(
                f"{name} is {self.places[name].state} by its life, {seen.state} by the records"
            )


def _contract(workers: int) -> Contract:
    """One pool behind a controller; every node has a BMC. Addresses are not looked at."""
    made = make_contract()
    nodes = [
        make_node(f"h100-{number}", "compute", 11).model_copy(update={"bmc": f"https://bmc-{number}"})
        for number in range(workers)
    ]
    return made.model_copy(update={"nodes": [made.nodes[0], *nodes]})


def _idle(name: str) -> NodeState:
    return NodeState(name=name, base="IDLE", flags=frozenset(), gres="gpu:8", partitions=("batch",))
