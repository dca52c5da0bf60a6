"""What railbed took out comes back when the cause is gone and the node has passed again; nothing else does."""

from __future__ import annotations

import json
import resource
import shutil
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.operate.world import NODES, Killed, World

from railbed.claims import Verdict
from railbed.configure import releases
from railbed.contract import Contract
from railbed.defaults import HEALTHCHECK_PREFIX, REPAIR_PREFIX, UPGRADE_PREFIX
from railbed.effects.journal import Journal
from railbed.effects.workspace import Workspace
from railbed.errors import CommandError, RailbedError
from railbed.operate import breaker, picture, settle, standing
from railbed.operate.lifecycle import State
from railbed.operate.settle import Settled
from railbed.parse.slurm import Reservation
from railbed.validate.open_files import BESIDE, PER_NODE
from railbed.validate.room import REPORT_PART_NODE_BYTES, REPORT_PART_ROOM_BYTES

NODE = "h100-1"
FAILED = f"{REPAIR_PREFIX} node.driver fail: told"


@pytest.fixture(autouse=True)
def in_service(contract: Contract, work: Workspace) -> None:
    """Every node is whole and accepted."""
    releases.record(work, ["ctl0", *NODES], contract.software.release)
    work.accepted.write({node.name: node.identity.value for node in contract.nodes})


def failed(world: World, work: Workspace, reason: str = FAILED) -> None:
    """As a repair leaves a node that did not pass."""
    for event in ("repair-drain", "repair-hold", "repair-converged", "repair-drained"):
        Journal(work.journal_file).write(event, node=NODE)
    world.drained[NODE] = reason
    world.reserved = {NODE}


def run(contract: Contract, work: Workspace) -> dict[str, Settled]:
    return {one.node: one for one in settle.settle(contract, work, lambda _: None)}


def events(work: Workspace) -> list[str]:
    return [event["event"] for event in Journal(work.journal_file).read()]


@pytest.mark.parametrize("reason", [FAILED, f"{UPGRADE_PREFIX} node.driver fail: told"])
def test_a_node_that_passes_again_is_given_back(
    contract: Contract, work: Workspace, world: World, reason: str
) -> None:
    failed(world, work, reason)
    done = run(contract, work)
    assert (done[NODE].tried, done[NODE].verdict, done[NODE].left) == (True, Verdict.PASS, "")
    assert (world.drained, world.reserved) == ({}, set())
    assert [step for step, _ in world.order] == ["quick", "validate"], "seconds first, then every claim"
    assert events(work)[-1] == "settle-returned"
    assert run(contract, work) == {}


@pytest.mark.parametrize(
    "hidden", [False, True], ids=["quick checks see it", "only the whole validation sees it"]
)
def test_a_node_whose_cause_is_still_there_stays_out(
    contract: Contract, work: Workspace, world: World, hidden: bool
) -> None:
    failed(world, work)
    world.wrong, world.slow_to_see = {NODE: Verdict.FAIL}, {NODE} if hidden else set()
    done = run(contract, work)
    assert done[NODE].verdict is Verdict.FAIL and done[NODE].left == "node.driver fail: told"
    assert world.drained == {NODE: FAILED} and world.reserved == {NODE}
    assert [step for step, _ in world.order] == ["quick", "validate"][: 1 + hidden]


@pytest.mark.parametrize(
    ("busy", "silent", "tried"),
    [
        ([], [], True),
        (["h100-0"], [], True),
        (["h100-0", "h100-2"], [], False),
        (["h100-0"], ["h100-3"], False),
    ],
)
def test_no_try_is_spent_while_too_few_others_are_idle_to_measure_its_rails_with(
    contract: Contract, work: Workspace, world: World, busy: list[str], silent: list[str], tried: bool
) -> None:
    failed(world, work)
    world.running, world.silent = dict.fromkeys(busy, 9), set(silent)
    done = run(contract, work)[NODE]
    assert done.tried is tried and ("settle" in events(work)) is tried
    assert tried or ("its rails are measured with 2" in done.left and world.drained[NODE] == FAILED)


def test_one_that_drift_holds_is_validated_though_it_is_not_drained(
    contract: Contract, work: Workspace, world: World
) -> None:
    Journal(work.journal_file).write("drift-hold", nodes=[NODE], beyond_limit=[], scheduler="")
    work.accepted.write({name: value for name, value in work.accepted.read().items() if name != NODE})
    world.reserved, world.wrong = {NODE}, {NODE: Verdict.FAIL}
    assert run(contract, work)[NODE].verdict is Verdict.FAIL
    assert world.reserved == {NODE} and world.drained == {}, "held as before"
    world.wrong = {}
    assert run(contract, work)[NODE].verdict is Verdict.PASS
    assert world.reserved == set() and NODE in work.accepted.read()


@pytest.mark.parametrize("reason", ["fan, ada", "Kill task failed", "[railbed:operator] rack moves"])
def test_another_one_s_drain_is_never_touched(
    contract: Contract, work: Workspace, world: World, reason: str
) -> None:
    failed(world, work, reason)
    assert run(contract, work) == {}
    assert world.drained == {NODE: reason} and world.order == []


def test_a_drain_that_a_person_sets_meanwhile_stays(
    contract: Contract, work: Workspace, world: World
) -> None:
    failed(world, work)
    world.meanwhile = {"validate": {NODE: "fan, ada"}}
    done = run(contract, work)
    assert done[NODE].left == "drained by its owner: fan, ada"
    assert world.drained == {NODE: "fan, ada"}


def test_a_drain_that_a_person_sets_just_before_the_node_would_be_given_back_stays(
    contract: Contract, work: Workspace, world: World
) -> None:
    failed(world, work)
    world.meanwhile = {"resume": {NODE: "fan, ada"}}
    done = run(contract, work)
    assert done[NODE].left == "somebody drained it just now" and done[NODE].verdict is Verdict.UNPROVEN
    assert world.drained == {NODE: "fan, ada"} and world.reserved == {NODE} and world.order == []


def test_the_health_check_s_drain_is_left_to_it(contract: Contract, work: Workspace, world: World) -> None:
    world.drained = {NODE: f"{HEALTHCHECK_PREFIX} gpu-lost: 7 of 8"}
    done = run(contract, work)
    assert not done[NODE].tried and "gives it back itself" in done[NODE].left
    assert world.order == [] and NODE in world.drained


def test_what_holds_a_node_back_is_said(contract: Contract, work: Workspace, world: World) -> None:
    failed(world, work)
    cases = {
        "job 7 of ada is on it": {"running": {NODE: 9}},
        "in reservation run-of-months": {
            "set_aside": [Reservation("run-of-months", (NODE,), ("ada",), frozenset())]
        },
    }
    for reason, state in cases.items():
        for key, value in state.items():
            setattr(world, key, value)
        done = run(contract, work)[NODE]
        assert not done.tried and reason in done.left
        world.running, world.set_aside = {}, []
    world.silent = {NODE}
    assert run(contract, work) == {}, "unknown is not out of service by railbed's will"
    world.silent = set()
    releases.record(work, [NODE], "another")
    assert "run the roles first" in run(contract, work)[NODE].left
    assert world.order == [] and world.drained == {NODE: FAILED}


def test_what_comes_and_goes_is_tried_three_times_a_day(
    contract: Contract, work: Workspace, world: World
) -> None:
    failed(world, work)
    world.wrong = {NODE: Verdict.UNPROVEN}
    assert [run(contract, work)[NODE].tried for _ in range(4)] == [True, True, True, False]
    assert "tried 3 times" in run(contract, work)[NODE].left


def test_each_node_is_looked_at_when_its_turn_comes(
    contract: Contract, work: Workspace, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the first is validated, a person takes the second and a job of somebody's run gets onto the third."""
    others = ["h100-2", "h100-3"]
    failed(world, work)
    for name in others:
        Journal(work.journal_file).write("repair-hold", node=name)
        world.drained[name] = FAILED
    world.reserved |= set(others)
    months = Reservation("run-of-months", ("h100-3",), ("ada",), frozenset())
    first = world.validate

    def validated(*given: Any, **named: Any) -> Any:
        world.drained["h100-2"], world.set_aside = "fan, ada", [months]
        return first(*given, **named)

    monkeypatch.setattr(settle.validate, "run", validated)
    done = run(contract, work)
    assert [one.tried for one in done.values()] == [True, False, False]
    assert "does not hold it any more" in done["h100-2"].left and "run-of-months" in done["h100-3"].left
    assert {name for _, names in world.order for name in names} == {NODE}
    assert world.drained == {"h100-2": "fan, ada", "h100-3": FAILED}


def test_no_further_node_begins_when_the_time_is_up(
    contract: Contract, work: Workspace, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed(world, work)
    monkeypatch.setattr(settle, "SETTLE_BUDGET_S", -1.0)
    done = run(contract, work)[NODE]
    assert not done.tried and "the next run goes on" in done.left
    assert world.order == [] and events(work)[-1] == "repair-drained", "and it is no try"


@pytest.mark.parametrize("moment", ["validate"])
def test_a_run_that_is_ended_leaves_the_node_held(
    contract: Contract, work: Workspace, world: World, moment: str
) -> None:
    failed(world, work)
    world.killed = moment
    with pytest.raises(Killed):
        run(contract, work)
    assert world.reserved == {NODE} and world.drained == {NODE: FAILED}
    world.killed = ""
    assert run(contract, work)[NODE].verdict is Verdict.PASS, "the next run goes on"


def test_a_node_whose_run_was_killed_hard_is_tried_again(
    contract: Contract, work: Workspace, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL, or the machine itself: what would be undone at the end is not, so the node is held and no longer drained."""
    Journal(work.journal_file).write("repair-drain", node=NODE)
    world.drained, world.killed = {NODE: FAILED}, "validate"
    with monkeypatch.context() as gone, pytest.raises(Killed):
        gone.setattr(world, "drain", lambda *_: None)
        run(contract, work)
    assert (world.drained, world.reserved) == ({}, {NODE})
    seen = picture.take(contract, work, world)  # type: ignore[arg-type]
    stands = standing.of(contract.node(NODE), seen)
    assert stands.state is State.QUARANTINED and "ended before it was through" in stands.why
    assert not breaker.refusal(contract, seen.states, seen.index, "h100", seen.now)
    world.killed = ""
    assert run(contract, work)[NODE].verdict is Verdict.PASS
    assert (world.drained, world.reserved) == ({}, set()) and run(contract, work) == {}


def test_where_the_scheduler_does_not_answer_nothing_is_done(
    contract: Contract, work: Workspace, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed(world, work)

    def silent() -> dict[str, str]:
        raise CommandError("scontrol did not answer")

    monkeypatch.setattr(world, "jobs", silent)
    with pytest.raises(CommandError):
        run(contract, work)
    assert world.order == [] and world.drained == {NODE: FAILED}


def test_the_plan_changes_nothing(contract: Contract, work: Workspace, world: World) -> None:
    failed(world, work)
    before = {file: file.read_bytes() for file in work.dir.rglob("*") if file.is_file()}
    (one,) = settle.plan(picture.take(contract, work, world))  # type: ignore[arg-type]
    assert one.tried and one.lifecycle == "quarantined"
    assert {file: file.read_bytes() for file in work.dir.rglob("*") if file.is_file()} == before
    assert (world.drained, world.reserved, world.order) == ({NODE: FAILED}, {NODE}, [])
    assert json.loads(one.model_dump_json())["verdict"] is None


def test_a_disk_that_is_too_full_for_its_reports_is_told_before_a_node_is_touched(
    contract: Contract, work: Workspace, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = REPORT_PART_ROOM_BYTES + 2 * REPORT_PART_NODE_BYTES - 1
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    assert run(contract, work) == {}, "nobody is out, so no report is written"
    failed(world, work)
    before = events(work)
    with pytest.raises(RailbedError, match="nothing was changed") as small:
        run(contract, work)
    assert small.value.code == "REPORT_ROOM"
    assert (world.order, world.drained, events(work)) == ([], {NODE: FAILED}, before)
    free += 1
    assert run(contract, work)[NODE].verdict is Verdict.PASS


def test_too_few_open_files_are_told_before_a_node_is_touched(
    contract: Contract, work: Workspace, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed(world, work)
    before, wanted = events(work), BESIDE + PER_NODE * len(contract.nodes)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, wanted - 1))
    with pytest.raises(RailbedError, match="nothing was changed") as refused:
        run(contract, work)
    assert refused.value.code == "OPEN_FILES"
    assert (world.order, world.drained, events(work)) == ([], {NODE: FAILED}, before)
