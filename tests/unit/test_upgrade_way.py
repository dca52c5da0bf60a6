"""Which ways from one release to another are open."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tests.unit.validate.conftest import contract

from railbed import flow
from railbed.contract import Contract
from railbed.effects import contract_store
from railbed.effects.workspace import Workspace
from railbed.errors import CatalogError, RailbedError, UsageError

__all__ = ["contract"]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def work(tmp_path: Path, contract: Contract) -> Workspace:
    made = Workspace(tmp_path, "test")
    made.dir.mkdir(parents=True)
    made.stack_file.write_text((ROOT / "examples/lab-cluster.yaml").read_text())
    contract_store.write(made, contract)
    return made


def have_slurm(work: Workspace, contract: Contract, version: str) -> None:
    software = contract.software.model_copy(update={"versions": {"slurm": version}})
    known = contract.model_copy(update={"software": software}).sealed()
    contract_store.write(work, known)


def test_an_unknown_release_is_named_with_the_known_ones(work: Workspace) -> None:
    with pytest.raises(CatalogError) as unknown:
        flow.plan_upgrade(work, "2031.01")
    assert "2026.12" in str(unknown.value.allowed)


@pytest.mark.parametrize(("version", "open_way"), [("22.05.11", True), ("21.08.2", True), ("23.02.1", False)])
def test_an_older_slurm_does_not_read_the_state_of_a_newer_one(
    work: Workspace, contract: Contract, version: str, open_way: bool
) -> None:
    have_slurm(work, contract, version)
    with pytest.raises(RailbedError) as refused:
        flow.plan_upgrade(work, "2026.12")
    # Where the way is open, the scheduler is asked next, and there is none.
    assert (refused.value.code != "RELEASE_OLDER_SLURM") is open_way


def test_without_a_scheduler_there_are_no_waves(work: Workspace, contract: Contract) -> None:
    known = contract.model_copy(update={"scheduler": "none"}).sealed()
    contract_store.write(work, known)
    with pytest.raises(RailbedError, match="waves"):
        flow.plan_upgrade(work, "2026.12")


def test_nodes_do_not_come_and_go_with_a_release(work: Workspace) -> None:
    text = yaml.safe_load(work.stack_file.read_text())
    text["config"]["railbed:cluster"]["pools"][0]["nodes"] = 5
    work.stack_file.write_text(yaml.safe_dump(text))
    with pytest.raises(UsageError, match="other nodes"):
        flow.upgrade(work, "2026.12", lambda _: None, wait_s=0)
    assert "2026.12" not in work.stack_file.read_text()
