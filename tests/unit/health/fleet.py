"""Slurm and the nodes of a pool as a model: every node runs the real program, and a test says who makes the next step.

Each node's run is a thread that stops before whatever it asks of Slurm and before each pause; one thread runs at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from railbed.configure.health import settings
from railbed.effects.slurm_text import NodeState
from railbed.validate.node import drains
from railbed.validate.node.drains import Drains, Memory, Settings
from railbed.validate.node.health import HealthResult
from railbed.validate.node.probe import Symptom

SETTINGS = Settings.read(settings())
LOST = HealthResult(faults=(Symptom("gpu-lost", "gpu 3", "7 of 8 GPUs listed"),))
CLEAN = HealthResult()
SHARED = HealthResult(reports=(Symptom("filesystem-silent", "/scratch", "it does not answer"),))
POOL = "h100"


class Killed(BaseException):
    """The run was ended from outside."""


@dataclass
class Slurm:
    """The controller: one order after the other, times in whole seconds."""

    now_s: float = 1_000_000.0
    reasons: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Drained node → reason and time."""
    base: dict[str, str] = field(default_factory=dict)
    pools: dict[str, str] = field(default_factory=dict)
    silent: bool = False
    deaf: bool = False
    """Orders are carried out, and nobody hears of it."""

    def states(self) -> dict[str, NodeState]:
        return {
            name: NodeState(
                name=name, base=self.base.get(name, "IDLE"), flags=frozenset({"DRAIN"} if name in self.reasons else ()),
                gres="gpu:8", partitions=("batch",), features=(pool,),
                reason=self.reasons.get(name, ("", 0))[0], reason_at=str(self.reasons.get(name, ("", 0))[1]),
            )
            for name, pool in self.pools.items()
        }  # fmt: skip

    def drain(self, name: str, reason: str) -> None:
        self.reasons[name] = (reason, int(self.now_s))

    def by_itself(self) -> dict[str, int]:
        return {name: at for name, (reason, at) in self.reasons.items() if reason.startswith(SETTINGS.mark)}


@dataclass
class Node:
    """One node, from run to run."""

    slurm: Slurm
    name: str
    settings: Settings = SETTINGS
    memory: Memory = field(default_factory=Memory)
    returned: list[float] = field(default_factory=list)
    disk_full: bool = False
    step: Callable[[float], None] = lambda _: None
    """Called before whatever is asked of Slurm, and with the seconds of a pause."""

    def nodes(self) -> dict[str, NodeState] | None:
        self.step(0)
        return None if self.slurm.silent else self.slurm.states()

    def own(self) -> NodeState | None:
        self.step(0)
        return None if self.slurm.silent else self.slurm.states()[self.name]

    def drain(self, reason: str) -> bool:
        self.step(0)
        if not self.slurm.silent:
            self.slurm.drain(self.name, reason)
        return not (self.slurm.silent or self.slurm.deaf)

    def resume(self) -> bool:
        self.step(0)
        if not self.slurm.silent:
            self.slurm.reasons.pop(self.name, None)
        return not (self.slurm.silent or self.slurm.deaf)

    def run_check(self, seen: HealthResult) -> list[Symptom]:
        """One run of the program."""
        run = Drains(
            self.name, self.slurm.pools[self.name], self.settings, self, self.memory, list(self.returned), self._save,
            self._save_returned, pause=self.step,
        )  # fmt: skip
        return run.tend(seen, self.slurm.now_s)

    def _save(self, memory: Memory) -> None:
        self.memory = memory

    def _save_returned(self, at: list[float]) -> bool:
        if not self.disk_full:
            self.returned = at
        return not self.disk_full


class Runs:
    """Runs of several nodes side by side; ``turn`` lets one go on until its next step."""

    def __init__(self, slurm: Slurm) -> None:
        self.slurm = slurm
        self.wake_s: dict[str, float] = {}
        """Node whose run is not over → when its pause ends."""
        self._go: dict[str, threading.Semaphore] = {}
        self._stopped = threading.Semaphore(0)
        self._kill: set[str] = set()

    def start(self, node: Node, seen: HealthResult) -> None:
        go = self._go[node.name] = threading.Semaphore(0)

        def step(seconds: float) -> None:
            self.wake_s[node.name] = self.slurm.now_s + seconds
            self._stopped.release()
            go.acquire()
            if node.name in self._kill:
                raise Killed

        def run() -> None:
            go.acquire()
            try:
                node.run_check(seen)
            except Killed:
                pass
            finally:
                del self.wake_s[node.name]
                self._stopped.release()

        node.step = step
        self.wake_s[node.name] = self.slurm.now_s
        threading.Thread(target=run, daemon=True).start()

    def turn(self, name: str, *, kill: bool = False) -> None:
        """Lets one run make its step; a pause is waited for by moving the clock on."""
        self.slurm.now_s = max(self.slurm.now_s, self.wake_s[name])
        self._kill |= {name} if kill else set()
        self._go[name].release()
        self._stopped.acquire()

    def finish(self) -> None:
        """All go on to their end."""
        while self.wake_s:
            self.turn(min(self.wake_s, key=lambda name: (self.wake_s[name], name)))


@contextmanager
def clock(slurm: Slurm) -> Iterator[None]:
    """The program's clock is the model's; nobody waits before the first check, which is the worst case."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drains, "time", SimpleNamespace(time=lambda: slurm.now_s))
        patch.setattr(drains, "random", SimpleNamespace(uniform=lambda low, high: low))
        yield


def fleet(size: int, pool: str = POOL) -> tuple[Slurm, dict[str, Node]]:
    """A pool of nodes that have seen a fault for long enough."""
    slurm = Slurm()
    names = [f"{pool}-{i}" for i in range(size)]
    slurm.pools = dict.fromkeys(names, pool)
    since = slurm.now_s - SETTINGS.confirm_s
    return slurm, {name: Node(slurm, name, memory=Memory(since, 0, False)) for name in names}
