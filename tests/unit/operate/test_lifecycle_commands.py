"""The commands over a model of Slurm: dry runs change nothing, reasons are asked for, and JSON says what was done."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import typer
from tests.unit.operate.world import NODES, World
from typer.testing import CliRunner

from railbed import flow
from railbed.claims import Verdict
from railbed.cli import lifecycle_commands, node_commands
from railbed.configure import releases
from railbed.contract import Contract
from railbed.defaults import REPAIR_PREFIX
from railbed.effects.journal import Journal, operator
from railbed.effects.workspace import Workspace
from railbed.errors import Busy, RailbedError, UsageError
from railbed.operate.lifecycle import Refused

NODE = "h100-1"
Run = Callable[..., Any]


@pytest.fixture
def run(contract: Contract, work: Workspace, world: World, monkeypatch: pytest.MonkeyPatch) -> Run:
    releases.record(work, ["ctl0", *NODES], contract.software.release)
    work.accepted.write({node.name: node.identity.value for node in contract.nodes})
    for module in (node_commands, lifecycle_commands):
        monkeypatch.setattr(module, "_open", lambda _: (work, contract, world))
    app = typer.Typer()
    node_commands.register(app)

    def call(*words: str, status: int = 0) -> Any:
        said = CliRunner().invoke(app, ["node", *words])
        if isinstance(said.exception, RailbedError):
            raise said.exception
        assert said.exit_code == status, said.output
        return json.loads(said.stdout) if "--json" in words else said.stdout

    return call


def failed(world: World, work: Workspace) -> None:
    for event in ("repair-hold", "repair-drained"):
        Journal(work.journal_file).write(event, node=NODE)
    world.drained, world.reserved = {NODE: f"{REPAIR_PREFIX} node.driver fail"}, {NODE}


def test_explain(run: Run, world: World, work: Workspace) -> None:
    failed(world, work)
    said = run("explain", NODE, "--json")
    assert (said["lifecycle"], said["proven"], said["command"]) == (
        "quarantined",
        False,
        f"railbed node repair {NODE}",
    )
    assert "railbed node repair" in run("explain", NODE)
    with pytest.raises(RailbedError):
        run("explain", "h100-9")


def test_settle_is_a_dry_run_until_it_is_told_otherwise(run: Run, world: World, work: Workspace) -> None:
    failed(world, work)
    (one,) = run("settle", "--json")["nodes"]
    assert one["tried"] and one["verdict"] is None and world.order == [] and NODE in world.drained
    assert "dry run" in run("settle")
    (one,) = run("settle", "--yes", "--json")["nodes"]
    assert one["verdict"] == "pass" and world.drained == {}
    assert "no node" in run("settle")


def test_settle_s_exit_status_is_the_verdict(run: Run, world: World, work: Workspace) -> None:
    failed(world, work)
    world.wrong = {NODE: Verdict.FAIL}
    run("settle", "--yes", "--json", status=1)
    world.wrong = {NODE: Verdict.UNPROVEN}
    run("settle", "--yes", "--json", status=3)


def test_the_breaker_is_reset_by_a_named_person_with_a_reason(run: Run, work: Workspace) -> None:
    journal = Journal(work.journal_file)
    journal.write("breaker-open", pool="h100", why="4 of 4 nodes have the fault gpu-lost at once")
    assert run("breaker", "--json")["pools"]["h100"].startswith("open since")
    for words in (["--reset", "h100"], ["--reset", "h200", "--reason", "x"]):
        with pytest.raises(UsageError):
            run("breaker", *words)
    assert run("breaker", "--reset", "h100", "--reason", "a driver", "--json")["pools"] == {"h100": ""}
    (reset,) = [event for event in journal.read() if event["event"] == "breaker-reset"]
    assert (reset["reason"], reset["by"]) == ("a driver", operator())


def test_a_machine_goes_to_its_vendor_only_out_of_service_and_idle(
    run: Run, world: World, work: Workspace
) -> None:
    with pytest.raises(Refused):
        run("rma", NODE, "--reason", "row remap", "--yes")
    failed(world, work)
    world.running = {NODE: 1}
    with pytest.raises(RailbedError, match="still runs job 7"):
        run("rma", NODE, "--reason", "row remap", "--yes")
    assert "dry run" in run("rma", NODE, "--reason", "row remap") and NODE in work.accepted.read()
    run("rma", NODE, "--reason", "row remap", "--yes")
    assert run("explain", NODE, "--json")["lifecycle"] == "rma"
    assert NODE not in work.accepted.read() and "rma: row remap" in world.drained[NODE]
    assert NODE in world.reserved
    with pytest.raises(Refused):
        run("repair", NODE, "--yes")
    assert NODE in world.drained


@pytest.mark.parametrize("resumed", [True, False], ids=["given back first", "validated at once"])
def test_the_same_machine_comes_back_from_its_vendor(
    run: Run, world: World, work: Workspace, contract: Contract, resumed: bool
) -> None:
    world.drained = {NODE: "fan, ada"}
    run("rma", NODE, "--reason", "row remap", "--yes")
    assert run("explain", NODE, "--json")["lifecycle"] == "rma"
    if resumed:
        run("resume", NODE)
        assert run("explain", NODE, "--json")["lifecycle"] == "validating"
        assert world.drained == {} and world.reserved == {NODE}, "to no user before it has passed"
    else:
        world.drained = {}
    world.validate(contract, work, only=[NODE])
    assert run("explain", NODE, "--json")["lifecycle"] == "healthy" and world.reserved == set()


@pytest.mark.parametrize("words", [["--force"], ["--reason", "x"], ["--force", "--reason", " "]])
def test_force_and_reason_go_together(run: Run, world: World, words: list[str]) -> None:
    with pytest.raises(UsageError) as refused:
        run("repair", NODE, "--yes", *words)
    assert refused.value.code == "REASON_MISSING" and world.order == []


def test_a_dry_run_of_a_repair_says_what_holds_it_back(run: Run, world: World) -> None:
    world.drained = {"h100-0": f"{REPAIR_PREFIX} x"}
    said = run("repair", NODE, "--json")
    assert [one["guard"] for one in said["held_back"]] == ["max unavailable"]


def test_a_person_s_drain_is_given_back_by_resume(run: Run, world: World) -> None:
    world.drained = {NODE: "fan, ada"}
    run("resume", NODE)
    assert world.drained == {}
    run("resume", NODE)


def test_nothing_is_given_back_while_another_command_works_on_the_stack(
    run: Run, world: World, work: Workspace
) -> None:
    """A repair that saves evidence has drained the node: from its drain alone nobody sees that."""
    world.drained = {NODE: f"{REPAIR_PREFIX} x"}
    with flow.operating(work, f"repair of {NODE}"), pytest.raises(Busy, match="repair of"):
        run("resume", NODE)
    assert NODE in world.drained


def test_what_is_not_proven_is_held_before_it_is_given_back(run: Run, world: World, work: Workspace) -> None:
    """Somebody deleted the reservation, or it was lost with the scheduler's state."""
    failed(world, work)
    world.reserved = set()
    run("resume", NODE)
    assert world.drained == {} and world.reserved == {NODE}
    world.drained = {"h100-2": "fan, ada"}
    run("resume", "h100-2")
    assert world.drained == {} and world.reserved == {NODE}, "one that is proven goes to users"


def test_a_summary_counts_what_happened_and_names_who_has_trouble_again_and_again(
    run: Run, work: Workspace
) -> None:
    journal = Journal(work.journal_file)
    for event in ("repair-drain", "repair-hold", "repair-failed", "repair-drain", "repair-resumed"):
        journal.write(event, node=NODE)
    journal.write("repair-drain", node="h100-2")
    journal.write("drift-hold", nodes=["h100-0", "gone-1"])
    journal.write("quarantine", nodes=["gone-1"])
    journal.write("validated", verdict="pass")
    journal.write("validated", verdict="fail", quick=True)
    journal.write("validated", verdict="fail", node=NODE)
    journal.write("breaker-open", pool="h100", why="x")
    said = run("summary", "--json")
    assert said["events"] == {
        "repair begun": 3, "repair passed": 1, "repair failed": 1, "held by drift": 2, "left half done": 1,
    }  # fmt: skip
    assert said["validations"] == {"pass": 1} and said["breaker_opened"] == 1
    assert said["breaker_open"]["h100"].startswith("open since")
    assert [(one["node"], one["lifecycle"]) for one in said["often"]] == [
        (NODE, "healthy"),
        ("gone-1", "gone"),
    ]
    assert said["often"][0]["events"] == {"repair begun": 2, "repair failed": 1, "repair passed": 1}
    assert sum(said["nodes"].values()) == len(NODES)
    shown = run("summary")
    assert "3 repair begun" in shown and "2 × repair begun" in shown and "opened 1 times" in shown
    run("breaker", "--reset", "h100", "--reason", "a driver")
    assert run("summary", "--json")["breaker_open"] == {} and "opened 1 times" in run("summary")


def test_a_summary_leaves_out_what_is_older_than_it_asks(
    run: Run, work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("railbed.effects.journal.now_iso", lambda: "2020-01-01T00:00:00+00:00")
    for _ in range(3):
        Journal(work.journal_file).write("repair-drain", node=NODE)
    Journal(work.journal_file).write("breaker-open", pool="h100", why="x")
    said = run("summary", "--json")
    assert (said["events"], said["often"], said["validations"], said["breaker_opened"]) == ({}, [], {}, 0)
    assert said["breaker_open"]["h100"].endswith("x"), (
        "one that opened before and stands open is no closed one"
    )
    assert "none" in run("summary") and "pool h100 open since 2020" in run("summary")
