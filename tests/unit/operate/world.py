"""Slurm, the roles and the validation as a model: who is drained and held, and what a person does meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from railbed import configure, validate
from railbed.claims import Judged, Verdict
from railbed.configure import releases
from railbed.contract import Contract
from railbed.defaults import ACCEPTANCE_RESERVATION, AUTOMATIC_DRAINS
from railbed.effects import acceptance, boots, places
from railbed.effects.journal import Journal
from railbed.effects.remote import Remote
from railbed.effects.workspace import Workspace
from railbed.operate import causes, drain, repair, rungs, settle, upgrading
from railbed.parse.slurm import Job, NodeState, Reservation
from railbed.run import Result
from railbed.validate.answers import total
from railbed.validate.records import Report

OLD, NEW = "2026.11", "2026.12"
NODES = ["h100-0", "h100-1", "h100-2", "h100-3"]


class Killed(Exception):
    """Stands for `kill -9`: nothing after it is done."""


@dataclass
class World:
    """Slurm and the nodes; ``running`` maps a node to how often it is seen busy before its job ends."""

    drained: dict[str, str] = field(default_factory=dict)
    reserved: set[str] = field(default_factory=set)
    running: dict[str, int] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    """Node → message of the roles."""
    wrong: dict[str, Verdict] = field(default_factory=dict)
    """Node → what its validation says."""
    together: dict[str, Verdict] = field(default_factory=dict)
    """Node → what only the validation of the whole cluster says."""
    silent: set[str] = field(default_factory=set)
    """Nodes that Slurm does not hear."""
    comments: dict[str, str] = field(default_factory=dict)
    """Node → what its health check reports."""
    killed: str = ""
    """Moment (``converge``, ``validate``) at which the run is ended."""
    set_aside: list[Reservation] = field(default_factory=list)
    """Reservations that are not railbed's."""
    slow_to_see: set[str] = field(default_factory=set)
    """Nodes whose fault the quick checks do not measure."""
    meanwhile: dict[str, dict[str, str]] = field(default_factory=dict)
    """Moment (``wait``, ``evidence``, ``converge``, ``resume``, ``validate``) → node → reason of a person's drain then."""
    order: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    faults: dict[str, list[str]] = field(default_factory=dict)
    """Node → what its health check and its driver say is wrong."""
    mended_by: str = ""
    """The rung that ends all faults; none: nothing does."""
    finished: list[str] = field(default_factory=list)
    """Rungs of a run that was killed that a later one brought to their end."""

    def moment(self, what: str, names: Sequence[str]) -> None:
        """A person drains; once, and only when one of ``names`` is at that point."""
        if set(persons := self.meanwhile.get(what, {})) & set(names):
            self.drained |= persons
            del self.meanwhile[what]
        if self.killed == what:
            raise Killed

    def nodes(self) -> dict[str, NodeState]:
        return {
            name: NodeState(
                name=name, base="DOWN" if name in self.silent else "IDLE",
                flags=frozenset({"DRAIN"} if name in self.drained else ()), gres="gpu:8",
                partitions=("batch",), reason=self.drained.get(name, ""), comment=self.comments.get(name, ""),
            )
            for name in NODES
        }  # fmt: skip

    def jobs(self, node: str | None = None) -> list[Job]:
        seen = [
            Job("7", "ada", "train", "RUNNING", (name,))
            for name, left in self.running.items()
            if left > 0 and node in (None, name)
        ]
        self.moment("wait", [name for job in seen for name in job.nodes if name in self.drained])
        self.running = {name: left - 1 for name, left in self.running.items() if left > 0}
        return seen

    def drain(self, name: str, reason: str) -> None:
        self.drained[name] = reason

    def resume(self, name: str, reason: str | None = None) -> bool:
        self.moment("resume", [name])
        if reason is not None and self.drained.get(name, reason) != reason:
            return False
        self.drained.pop(name, None)
        return True

    def reservation(self, name: str = ACCEPTANCE_RESERVATION) -> Reservation | None:
        return (
            Reservation(name, tuple(sorted(self.reserved)), ("root",), frozenset()) if self.reserved else None
        )

    def reservations(self) -> list[Reservation]:
        own = self.reservation()
        return [*([own] if own else []), *self.set_aside]

    def reserve(self, names: Sequence[str]) -> None:
        self.reserved |= set(names)

    def release(self, names: Sequence[str]) -> None:
        self.reserved -= set(names)

    def converge(self, of: Contract, work: Workspace, *, limit: str, moving: bool, **_: Any) -> Any:
        names = limit.split(",")
        assert moving
        for name in names:
            if name != "ctl0":
                assert name in self.drained and name in self.reserved and not self.running.get(name), (
                    "only idle ones"
                )
        self.order.append(("converge", tuple(names)))
        self.moment("converge", names)
        releases.record(work, [n for n in names if n not in self.broken], of.software.release)
        state = configure.NodeState
        return configure.ConvergeResult(
            nodes={
                n: configure.NodeResult(
                    state=state.FAILED if n in self.broken else state.CHANGED, message=self.broken.get(n, "")
                )
                for n in names
            },
            seconds=1.0,
        )

    def climb(self, _: Any, node: Any, rung: str, __: str) -> str:
        """One rung: only on a node that is drained by nobody else, held and idle."""
        name = node.name
        assert self.drained[name].startswith(AUTOMATIC_DRAINS) and name in self.reserved, (
            "held, and nobody else's"
        )
        assert not self.running.get(name), "idle"
        self.order.append((rung, (name,)))
        self.moment(rung, [name])
        if rung == self.mended_by:
            self.faults.pop(name, None)
        self.moment(f"{rung} done", [name])
        return ""

    def validate(
        self,
        of: Contract,
        work: Workspace,
        only: Sequence[str] = (),
        accept: Mapping[str, str] | None = None,
        quick: bool = False,
        **__: Any,
    ) -> Report:
        self.order.append(("quick" if quick else "validate", tuple(only)))
        self.moment("validate", only)
        wrong = self.wrong if only else self.wrong | self.together
        claims = [
            Judged(
                claim="node.driver", node=name, measured=None,
                verdict=Verdict.FAIL if self.faults.get(name)
                else Verdict.PASS if quick and name in self.slow_to_see else wrong.get(name, Verdict.PASS),
                expected=None, basis="derived", reason="told", simulated=True,
            )
            for name in only or NODES
        ]  # fmt: skip
        accepted = dict(accept or {})
        verdict = total(claims, accepted)
        if verdict is Verdict.PASS and only and not quick:
            passed = [of.node(name) for name in only]
            acceptance.admit(work, passed, self, places.standby(of, work))  # type: ignore[arg-type]
        Journal(work.journal_file).write(
            "validated", verdict=str(verdict), node=",".join(only), claim="", quick=quick
        )
        return Report(
            stack=of.stack, contract_hash=of.hash, verdict=verdict, claims=claims, culprits=[],
            out_of_scope=[], accepted_unproven=accepted, quick=quick, node=",".join(only), pattern="", simulated=True,
            started="", ended="", seconds={}, report_dir="reports/1", certificate="" if only else "cert",
        )  # fmt: skip


def installed(patch: pytest.MonkeyPatch) -> World:
    """A world in place of Slurm, roles and validation."""
    made = World()
    for module in (upgrading, repair, settle):
        patch.setattr(module, "Scheduler", lambda _: made)
    patch.setattr(configure, "converge", made.converge)
    patch.setattr(causes, "read", lambda _, name, __: list(made.faults.get(name, [])))
    patch.setattr(rungs, "take", made.climb)
    patch.setattr(boots, "marker", lambda *_: "a boot")
    patch.setattr(rungs, "finish", lambda _, __, rung: made.finished.append(rung))
    patch.setattr(validate, "run", made.validate)
    patch.setattr(Remote, "run", lambda *_, **__: Result((), 0, "all of it", ""))
    for module in (upgrading, drain):
        patch.setattr(module, "DRAIN_POLL_S", 0.0)
    return made
