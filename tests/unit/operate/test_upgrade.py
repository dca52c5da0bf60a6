"""An upgrade over a model of Slurm, of the roles and of the validation: who moves, who is held, where it stops."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from railbed import configure, operate, validate
from railbed.configure import releases
from railbed.contract import Contract
from railbed.defaults import ACCEPTANCE_RESERVATION, OPERATOR_PREFIX, UPGRADE_PREFIX
from railbed.effects.journal import Journal
from railbed.effects.remote import Remote
from railbed.effects.slurm_text import Job, NodeState, Reservation
from railbed.effects.workspace import Workspace
from railbed.errors import CommandError
from railbed.model.claims import Judged, Verdict
from railbed.operate import aside, upgrading
from railbed.run import Result

OLD, NEW = "2026.11", "2026.12"
NODES = ["h100-0", "h100-1", "h100-2", "h100-3"]


@dataclass
class World:
    """Slurm and the nodes; ``running`` maps a node to how often it is seen busy before its job ends."""

    drained: dict[str, str] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    running: dict[str, int] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    """Node → message of the roles."""
    wrong: dict[str, Verdict] = field(default_factory=dict)
    """Node → what its validation says."""
    order: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    def nodes(self) -> dict[str, NodeState]:
        return {
            name: NodeState(
                name=name, base="IDLE", flags=frozenset({"DRAIN"} if name in self.drained else ()), gres="gpu:8",
                partitions=("batch",), reason=self.drained.get(name, ""),
            )
            for name in NODES
        }  # fmt: skip

    def jobs(self) -> list[Job]:
        seen = [
            Job("7", "ada", "train", "RUNNING", (name,)) for name, left in self.running.items() if left > 0
        ]
        self.running = {name: left - 1 for name, left in self.running.items() if left > 0}
        return seen

    def drain(self, name: str, reason: str) -> None:
        self.drained[name] = reason

    def resume(self, name: str) -> None:
        self.drained.pop(name, None)

    def reservation(self, name: str = ACCEPTANCE_RESERVATION) -> Reservation | None:
        return Reservation(name, tuple(sorted(self.held)), ("root",), frozenset()) if self.held else None

    def reserve(self, names: Sequence[str]) -> None:
        self.held |= set(names)

    def release(self, names: Sequence[str]) -> None:
        self.held -= set(names)

    def converge(self, of: Contract, work: Workspace, *, limit: str, moving: bool, **_: Any) -> Any:
        names = limit.split(",")
        assert moving
        for name in names:
            if name != "ctl0":
                assert name in self.drained and name in self.held and not self.running.get(name), (
                    "only idle ones"
                )
        self.order.append(("converge", tuple(names)))
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

    def validate(self, of: Contract, _: Workspace, only: Sequence[str] = (), **__: Any) -> Any:
        self.order.append(("validate", tuple(only)))
        claims = [
            Judged(
                claim="node.driver", node=name, verdict=self.wrong.get(name, Verdict.PASS), measured=None,
                expected=None, basis="derived", reason="told", simulated=True,
            )
            for name in only or NODES
        ]  # fmt: skip
        worst = Verdict.PASS if all(c.verdict is Verdict.PASS for c in claims) else Verdict.FAIL
        return type("Report", (), {
            "claims": claims, "verdict": worst, "report_dir": "reports/1", "certificate": "" if only else "cert",
        })  # fmt: skip


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, contract: Contract) -> World:
    made = World()
    monkeypatch.setattr(upgrading, "Scheduler", lambda _: made)
    monkeypatch.setattr(configure, "converge", made.converge)
    monkeypatch.setattr(validate, "run", made.validate)
    monkeypatch.setattr(Remote, "run", lambda *_, **__: Result((), 0, "all of it", ""))
    monkeypatch.setattr(upgrading, "DRAIN_POLL_S", 0.0)
    return made


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path, "test")
    made.dir.mkdir(parents=True)
    releases.record(made, ["ctl0", *NODES], OLD)
    return made


def to(of: Contract, work: Workspace, world: World, release: str = NEW, wait_s: float = 60.0) -> Any:
    new = of.model_copy(update={"software": of.software.model_copy(update={"release": release})})
    planned = operate.plan_upgrade(new, work, release, world)  # type: ignore[arg-type]
    return operate.upgrade(new, work, planned, lambda _: None, wait_s=wait_s)


def test_controllers_then_the_canary_then_the_rest_and_a_certificate(
    contract: Contract,
    work: Workspace,
    world: World,
) -> None:
    done = to(contract, work, world)
    assert [names for what, names in world.order if what == "converge"][:2] == [("ctl0",), ("h100-3",)]
    assert world.order[-1] == ("validate", ()), "the whole cluster at the end"
    assert (done.verdict, done.certificate, sorted(done.moved)) == (Verdict.PASS, "cert", NODES)
    assert (world.drained, world.held) == ({}, set())
    assert set(work.releases.read().values()) == {NEW}
    assert to(contract, work, world).moved == [], "again: nobody is drained"


def test_jobs_end_by_themselves(contract: Contract, work: Workspace, world: World) -> None:
    world.running = {"h100-1": 12}
    done = to(contract, work, world)
    assert done.verdict is Verdict.PASS
    assert world.order[-3] == ("converge", ("h100-1",)), "the busy node comes last"
    waited = [e for e in Journal(work.journal_file).read() if e["event"] == "upgrade-wait"]
    assert waited[0]["jobs"] == ["7 of ada"]


def test_a_job_that_does_not_end_leaves_its_node_draining(
    contract: Contract,
    work: Workspace,
    world: World,
) -> None:
    world.running = {"h100-1": 10**9}
    done = to(contract, work, world, wait_s=0.0)
    assert (done.verdict, done.waiting) == (Verdict.UNPROVEN, {"h100-1": ["7 of ada"]})
    assert world.drained["h100-1"].startswith(UPGRADE_PREFIX)
    assert work.releases.read()["h100-1"] == OLD
    world.running = {}
    assert to(contract, work, world).moved == ["h100-1"], "the same command goes on"


@pytest.mark.parametrize("kind", ["roles", "validation", "unproven"])
def test_the_first_node_that_does_not_pass_stops_it(
    contract: Contract,
    work: Workspace,
    world: World,
    kind: str,
) -> None:
    if kind == "roles":
        world.broken = {"h100-3": "no such package"}
    else:
        world.wrong = {"h100-3": Verdict.FAIL if kind == "validation" else Verdict.UNPROVEN}
    done = to(contract, work, world)
    assert done.verdict is (Verdict.UNPROVEN if kind == "unproven" else Verdict.FAIL)
    assert list(done.failed) == ["h100-3"]
    assert done.left == ["h100-0", "h100-1", "h100-2"]
    assert set(world.drained) == {"h100-3"}, "nobody else is touched"
    assert world.drained["h100-3"].startswith(UPGRADE_PREFIX)
    assert {work.releases.read()[name] for name in done.left} == {OLD}
    world.broken, world.wrong = {}, {}
    assert to(contract, work, world, OLD).moved == ["h100-3"], "back: only what was touched moves"
    assert (world.drained, world.held) == ({}, set())


def test_the_rest_of_a_wave_is_given_back_when_one_of_it_fails(
    contract: Contract,
    work: Workspace,
    world: World,
) -> None:
    world.wrong = {"h100-0": Verdict.FAIL}
    new = contract.model_copy(update={"software": contract.software.model_copy(update={"release": NEW})})
    planned = operate.PlannedUpgrade(
        release=NEW, controllers=[], waves=[["h100-0", "h100-1"]], jobs={}, drained={}
    )
    world.running = {"h100-1": 4}
    done = operate.upgrade(new, work, planned, lambda _: None, wait_s=60.0)
    assert (list(done.failed), done.left) == (["h100-0"], ["h100-1"])
    assert set(world.drained) == {"h100-0"}


def test_a_canary_waits_for_nodes_to_measure_its_rails_with(
    contract: Contract, work: Workspace, world: World
) -> None:
    world.running = {"h100-0": 6, "h100-1": 6}
    assert to(contract, work, world).verdict is Verdict.PASS
    waited = [e for e in Journal(work.journal_file).read() if e["event"] == "upgrade-partners"]
    assert [(e["node"], sorted(e["jobs"])) for e in waited] == [("h100-3", ["h100-0", "h100-1"])]


def test_a_persons_drain_stays(contract: Contract, work: Workspace, world: World) -> None:
    world.drained = {"h100-2": f"{OPERATOR_PREFIX} fan"}
    done = to(contract, work, world)
    assert done.kept_drained == {"h100-2": f"{OPERATOR_PREFIX} fan"}
    assert world.drained == {"h100-2": f"{OPERATOR_PREFIX} fan"}
    assert work.releases.read()["h100-2"] == NEW
    assert "h100-2" not in done.moved


def test_a_persons_drain_keeps_its_reason_where_the_node_fails(
    contract: Contract, work: Workspace, world: World
) -> None:
    world.drained = {"h100-2": f"{OPERATOR_PREFIX} fan"}
    world.broken = {"h100-2": "no such package"}
    done = to(contract, work, world)
    assert list(done.failed) == ["h100-2"]
    assert world.drained["h100-2"] == f"{OPERATOR_PREFIX} fan", "else the next try would take it back"


def test_a_controller_that_does_not_take_it_leaves_every_node_alone(
    contract: Contract,
    work: Workspace,
    world: World,
) -> None:
    world.broken = {"ctl0": "repository down"}
    with pytest.raises(CommandError, match="repository down"):
        to(contract, work, world)
    assert (world.drained, world.held) == ({}, set())


def test_evidence_of_a_wave_is_saved_at_once_and_silence_is_one_node_s(
    contract: Contract, work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    both, said = threading.Barrier(2, timeout=20), []

    def run(_remote: Remote, name: str, *_: Any, **__: Any) -> Result:
        both.wait()
        return Result((), 0, f"I am {name}", "") if name == "h100-1" else Result((), 255, "", "timed out")

    monkeypatch.setattr(Remote, "run", run)
    steps = {name: lambda event, text, name=name, **_: said.append((name, event)) for name in NODES[:2]}
    silent = aside.evidence(Remote(work, contract), work, steps)  # type: ignore[arg-type]
    assert list(silent) == ["h100-0"] and silent["h100-0"].code == "UNREACHABLE"
    assert said == [("h100-1", "evidence")]
    kept = {path.name.split("-2")[0]: path.read_text() for path in (work.archive / "evidence").iterdir()}
    assert kept == {"h100-0": "timed out", "h100-1": "I am h100-1"}


def test_a_silent_node_is_neither_changed_nor_given_back(
    contract: Contract,
    work: Workspace,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Remote, "run", lambda *_, **__: Result((), 255, "", "timed out"))
    done = to(contract, work, world)
    assert done.verdict is Verdict.UNPROVEN
    assert "does not answer" in done.failed["h100-3"]
    assert [what for what, names in world.order if "h100-3" in names] == []
    assert aside.OURS[2] in world.drained["h100-3"]
