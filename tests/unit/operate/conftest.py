"""The small cluster of the validation's tests, and a model of what an upgrade or a repair does to it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from tests.unit.operate.test_job_ledger import ACCOUNTS
from tests.unit.operate.world import NODES, OLD, World, installed
from tests.unit.validate.conftest import contract
from typer.testing import CliRunner

from railbed.cli import report_files, validate_commands
from railbed.configure import releases
from railbed.contract import Contract
from railbed.effects.workspace import Workspace
from railbed.errors import RailbedError
from railbed.parse import sacct

__all__ = ["contract"]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return installed(monkeypatch)


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path, "test")
    made.dir.mkdir(parents=True)
    releases.record(made, ["ctl0", *NODES], OLD)
    return made


@pytest.fixture
def reports(
    contract: Contract,
    work: Workspace,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Any]:
    """`railbed report …` on nodes that are accepted; its errors as they are, else its text or its JSON."""
    releases.record(work, ["ctl0", *NODES], contract.software.release)
    work.accepted.write({node.name: node.identity.value for node in contract.nodes})
    world.runs = lambda _: sacct.runs(ACCOUNTS)  # type: ignore[attr-defined]
    monkeypatch.setattr(report_files, "open_slurm", lambda _: (work, contract, world))
    app = typer.Typer()
    validate_commands.register(app)

    def called(*words: str) -> Any:
        said = CliRunner().invoke(app, ["report", *words])
        if isinstance(said.exception, RailbedError):
            raise said.exception
        assert said.exit_code == 0, said.output
        return json.loads(said.stdout) if "--json" in words else said.stdout

    return called
