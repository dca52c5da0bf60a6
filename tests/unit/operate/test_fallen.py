"""Drift holds the nodes that are to blame, and no others: as few as the limit says, and none for want of proof."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from railbed import validate
from railbed.claims import Culprit, Verdict
from railbed.cli import drift_commands
from railbed.contract import Contract
from railbed.effects import contract_store, files
from railbed.effects.journal import Journal
from railbed.effects.slurm_text import NodeState
from railbed.effects.workspace import Workspace
from railbed.errors import CommandError, UsageError, refused
from railbed.judge.drift import Drift
from railbed.operate import fallen
from railbed.validate import Drifted

RAIL = "fabric.rail.3.bandwidth"


def drift(claim: str = RAIL, node: str = "h100-1", kind: Any = "fail") -> Drift:
    return Drift(claim=claim, node=node, kind=kind, was=1.0, now=0.5, unit="", reason="told")


def culprit(node: str = "h100-1", *claims: str, confidence: float = 0.95) -> Culprit:
    return Culprit(node=node, part="rail 3", claims=list(claims or (RAIL,)), confidence=confidence)


def found(drifted: list[Drift], culprits: list[Culprit]) -> Drifted:
    return Drifted(
        verdict=Verdict.FAIL, drifted=drifted, culprits=culprits, compared=9, issued_at="", certificate="", report=""
    )  # fmt: skip


def accepted(contract: Contract, *but: str) -> dict[str, str]:
    return {node.name: node.identity.value for node in contract.nodes if node.name not in but}


@pytest.mark.parametrize(
    ("drifted", "culprits", "names"),
    [
        ([drift()], [culprit()], ["h100-1"]),
        ([drift(node="", claim="storage.servers")], [culprit("h100-0", "storage.servers")], ["h100-0"]),
        ([drift(), drift("node.dcgm"), drift(node="h100-0")],
         [culprit("h100-0"), culprit("h100-1", RAIL, "node.dcgm")], ["h100-1", "h100-0"]),
        ([drift(kind="unproven")], [], []),
        ([drift(kind="slower")], [], []),
        ([drift(kind="changed")], [], []),
        ([drift()], [], []),
        ([drift()], [culprit("")], []),
        ([drift()], [culprit("ctl0")], []),
        ([drift(kind="slower")], [culprit("h100-1", "node.dcgm")], []),
        ([drift(node="", claim="scheduler.state")], [culprit("h100-1", "scheduler.state")], []),
        ([drift()], [culprit(confidence=0.5)], []),
    ],
    ids=["its rail", "its data server", "the worst first", "no proof", "slower", "another version", "nobody to blame",
         "no node to blame", "a controller", "blamed for what was never certified", "drained by a person", "one of several"],
)  # fmt: skip
def test_who_falls(
    contract: Contract, drifted: list[Drift], culprits: list[Culprit], names: list[str]
) -> None:
    assert fallen.fallen(contract, found(drifted, culprits), accepted(contract)) == names


def test_one_that_takes_no_jobs_is_left(contract: Contract) -> None:
    assert fallen.fallen(contract, found([drift()], [culprit()]), accepted(contract, "h100-1")) == []


class Slurm:
    """A controller that is asked to hold nodes."""

    reserved: set[str]
    silent = ""

    def __init__(self) -> None:
        self.reserved = set()

    def nodes(self) -> dict[str, NodeState]:
        if self.silent == "nodes":
            raise CommandError("scontrol did not answer")
        return {}

    def reserve(self, nodes: Iterable[str]) -> None:
        if self.silent:
            raise CommandError("scontrol did not answer")
        self.reserved.update(nodes)


@pytest.fixture
def slurm(monkeypatch: pytest.MonkeyPatch) -> Slurm:
    made = Slurm()
    monkeypatch.setattr(fallen, "Scheduler", lambda _: made)
    return made


def test_those_held_before_count(contract: Contract, work: Workspace, slurm: Slurm) -> None:
    """A timer that ran every hour would else take the whole pool away, a share each time."""
    work.accepted.path.write_text(json.dumps(accepted(contract)))
    first = fallen.hold(
        work, contract, found([drift(), drift(node="h100-0")], [culprit(), culprit("h100-0")])
    )
    assert (first.reserved, first.beyond_limit, slurm.reserved) == (["h100-0"], ["h100-1"], {"h100-0"})
    assert "h100-0" not in work.accepted.read()
    again = fallen.hold(work, contract, found([drift()], [culprit()]))
    assert (again.reserved, again.beyond_limit, slurm.reserved) == ([], ["h100-1"], {"h100-0"})


@pytest.mark.parametrize("silent", ["nodes", "reserve"])
def test_a_silent_scheduler_is_asked_again_by_the_next_run(
    contract: Contract, work: Workspace, slurm: Slurm, silent: str
) -> None:
    work.accepted.path.write_text(json.dumps(accepted(contract)))
    fell = found([drift()], [culprit()])
    slurm.silent = silent
    assert fallen.hold(work, contract, fell) == fallen.HoldResult([], [], "scontrol did not answer")
    assert work.accepted.read() == accepted(contract)
    slurm.silent = ""
    assert fallen.hold(work, contract, fell).reserved == ["h100-1"] and slurm.reserved == {"h100-1"}


def test_one_that_a_run_left_outside_the_reservation_is_put_back(
    contract: Contract, work: Workspace, slurm: Slurm
) -> None:
    work.accepted.path.write_text(json.dumps(accepted(contract, "h100-1")))
    assert fallen.hold(work, contract, found([], [])) == fallen.HoldResult([], [])
    assert slurm.reserved == {"h100-1"}


def test_an_open_breaker_is_said_with_its_reason_and_what_closes_it(
    contract: Contract, work: Workspace, slurm: Slurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    work.accepted.path.write_text(json.dumps(accepted(contract)))
    Journal(work.journal_file).write("breaker-open", pool="h100", why="a driver")
    monkeypatch.setattr(drift_commands, "workspace", lambda _: work)
    monkeypatch.setattr(contract_store, "load", lambda _: contract)
    monkeypatch.setattr(validate, "drift", lambda *_, **__: found([drift()], [culprit()]))
    app = typer.Typer()
    drift_commands.register(app)
    reply = json.loads(CliRunner().invoke(app, ["--hold", "--json"]).stdout)
    assert (reply["held"], reply["beyond_limit"], slurm.reserved) == ([], ["h100-1"], set())
    assert reply["breaker"]["h100"].startswith("open since") and reply["breaker"]["h100"].endswith("a driver")
    said = CliRunner().invoke(app, ["--hold"]).stdout
    assert "h100-1 still take jobs: the circuit breaker of pool h100 is open" in said
    assert "a driver" in said and "railbed node breaker --reset h100" in said
    assert "no more nodes may leave" not in said


def test_without_a_scheduler_it_is_refused_before_anything_is_measured(contract: Contract) -> None:
    fallen.require_scheduler(contract)
    with pytest.raises(UsageError) as refused:
        fallen.require_scheduler(contract.model_copy(update={"scheduler": "none"}))
    assert refused.value.code == "NO_SCHEDULER"


def test_a_full_disk_holds_nobody_back(
    contract: Contract, work: Workspace, slurm: Slurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scheduler holds the node; that nothing could be written down is told."""
    work.accepted.write(accepted(contract))

    def full(*_: Any, **__: Any) -> None:
        raise refused(OSError(28, "No space left on device"), "accepted.json")

    monkeypatch.setattr(files, "replace", full)
    said = fallen.hold(work, contract, found([drift()], [culprit()]))
    assert said.reserved == ["h100-1"] and "No space left" in said.unwritten
    assert work.accepted.read() == accepted(contract), "the next run holds it again"
