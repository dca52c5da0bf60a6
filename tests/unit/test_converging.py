"""A converge says what the stack file has and the contract has not, and leaves nobody root who was taken off the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.validate.conftest import contract

from railbed import configure, converging, spec
from railbed.contract import Contract
from railbed.effects import contract_store
from railbed.effects.workspace import Workspace
from railbed.errors import UsageError

__all__ = ["contract"]
ROOT = Path(__file__).resolve().parents[2]
ADA, OPS = (f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{letter * 43}" for letter in "AB")


@pytest.fixture
def work(tmp_path: Path, contract: Contract, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A stack whose contract was made from its stack file, with ada as an admin."""
    made = Workspace(tmp_path, "test")
    made.dir.mkdir(parents=True)
    write(made, admins={"ada": ADA})
    wanted = spec.load(made.stack_file)
    same = {"admins": wanted.access.admins, "spec_hash": spec.spec_hash(wanted)}
    software = contract.software.model_copy(update={"release": wanted.software.release})
    contract_store.write(made, contract.model_copy(update={**same, "software": software}).sealed())
    RAN.clear()
    monkeypatch.setattr(configure, "converge", lambda *_, **options: RAN.append(options))
    return made


RAN: list[dict[str, Any]] = []


def write(work: Workspace, release: str = "2026.11", **access: Any) -> None:
    document = yaml.safe_load((ROOT / "examples/lab-cluster.yaml").read_text())
    cluster = document["config"]["railbed:cluster"]
    cluster["access"] = {**cluster.get("access", {}), **access}
    cluster["software"] = {"release": release}
    work.stack_file.write_text(yaml.safe_dump(document))


def converge(work: Workspace, *, check: bool = False) -> converging.Unapplied:
    return converging.converge(work, limit=None, check=check)[1]


def test_a_stack_file_that_was_applied_is_nothing_to_tell(work: Workspace) -> None:
    found = converge(work)
    assert (found.differs, found.as_text(), len(RAN)) == (False, "", 1)
    # Order and comments are no change.
    text = work.stack_file.read_text()
    work.stack_file.write_text(f"# a comment\n{text}")
    assert not converge(work).differs


@pytest.mark.parametrize("admins", [{}, {"ops": OPS}, {"ada": OPS}])
def test_admins_who_were_taken_off_are_named_and_nothing_runs(
    work: Workspace, admins: dict[str, str]
) -> None:
    write(work, admins=admins)
    with pytest.raises(UsageError) as refused:
        converge(work)
    assert (refused.value.code, refused.value.found) == ("ADMINS_NOT_APPLIED", ["ada"])
    assert refused.value.path == "Pulumi.test.yaml:access.admins"
    assert "railbed up --stack test" in refused.value.hint
    assert RAN == []


def test_a_check_writes_nothing_so_it_only_says_it(work: Workspace) -> None:
    write(work, admins={"ops": OPS})
    found = converge(work, check=True)
    assert (found.admins_removed, found.admins_added, len(RAN)) == (["ada"], ["ops"], 1)
    assert "admins removed: ada; admins added: ops" in found.as_text()


def test_another_change_is_said_and_the_roles_run(work: Workspace) -> None:
    write(work, release="2026.12", admins={"ada": ADA, "ops": OPS})
    found = converge(work)
    assert (found.differs, found.admins_removed, found.admins_added) == (True, [], ["ops"])
    assert found.as_text() == (
        "Pulumi.test.yaml has changes that no `railbed up` has applied yet (admins added: ops; release 2026.12); "
        "this run does not apply them"
    )
    assert len(RAN) == 1


@pytest.mark.parametrize("text", [None, "config: {railbed:cluster: {version: 1, nonsense: 2}}\n"])
def test_a_stack_file_that_cannot_be_compared_is_said(work: Workspace, text: str | None) -> None:
    work.stack_file.unlink()
    if text is not None:
        work.stack_file.write_text(text)
    found = converge(work)
    assert found.unknown
    assert "was not compared" in found.as_text()
    assert len(RAN) == 1
