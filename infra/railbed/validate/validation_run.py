"""What every probe works with: the cluster, how to reach it, what is asked, where evidence goes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from railbed import strict_json
from railbed.certificate.identity import Identity
from railbed.claims import WORKERS, Verdict
from railbed.contract import Contract, Node
from railbed.defaults import ACCEPTANCE_RESERVATION, JOB_POLL_S, STEP_COMMENT, STEP_WAIT_S
from railbed.effects import files
from railbed.effects.remote import Remote
from railbed.effects.scheduler import Scheduler
from railbed.effects.schedulers import NodeScheduler
from railbed.errors import RailbedError
from railbed.judge.optics import Port
from railbed.parse.slurm import Job, NodeState
from railbed.validate.answers import Answers
from railbed.validate.scope import Scope

Progress = Callable[[str], None]
"""Hears one line per step of a validation."""
EVIDENCE = "evidence"


@dataclass(frozen=True)
class Crash:
    """A collective that crashed."""

    claim: str
    op: str
    nodes: tuple[str, ...]
    sizes: tuple[int, ...]
    problem: str
    accused: tuple[str, ...]
    """Nodes that its errors name."""
    evidence: str


@dataclass
class ValidationRun:
    """One run's state. ``schedule`` is what Slurm said at the start; empty where it did not answer."""

    contract: Contract
    remote: Remote
    scope: Scope
    answers: Answers
    folder: Path
    """The report's folder."""
    say: Progress
    scheduler: Scheduler | None = None
    """Slurm, which starts jobs for measurements; None also on Kubernetes, where this release starts none."""
    gate: NodeScheduler | None = None
    """Who keeps users' jobs from nodes that did not pass; None where nobody does."""
    schedule: dict[str, NodeState] = field(default_factory=dict)
    jobs: list[Job] = field(default_factory=list)
    reserved: frozenset[str] = frozenset()
    """Nodes of ``reservation``."""
    reservation: str = ACCEPTANCE_RESERVATION
    """In which steps may start: that of acceptance; a search for settings has one of its own."""
    unreachable: dict[str, str] = field(default_factory=dict)
    """Node → how reaching it failed."""
    boots: dict[str, str] = field(default_factory=dict)
    """Node → what differs after each boot of it; nodes that answered only."""
    known: Mapping[str, Identity] = field(default_factory=dict)
    """Node → what it showed of itself when it was accepted; empty in a run that accepts it anew."""
    ports_before: dict[str, dict[str, Port]] = field(default_factory=dict)
    """Node → its rails' ports by device, as they were before the rails carried data."""
    crashes: list[Crash] = field(default_factory=list)
    """Collectives that crashed; one that ran to its end in a later try has its verdict all the same."""
    dead_rails: dict[str, str] = field(default_factory=dict)
    """Node → why a job over its rails would hang."""
    counted: dict[str, tuple[Mapping[str, Mapping[Any, int] | str], float]] = field(default_factory=dict)
    """Claim → each node's error counters before anything loaded what they count, or why there are none; and when they were read,
    by the monotonic clock."""
    dead_clients: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    """Filesystem → node → why whatever uses it there would hang."""
    stack_id: str = ""
    """In the names of folders on shared filesystems; empty where this checkout has no key of the stack."""
    notes: list[str] = field(default_factory=list)
    """What the run did or saw that is no verdict; it is in the report."""
    unkept: dict[str, str] = field(default_factory=dict)
    """Evidence that could not be written → why."""
    named: Contract | None = None
    """The contract with the names that the nodes' own cards have; None where nothing was observed."""

    @property
    def as_observed(self) -> Contract:
        """What nodes were configured by."""
        return self.named or self.contract

    def node(self, name: str) -> Node:
        return self.contract.node(name)

    def rail_nodes(self) -> list[Node]:
        """Nodes with rails, compute nodes first."""
        return [n for n in self.contract.with_role(*WORKERS) if n.rails]

    def keep(self, name: str, content: str | dict[str, Any] | list[Any]) -> str:
        """Stores evidence; returns its path relative to the report.

        Empty where the disk takes it not: what was measured holds all the same, and nothing is certified without it.
        """
        path = self.folder / EVIDENCE / name
        text = content if isinstance(content, str) else strict_json.dumps(content, indent=1) + "\n"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            files.replace(path, text.encode(errors="backslashreplace"))
        except OSError as error:
            self.unkept[name] = error.strerror or str(error)
        except RailbedError as error:
            self.unkept[name] = error.message
        return "" if name in self.unkept else f"{EVIDENCE}/{name}"

    def reservation_for(self, nodes: list[str]) -> str:
        """The reservation when it holds every one of ``nodes``, else empty."""
        return self.reservation if nodes and self.reserved.issuperset(nodes) else ""

    def obstacle(self, name: str) -> str:
        """Why the scheduler would not start a step of ours on the node now; empty when it would."""
        if self.scheduler is None:
            return "blocked by scheduler.state: the scheduler does not answer"
        state = self.schedule.get(name)
        if state is None:
            return f"blocked by scheduler.state: the scheduler does not know {name}"
        if not state.usable:
            why = f" ({state.reason})" if state.reason else ""
            return f"blocked by scheduler.state: {name} is {state.text}{why}"
        return self.busy(name)

    def busy(self, name: str) -> str:
        """Whose job runs on the node; empty when none does. Measuring beside it would disturb both."""
        job = next((j for j in self.jobs if name in j.nodes), None)
        return f"blocked by job {job.id} of {job.user} on {name}" if job else ""

    def own_steps(self) -> list[Job]:
        """Steps of validations that hold nodes."""
        return [one for one in self.jobs if one.comment == STEP_COMMENT and one.nodes]

    def refresh(self, wait_s: float | None = None) -> None:
        """Asks the scheduler again: a health check may have drained a node, a user's job may have begun.

        A step of this validation that is over can hold its nodes a little longer; on a loaded machine for seconds.
        """
        if self.scheduler is None:
            return
        deadline = time.monotonic() + (STEP_WAIT_S if wait_s is None else wait_s)
        with suppress(RailbedError):
            self.jobs = self.scheduler.jobs()
            while self.own_steps():
                if time.monotonic() >= deadline:
                    break
                time.sleep(JOB_POLL_S)
                self.jobs = self.scheduler.jobs()
            self.schedule = self.scheduler.nodes()

    def broken(self, name: str) -> bool:
        """Whether a claim of the node itself failed in this run; the scheduler may drain it at any moment."""
        return any(c.node == name and c.verdict is Verdict.FAIL for c in self.answers.given())

    def rail_failed(self, nodes: Collection[str]) -> bool:
        """Whether a rail of these nodes failed by itself: what they lack together then has its reason."""
        return any(
            c.verdict is Verdict.FAIL and c.node in nodes and c.rail is not None for c in self.answers.given()
        )

    def usable(self, wanted: int) -> tuple[list[str], str]:
        """``wanted`` rail nodes or more that can run a job together, sound ones first; or none and why.

        All lie inside or all outside the acceptance reservation: Slurm starts no job across its border.
        """
        self.refresh()
        free, obstacles = [], []
        for node in self.rail_nodes():
            name = node.name
            why = self.unreachable.get(name) or self.dead_rails.get(name) or self.obstacle(name)
            if why:
                obstacles.append(why)
            else:
                free.append(node.name)
        inside = [name for name in free if name in self.reserved]
        outside = [name for name in free if name not in self.reserved]
        chosen = sorted(inside if len(inside) > len(outside) else outside, key=self.broken)
        if len(chosen) < wanted:
            why_not = "; ".join(obstacles) or "the acceptance reservation splits the nodes"
            return [], f"{len(chosen)} of {wanted} nodes can run it: {why_not}"
        sound = [name for name in chosen if not self.broken(name)]
        return sound if len(sound) >= wanted else chosen, ""
