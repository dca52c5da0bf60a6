"""Plays one job over its days, and says what became of it."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

import simpy

from railbed.laws.longjob import LongJob
from railbed.operate import breaker, past

from . import by_railbed, by_reboot
from .cluster import Cluster
from .faults import Fault, Kind, again_s, draw
from .settings import DAY_S, HOUR_S, Setting

WAYS = {"railbed": by_railbed.handle, "reboot and hope": by_reboot.handle}


@dataclass(frozen=True)
class Outcome:
    """What became of one job."""

    goodput: float
    """Share of the days that is work kept in a checkpoint."""
    stops: int
    again: int
    """Of the stops, those by a part that had stopped it before."""
    waited_h: float
    """For a node, where no spare was there."""
    most_out: int
    """Nodes out of service at once."""
    work_s: float
    same_fault: int
    """Nodes that had the same fault at once."""
    failed_hour: int
    """Nodes that failed a repair within one hour."""
    opened: int
    """How often the circuit breaker opened, as the journal has it."""
    repairs_hour: int
    """Nodes whose repairs began within one hour."""
    counts: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, int] = field(default_factory=dict)
    """Guard → how often it held a repair back."""


def simulate(setting: Setting, seed: int, way: str = "railbed") -> Outcome:
    """One job. Equal arguments give equal outcomes."""
    env = simpy.Environment()
    cluster = Cluster(env, setting)
    job = _Job(cluster, seed, way)
    env.process(job.run())
    env.run(until=setting.days * DAY_S)
    job.run_ends()
    return Outcome(
        goodput=job.kept_s / (setting.days * DAY_S),
        stops=job.stops,
        again=job.again,
        waited_h=job.waited_s / HOUR_S,
        most_out=cluster.most_out,
        work_s=job.kept_s,
        same_fault=cluster.same_fault,
        failed_hour=cluster.within_hour(breaker.COUNTED),
        opened=len(list(cluster.journal.kept.kinds([breaker.OPENED]))),
        repairs_hour=cluster.within_hour([past.REPAIR]),
        counts=dict(cluster.counts),
        refused=dict(cluster.refused),
    )


class _Job:
    """Starts on nodes that are usable, the lowest names first, computes, saves, and is stopped."""

    def __init__(self, cluster: Cluster, seed: int, way: str) -> None:
        self.cluster, self.env, self.seed, self.handle = cluster, cluster.env, seed, WAYS[way]
        self.setting = cluster.setting
        self.plan = self.setting.plan
        self.detection_s, self.restart_s = _recovery_s(self.plan)
        self.kept_s = self.waited_s = 0.0
        self.stops = self.again = 0
        self.number, self.fresh = 0, draw(self.setting, seed, 0)
        self.left_s = self.fresh.gap_s
        self.handled: set[str] = set()
        """Nodes that somebody works on, or waits for."""
        self.latent: dict[str, float] = {}
        """Node with a part that is still broken → run time left until it stops the job."""
        self.began: float | None = None

    def run(self) -> Generator[simpy.Event, Any, None]:
        started = False
        while True:
            waits_from = self.env.now
            while (
                len(nodes := [one for one in self.cluster.names if self.cluster.usable(one)])
                < self.setting.nodes
            ):
                yield self.cluster.changed
            self.waited_s += self.env.now - waits_from
            nodes = nodes[: self.setting.nodes]
            self.cluster.busy = set(nodes)
            if started:
                yield self.env.timeout(self.restart_s)
            started, self.began = True, self.env.now
            yield from self._until_stopped(nodes)
            self.run_ends()
            # The job hangs on its nodes until somebody sees it.
            yield self.env.timeout(self.detection_s)
            self.cluster.busy = set()
            self.cluster.notify()

    def run_ends(self) -> None:
        """What was saved is kept."""
        if self.began is not None:
            cycle_s = self.plan.checkpoint_interval_s + self.plan.checkpoint_write_s
            whole = int((self.env.now - self.began + 1e-6) // cycle_s)
            self.kept_s += whole * self.plan.checkpoint_interval_s
        self.began = None

    def _until_stopped(self, nodes: list[str]) -> Generator[simpy.Event, Any, None]:
        stopped = False
        while not stopped:
            again = min(
                (one for one in self.latent if one in nodes), key=self.latent.__getitem__, default=None
            )
            runs_s = min(self.left_s, self.latent[again] if again else self.left_s)
            if runs_s == float("inf"):
                yield self.env.event()  # nothing ever fails: until the days are over
            yield self.env.timeout(runs_s)
            self.left_s -= runs_s
            for one in nodes:
                if one in self.latent:
                    self.latent[one] -= runs_s
            if again and self.latent[again] <= 0:
                fault, name = self.cluster.faults[again], again
                self.again += 1
            else:
                fault, name = self.fresh, nodes[int(self.fresh.victim * len(nodes))]
                self.number += 1
                self.fresh = draw(self.setting, self.seed, self.number)
                self.left_s = self.fresh.gap_s
            self._strike(name, fault)
            stopped = self.setting.stops_job or fault.kind is not Kind.NODE
        self.stops += 1

    def _strike(self, name: str, fault: Fault) -> None:
        if fault.kind is Kind.JOB or name in self.handled:
            return  # of the second, who works on the node sees both
        if fault.kind not in (Kind.OWNER, Kind.LEAF):
            # A node with a part that is still broken is handled for that one.
            fault = self.cluster.faults.setdefault(name, fault)
            fault.strikes += 1
            self.latent.pop(name, None)
        self.env.process(self._handled(name, fault))

    def _handled(self, name: str, fault: Fault) -> Generator[simpy.Event, Any, None]:
        self.handled.add(name)
        yield from self.handle(self.cluster, name, fault)
        self.handled.discard(name)
        if name in self.cluster.faults:
            self.latent[name] = again_s(self.setting, self.seed, fault)


def _recovery_s(plan: LongJob) -> tuple[float, float]:
    """From a failure to the job's end, and on to its first step with the checkpoint read; as `railbed job plan` has them."""
    between = plan.between_interruptions_s.central
    return plan.lost.detection * between, plan.lost.restart * between
