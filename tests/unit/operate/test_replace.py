"""Another machine behind a node's name, over models of Slurm, cloud and engine: what holds it back, and that a kill anywhere
ends no second machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.unit.operate.world import Killed, World

from railbed import flow, plan, platforms, replacing, spec
from railbed.claims import Verdict
from railbed.contract import Contract, Identity
from railbed.effects import acceptance, schedulers
from railbed.effects.journal import Journal
from railbed.effects.workspace import Workspace, find_root
from railbed.errors import RailbedError, UnprovenError, Unsupported, UsageError
from railbed.parse.slurm import Reservation

ROOT = find_root()
NODE, OLD = "h100-1", "id-h100-1"


def planned(example: str) -> plan.ClusterPlan:
    return plan.plan(spec.load(ROOT / f"examples/{example}.yaml"))


@dataclass
class Cloud:
    """A group that gives a new machine for each that was ended, and the engine that looks at it."""

    of: Contract
    machines: int = 0
    short: bool = False
    ended: list[str] = field(default_factory=list)

    def end(self, _: Any, __: str, node: Any) -> list[str]:
        assert node.name == NODE
        if node.id not in self.ended:
            self.ended.append(node.id)
        return [f"ended {node.id}"]

    def make(self, *_: Any) -> tuple[None, Contract]:
        node = self.of.node(NODE)
        if node.identity.value in self.ended and not self.short:
            self.machines += 1
            new = node.model_copy(
                update={"identity": Identity(kind="machine_id", value=f"id-new-{self.machines}")}
            )
            nodes = [new if one.name == NODE else one for one in self.of.nodes]
            self.of = self.of.model_copy(update={"nodes": nodes})
        return None, self.of


@pytest.fixture
def cloud(contract: Contract, work: Workspace, world: World, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    acceptance.admit(work, contract.with_role("compute", "spare"), None)
    made = Cloud(contract.model_copy(update={"filesystems": []}))
    monkeypatch.setattr(flow, "plan_of", lambda _: planned("aws-cluster"))
    monkeypatch.setattr(flow, "make", made.make)
    monkeypatch.setattr(flow, "keep_state", lambda *_: None)
    monkeypatch.setattr(platforms, "exchange", made.end)
    monkeypatch.setattr(schedulers, "of", lambda *_: world)
    converge = world.converge

    def whole(of: Contract, work: Workspace, **how: Any) -> Any:
        """All nodes, those with jobs too: only the new machine is changed much."""
        assert NODE in world.reserved
        return converge(of, work, limit=NODE, moving=True)

    monkeypatch.setattr(replacing.configure, "converge", whole)
    return made


def run(cloud: Cloud, work: Workspace) -> Any:
    return replacing.replace(cloud.of, work, NODE, lambda _: None)


def test_the_other_machine_takes_jobs_only_after_it_passed(
    cloud: Cloud, work: Workspace, world: World
) -> None:
    done = run(cloud, work)
    assert (done.before, done.after, done.verdict) == (OLD, "id-new-1", Verdict.PASS)
    assert (cloud.ended, world.drained, world.reserved) == ([OLD], {}, set())
    assert world.order[-1] == ("validate", (NODE,)) and work.accepted.read()[NODE] == "id-new-1"


def test_one_that_does_not_pass_stays_out(cloud: Cloud, work: Workspace, world: World) -> None:
    world.wrong = {NODE: Verdict.FAIL}
    assert run(cloud, work).verdict is Verdict.FAIL
    assert NODE in world.drained and world.reserved == {NODE} and NODE not in work.accepted.read()


def test_a_job_refuses_it_by_its_number_in_the_preview_and_when_it_is_done(
    cloud: Cloud, work: Workspace, world: World
) -> None:
    world.running = {NODE: 99}
    (held,) = replacing.plan(cloud.of, work, NODE)
    assert held.guard == "job-awareness" and held.why == "job 7 of ada is on it"
    assert world.drained == {} and not work.journal_file.exists()
    with pytest.raises(UnprovenError, match="7 of ada"):
        run(cloud, work)
    assert (cloud.ended, world.drained, world.reserved) == ([], {}, set())


def test_a_job_that_began_before_the_drain_is_not_ended(
    cloud: Cloud, work: Workspace, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    drain = world.drain

    def late(name: str, reason: str) -> None:
        world.running = {NODE: 99}
        drain(name, reason)

    monkeypatch.setattr(world, "drain", late)
    with pytest.raises(UnprovenError, match="7 of ada") as held:
        run(cloud, work)
    assert held.value.code == "STILL_BUSY" and cloud.ended == [] and NODE in world.drained


def test_a_reservation_a_person_s_drain_and_data_are_kept(
    cloud: Cloud, work: Workspace, world: World
) -> None:
    world.set_aside = [Reservation("run-of-75-days", (NODE,), ("ada",), frozenset())]
    with pytest.raises(UnprovenError, match="run-of-75-days"):
        run(cloud, work)
    world.set_aside, world.drained = [], {NODE: "fan, ada"}
    done = run(cloud, work)
    assert (done.kept_drained_by, world.drained) == ("fan, ada", {NODE: "fan, ada"})


def test_a_node_with_a_filesystem_s_data_and_a_controller_are_refused(
    contract: Contract, cloud: Cloud, work: Workspace
) -> None:
    server = contract.filesystems[0].model_copy(update={"data_servers": [NODE]})
    with pytest.raises(UsageError, match="keeps data of filesystem"):
        replacing.plan(contract.model_copy(update={"filesystems": [server]}), work, NODE)
    with pytest.raises(UsageError, match="is a controller"):
        replacing.plan(cloud.of, work, "ctl0")


@pytest.mark.parametrize(
    ("name", "says"), [("metal-cluster", "railbed node rma"), ("lab-cluster", "node repair")]
)
def test_where_nobody_gives_another_machine_it_says_how_one_is_had(
    cloud: Cloud, work: Workspace, monkeypatch: pytest.MonkeyPatch, name: str, says: str
) -> None:
    monkeypatch.setattr(flow, "plan_of", lambda _: planned(name))
    with pytest.raises(Unsupported) as refused:
        run(cloud, work)
    assert says in str(refused.value.hint) and cloud.ended == []


def test_a_cloud_that_has_no_other_machine_is_waited_for_by_the_next_run(
    cloud: Cloud, work: Workspace, world: World
) -> None:
    cloud.short = True
    with pytest.raises(UnprovenError) as none:
        run(cloud, work)
    assert none.value.code == "NO_MACHINE" and world.reserved == {NODE}
    cloud.short = False
    assert run(cloud, work).after == "id-new-1" and cloud.ended == [OLD]


def test_a_node_that_was_given_back_since_it_was_begun_keeps_its_job(
    cloud: Cloud, work: Workspace, world: World
) -> None:
    """The run was killed before the machine was ended; a person gave the node back, and a week later a job is on it."""
    Journal(work.journal_file).write("replace", node=NODE, identity=OLD, by="ada")
    Journal(work.journal_file).write("resume", node=NODE)
    world.running = {NODE: 99}
    with pytest.raises(UnprovenError, match="7 of ada"):
        run(cloud, work)
    assert cloud.ended == [] and world.drained == {}
    world.running = {}
    assert run(cloud, work).after == "id-new-1" and cloud.ended == [OLD]


ENTRIES = 6
"""Of the replacement below that is not killed; the test counts them."""


@pytest.mark.parametrize("point", range(1, ENTRIES + 2))
@pytest.mark.parametrize("where", ["journal", "cloud", "engine"])
def test_a_kill_anywhere_ends_no_second_machine(
    cloud: Cloud, work: Workspace, world: World, monkeypatch: pytest.MonkeyPatch, point: int, where: str
) -> None:
    count, write = [0], Journal.write

    def writes(self: Journal, event: str, **fields: Any) -> None:
        write(self, event, **fields)
        count[0] += 1
        if where == "journal" and point == count[0]:
            raise Killed

    def dying(call: Any) -> Any:
        def does(*asked: Any) -> Any:
            call(*asked)
            raise Killed

        return does

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "write", writes)
        if where == "cloud":
            patch.setattr(platforms, "exchange", dying(cloud.end))
        elif where == "engine":
            patch.setattr(flow, "make", dying(cloud.make))
        if where == "journal" and point > ENTRIES:
            assert run(cloud, work).verdict is Verdict.PASS and count[0] == ENTRIES
            return
        with pytest.raises((Killed, RailbedError)):
            run(cloud, work)
    proven = work.accepted.read().get(NODE) == "id-new-1"
    assert proven == (where == "journal" and point >= ENTRIES - 1)
    assert NODE in world.drained or NODE in world.reserved or proven or not cloud.ended
    if point < ENTRIES or where != "journal":
        assert run(cloud, work).after == "id-new-1"
    assert (cloud.ended, cloud.machines) == ([OLD], 1)
    assert (world.drained, world.reserved) == ({}, set())
