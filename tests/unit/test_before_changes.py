"""What `up`, `upgrade` and `destroy` do before they change anything: back the state up, and ask who works on the cluster."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support import example_clusters
from tests.unit.validate.conftest import contract

from railbed import flow, platforms, spec
from railbed import plan as plans
from railbed.contract import Contract
from railbed.effects import contract_store
from railbed.effects.workspace import Workspace
from railbed.errors import RailbedError, UsageError
from railbed.operate.losses import Losses
from railbed.validate.open_files import BESIDE, PER_NODE
from railbed.validate.room import REPORT_NODE_BYTES, REPORT_ROOM_BYTES

__all__ = ["contract"]
ROOT = Path(__file__).resolve().parents[2]
FULL = RailbedError("the engine's state cannot be backed up", code="SYSTEM")


class Engine:
    """A session whose disk is full, or is not."""

    full = True

    def __init__(self, work: Workspace, say: Callable[[str], None]) -> None:
        self.done: list[str] = []
        LOG.append(self)

    def open(self) -> None:
        return

    def backup(self, before: str) -> Path:
        self.done.append(f"backup before {before}")
        if self.full:
            raise FULL
        return Path("file")

    def drop_stale_locks(self) -> list[str]:
        return []

    def destroy(self, on_event: Any) -> tuple[None, list[str]]:
        self.done.append("destroy")
        return None, []

    def remove(self) -> None:
        self.done.append("remove")


LOG: list[Engine] = []
JOBS: list[str] = []
"""Running jobs."""


@pytest.fixture
def work(tmp_path: Path, contract: Contract, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    LOG.clear()
    made = Workspace(tmp_path, "test")
    made.dir.mkdir(parents=True)
    made.stack_file.write_text((ROOT / "examples/lab-cluster.yaml").read_text())
    contract_store.write(made, contract)
    monkeypatch.setattr(flow, "Session", Engine)
    monkeypatch.setattr(flow, "losses", lambda _: Losses(jobs=JOBS))
    JOBS.clear()

    def changed(*_: Any, **__: Any) -> Any:
        raise AssertionError("something was changed")

    for name in ("shrink", "make"):
        monkeypatch.setattr(flow, name, changed)
    return made


def quiet(_: str) -> None:
    return


def test_up_changes_nothing_where_the_state_cannot_be_backed_up(work: Workspace) -> None:
    with pytest.raises(RailbedError) as full:
        flow.up(work, quiet)
    assert full.value is FULL
    assert LOG[0].done == ["backup before up"]


def test_upgrade_leaves_the_stack_file_where_the_state_cannot_be_backed_up(
    work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        flow.plans, "names", lambda _: {node.name for node in flow.contract_store.load(work).nodes}
    )
    text = work.stack_file.read_text()
    with pytest.raises(RailbedError) as full:
        flow.upgrade(work, "2026.12", quiet, wait_s=0)
    assert full.value is FULL
    assert work.stack_file.read_text() == text
    assert LOG[0].done == ["backup before upgrade"]


def test_destroy_removes_nothing_where_the_state_cannot_be_backed_up(
    work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept: list[str] = []
    monkeypatch.setattr(platforms, "sweep", lambda *_: swept)
    with pytest.raises(RailbedError) as full:
        flow.destroy(work, quiet)
    assert full.value is FULL
    assert LOG[0].done == ["backup before destroy"]
    assert work.contract_file.exists()


def test_destroy_forgets_the_contract_before_the_state(
    work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in between, the next run must not take the stack for one whose state was lost."""
    there: list[bool] = []
    monkeypatch.setattr(Engine, "full", False)
    monkeypatch.setattr(Engine, "remove", lambda self: there.append(work.contract_file.exists()))
    monkeypatch.setattr(platforms, "sweep", lambda *_: [])
    flow.destroy(work, quiet)
    assert there == [False]
    assert LOG[0].done == ["backup before destroy", "destroy"]


def test_destroy_does_nothing_while_jobs_run_unless_it_is_told_to_end_them(
    work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    JOBS.append("245 of ada on h100-0")
    monkeypatch.setattr(Engine, "full", False)
    monkeypatch.setattr(platforms, "sweep", lambda *_: [])
    said: list[str] = []
    with pytest.raises(UsageError) as refused:
        flow.destroy(work, said.append)
    assert refused.value.code == "JOBS_RUNNING"
    assert said[0] == "running jobs: 245 of ada on h100-0"
    assert LOG == []
    assert not work.journal_file.exists()
    flow.destroy(work, said.append, end_jobs=True)
    assert LOG[0].done == ["backup before destroy", "destroy", "remove"]


def test_up_says_what_the_plan_warns_of_and_makes_nothing_for_nodes_that_cannot_get_their_packages(
    work: Workspace,
) -> None:
    said: list[str] = []
    with pytest.raises(RailbedError):
        flow.up(work, said.append)
    assert [line for line in said if line.startswith("CAPACITY_NOT_ENFORCED: ")]
    LOG.clear()
    work.stack_file.write_text((ROOT / "examples/metal-cluster.yaml").read_text())
    with pytest.raises(UsageError) as refused:
        flow.up(work, said.append)
    assert refused.value.code == "NOT_PINNED" and "railbed software pin" in refused.value.hint
    assert [line for line in said if line.startswith("NOT_PINNED: ")]
    assert LOG == [], "not even the engine's state was opened"


@pytest.mark.parametrize(("command", "reports"), [("up", 1), ("upgrade", 2)])
def test_a_disk_that_is_too_full_for_the_reports_is_told_before_anything_is_made(
    work: Workspace, monkeypatch: pytest.MonkeyPatch, command: str, reports: int
) -> None:
    names = {node.name for node in flow.contract_store.load(work).nodes}
    monkeypatch.setattr(flow.plans, "names", lambda _: names)
    free = REPORT_ROOM_BYTES + reports * len(names) * REPORT_NODE_BYTES
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))

    def run() -> RailbedError:
        with pytest.raises(RailbedError) as stopped:
            flow.up(work, quiet) if command == "up" else flow.upgrade(work, "2026.12", quiet, wait_s=0)
        return stopped.value

    assert run() is FULL, "with room it comes to the backup of the state"
    LOG.clear()
    free -= 1
    small = run()
    assert small.code == "REPORT_ROOM" and "nothing was changed" in small.message
    assert LOG == [], "not even the engine's state was opened"


@pytest.mark.parametrize("command", ["up", "upgrade"])
def test_too_few_open_files_are_told_before_anything_is_made(
    work: Workspace, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    names = {node.name for node in flow.contract_store.load(work).nodes}
    monkeypatch.setattr(flow.plans, "names", lambda _: names)
    wanted = BESIDE + PER_NODE * len(names)
    hard = [wanted - 1]
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, hard[-1]))
    monkeypatch.setattr(resource, "setrlimit", lambda _, both: hard.append(both[0]))

    def run() -> RailbedError:
        with pytest.raises(RailbedError) as stopped:
            flow.up(work, quiet) if command == "up" else flow.upgrade(work, "2026.12", quiet, wait_s=0)
        return stopped.value

    refused = run()
    assert refused.code == "OPEN_FILES" and "nothing was changed" in refused.message
    assert LOG == [], "not even the engine's state was opened"
    hard.append(wanted)
    assert run() is FULL, "with so many it comes to the backup of the state"


def metal(work: Workspace) -> Contract:
    """A stack of metal whose packages nobody pinned, and a contract with every node of its plan."""
    work.stack_file.write_text((ROOT / "examples/metal-cluster.yaml").read_text())
    made, wanted = example_clusters.cluster_of("metal-cluster"), plans.plan(spec.load(work.stack_file))
    machines = plans.machines(wanted)
    like = {node.machine: node for node in made.nodes}
    nodes = [
        like[machine].model_copy(
            update={"name": name, "identity": like[machine].identity.model_copy(update={"value": serial})}
        )
        for name, (machine, _, serial) in machines.items()
    ]
    return made.model_copy(update={"nodes": nodes})


@pytest.fixture
def up_stops(work: Workspace, monkeypatch: pytest.MonkeyPatch) -> Callable[[Contract], str]:
    """Code of what stops `up` of a stack with this contract; ``FULL``'s where it came past the packages to the state."""
    monkeypatch.setattr(flow, "preflight", lambda *_: [])
    monkeypatch.setattr(flow.configure, "require_secrets", lambda *_: None)
    monkeypatch.setattr(platforms, "fetch", lambda *_: None)

    def stops(have: Contract) -> str:
        monkeypatch.setattr(flow.contract_store, "load", lambda _: have)
        with pytest.raises(RailbedError) as stopped:
            flow.up(work, quiet)
        assert (LOG == []) is (stopped.value is not FULL)
        return stopped.value.code

    return stops


def test_up_only_warns_of_packages_where_every_node_is_there(
    work: Workspace, up_stops: Callable[[Contract], str]
) -> None:
    assert up_stops(metal(work)) == FULL.code


@pytest.mark.parametrize(
    ("field", "value"), [("name", "h100-99"), ("machine", "metal/hgx-h100"), ("serial", "other")]
)
def test_up_makes_no_new_node_without_its_packages(
    work: Workspace, up_stops: Callable[[Contract], str], field: str, value: str
) -> None:
    have = metal(work)
    last = have.nodes[-1]
    other = last.identity.model_copy(update={"value": value})
    changed = last.model_copy(update={"identity": other} if field == "serial" else {field: value})
    assert up_stops(have.model_copy(update={"nodes": [*have.nodes[:-1], changed]})) == "NOT_PINNED"


def test_a_node_of_another_image_is_a_new_one(work: Workspace, up_stops: Callable[[Contract], str]) -> None:
    have = metal(work)
    baked = [one.image.model_copy(update={"profile": "railbed"}) for one in have.classes]
    classes = [
        one.model_copy(update={"image": image}) for one, image in zip(have.classes, baked, strict=True)
    ]
    assert up_stops(have.model_copy(update={"classes": classes})) == "NOT_PINNED"
