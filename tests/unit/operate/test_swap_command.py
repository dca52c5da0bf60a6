"""`railbed node swap` over a model of Slurm: a dry run until it is told otherwise, and what it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import typer
from tests.unit.operate.world import World
from typer.testing import CliRunner

from railbed.cli import exchange_commands
from railbed.contract import Contract
from railbed.effects import lock
from railbed.effects.workspace import Workspace
from railbed.errors import Busy, RailbedError, UsageError

NODE, SPARE = "h100-1", "h100-3"
Run = Callable[..., Any]


@pytest.fixture
def run(contract: Contract, work: Workspace, world: World, monkeypatch: pytest.MonkeyPatch) -> Run:
    work.accepted.write({node.name: node.identity.value for node in contract.nodes})
    world.reserved = {SPARE}
    keeps = contract.model_copy(update={"standby_pools": ["h100"]})
    monkeypatch.setattr(exchange_commands, "workspace", lambda _: work)
    monkeypatch.setattr(exchange_commands.contract_store, "load", lambda _: keeps)
    monkeypatch.setattr(exchange_commands.schedulers, "of", lambda *_: world)
    app = typer.Typer()
    app.callback()(lambda: None)
    exchange_commands.register(app)

    def call(*words: str) -> Any:
        said = CliRunner().invoke(app, ["swap", *words])
        if isinstance(said.exception, RailbedError):
            raise said.exception
        assert said.exit_code == 0, said.output
        return json.loads(said.stdout) if "--json" in words else said.stdout

    return call


def test_a_dry_run_names_spare_and_jobs_and_changes_nothing(run: Run, world: World, work: Workspace) -> None:
    world.running = {NODE: 9}
    said = run(NODE)
    assert f"{SPARE} would take the place of {NODE}" in said and "7 of ada" in said and "dry run" in said
    assert run(NODE, "--json")["dry_run"] is True
    assert (world.drained, world.reserved, work.places.read()) == ({}, {SPARE}, {})


def test_told_so_it_swaps(run: Run, world: World) -> None:
    said = run(NODE, "--yes", "--json")
    assert (said["dry_run"], said["spare"], said["order"]) == (False, SPARE, ["h100-0", SPARE, "h100-2"])
    assert world.reserved == {NODE}


def test_a_force_needs_a_reason_and_two_operators_do_not_meet(
    run: Run, world: World, work: Workspace
) -> None:
    with pytest.raises(UsageError, match="--force and --reason"):
        run(NODE, "--yes", "--force")
    with lock.acquire(work.dir / "lock", "another"), pytest.raises(Busy):
        run(NODE, "--yes")
    assert world.drained == {}
