"""A repair up the ladder over a model of Slurm: what it takes, where it stops, and that a kill anywhere leaves it resumable."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.operate.world import Killed, World

from railbed.catalog import load_remedies
from railbed.claims import Verdict
from railbed.contract import Contract
from railbed.defaults import HEALTHCHECK_PREFIX, REPAIR_PREFIX
from railbed.effects.journal import Journal
from railbed.effects.workspace import Workspace
from railbed.errors import RailbedError, UnprovenError
from railbed.operate import picture, repair, standing
from railbed.operate.ladder import BEGUN, DONE
from railbed.operate.lifecycle import State

NODE = "h100-1"


def run(of: Contract, work: Workspace, **how: Any) -> Any:
    return repair.repair(of, work, NODE, lambda _: None, **how)


def taken(world: World) -> list[str]:
    return [what for what, _ in world.order if what in ("reset", "reboot", "services", "power-cycle")]


def state(of: Contract, work: Workspace, world: World) -> State:
    seen = picture.take(of, work, world)  # type: ignore[arg-type]
    return standing.of(of.node(NODE), seen).state


def test_it_climbs_until_the_fault_is_gone_and_gives_back_only_after_a_validation(
    contract: Contract, work: Workspace, world: World
) -> None:
    world.drained = {NODE: f"{HEALTHCHECK_PREFIX} gpu-row-pending: gpu 3 waits for a reset"}
    world.faults, world.mended_by = {NODE: ["gpu-row-pending"]}, "reboot"
    assert run(contract, work).verdict is Verdict.PASS
    assert [what for what, _ in world.order] == ["reset", "converge", "reboot", "converge", "validate"]
    assert (world.drained, world.reserved) == ({}, set())
    begun = [one for one in Journal(work.journal_file).read() if one["event"] == BEGUN]
    assert [(one["rung"], one["causes"], one["marker"]) for one in begun] == [
        ("reset", ["gpu-row-pending"], "a boot"), ("reboot", ["gpu-row-pending"], "a boot"),
    ]  # fmt: skip


def test_where_no_rung_is_left_it_stays_out_with_the_reason(
    contract: Contract, work: Workspace, world: World
) -> None:
    world.faults = {NODE: ["gpu-row-pending"]}
    with pytest.raises(UnprovenError, match="after reset, reboot still gpu-row-pending") as ended:
        run(contract, work)
    assert ended.value.code == "LADDER_END"
    assert world.drained[NODE] == f"{REPAIR_PREFIX} after reset, reboot still gpu-row-pending"
    assert world.reserved == {NODE} and state(contract, work, world) is State.QUARANTINED
    assert ("validate", (NODE,)) not in world.order


def test_a_part_that_has_to_be_replaced_is_not_booted_for(
    contract: Contract, work: Workspace, world: World
) -> None:
    world.faults = {NODE: ["gpu-row-failed"]}
    with pytest.raises(UnprovenError, match="a part has to be replaced"):
        run(contract, work)
    assert world.order == [] and "has to be replaced" in world.drained[NODE]


def test_a_node_that_a_person_drained_is_not_booted(
    contract: Contract, work: Workspace, world: World
) -> None:
    """That person's hands may be in it; the roles alone run, as before."""
    world.drained, world.faults = {NODE: "fan, ada"}, {NODE: ["driver-hung"]}
    assert run(contract, work).verdict is Verdict.FAIL
    assert taken(world) == [] and world.drained == {NODE: "fan, ada"}


def test_a_drain_that_a_person_sets_just_before_a_rung_keeps_it_from_being_taken(
    contract: Contract, work: Workspace, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.faults = {NODE: ["driver-hung"]}
    monkeypatch.setattr(repair.boots, "marker", lambda *_: world.drain(NODE, "fan, ada") or "a boot")
    done = run(contract, work)
    assert taken(world) == [] and (done.verdict, world.drained) == (Verdict.FAIL, {NODE: "fan, ada"})


def test_a_node_that_a_person_gave_back_just_before_a_rung_is_left_as_that_person_wants(
    contract: Contract, work: Workspace, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.faults = {NODE: ["driver-hung"]}
    monkeypatch.setattr(repair.boots, "marker", lambda *_: str(world.resume(NODE)))
    with pytest.raises(UnprovenError, match="not drained any more") as stopped:
        run(contract, work)
    assert stopped.value.code == "GIVEN_BACK" and taken(world) == []
    assert (world.drained, world.reserved) == ({}, {NODE}), "held until it passes"


def test_a_boot_that_two_killed_runs_did_not_see_to_its_end_is_waited_for(
    contract: Contract, work: Workspace, world: World
) -> None:
    journal = Journal(work.journal_file)
    journal.write(BEGUN, node=NODE, rung="power-cycle")
    journal.write("repair-drain", node=NODE)
    assert run(contract, work).verdict is Verdict.PASS and world.finished == ["power-cycle"]
    world.finished.clear()
    journal.write(DONE, node=NODE, rung="power-cycle")
    assert (
        run(contract, work, force="a third within the hour").verdict is Verdict.PASS and world.finished == []
    )


@pytest.mark.parametrize("moment", ["reset", "converge"])
def test_a_drain_that_a_person_sets_meanwhile_ends_the_climb(
    contract: Contract, work: Workspace, world: World, moment: str
) -> None:
    world.faults, world.meanwhile = {NODE: ["gpu-row-pending"]}, {moment: {NODE: "fan, ada"}}
    done = run(contract, work)
    assert taken(world) == ["reset"] and done.verdict is Verdict.FAIL
    assert (done.kept_drained_by, world.drained) == ("fan, ada", {NODE: "fan, ada"})


def test_no_rung_is_taken_more_often_than_it_may_within_a_week(
    contract: Contract, work: Workspace, world: World
) -> None:
    world.faults = {NODE: ["driver-hung"]}
    for _ in range(4):
        with pytest.raises(RailbedError):
            run(contract, work, force="again")
    assert len(taken(world)) == 4, "a person's force goes over the budget"
    world.order.clear()
    with pytest.raises(RailbedError):
        run(contract, work)
    assert taken(world) == []


def test_many_boots_of_a_pool_within_the_hour_hold_the_next_back(
    contract: Contract, work: Workspace, world: World
) -> None:
    journal = Journal(work.journal_file)
    for name in ("h100-2", "h100-3"):
        journal.write(BEGUN, node=name, rung="reboot")
    world.faults = {NODE: ["driver-hung"]}
    with pytest.raises(
        UnprovenError, match="reboot began 2 times in the pool within the hour, and 2 may"
    ) as held:
        run(contract, work)
    assert held.value.code == "GUARDED" and taken(world) == []


def test_a_person_says_where_it_begins(contract: Contract, work: Workspace, world: World) -> None:
    assert run(contract, work, start="reboot").verdict is Verdict.PASS
    assert taken(world) == ["reboot"]


def test_the_plan_says_what_it_would_take_and_changes_nothing(
    contract: Contract, work: Workspace, world: World
) -> None:
    world.drained = {NODE: f"{HEALTHCHECK_PREFIX} gpu-row-pending: gpu 3"}
    seen = picture.take(contract, work, world)  # type: ignore[arg-type]
    mend = next(step.what for step in repair.plan(seen, NODE) if step.name == "mend")
    assert mend.startswith("reset, then reboot until the fault is gone, for gpu-row-pending")
    assert world.order == [] and not work.journal_file.exists()


def killed_at(point: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """`kill -9` just after entry number ``point`` of the journal is on disk; gives how many there were."""
    count, write = [0], Journal.write

    def writes(self: Journal, event: str, **fields: Any) -> None:
        write(self, event, **fields)
        count[0] += 1
        if count[0] == point:
            raise Killed

    monkeypatch.setattr(Journal, "write", writes)
    return count


ENTRIES = 15
"""Of the repair below that is not killed; the test counts them."""


@pytest.mark.parametrize("point", range(1, ENTRIES + 2))
def test_a_kill_at_any_entry_leaves_it_held_and_the_next_run_mends_it(
    contract: Contract, work: Workspace, world: World, monkeypatch: pytest.MonkeyPatch, point: int
) -> None:
    world.drained = {NODE: f"{HEALTHCHECK_PREFIX} gpu-row-pending: gpu 3 waits for a reset"}
    world.faults, world.mended_by = {NODE: ["gpu-row-pending"]}, "reboot"
    with monkeypatch.context() as patch:
        count = killed_at(point, patch)
        if point > ENTRIES:
            assert run(contract, work).verdict is Verdict.PASS and count[0] == ENTRIES
            return
        with pytest.raises(Killed):
            run(contract, work)
    mended = world.faults == {}
    if not mended:
        assert NODE in world.drained or NODE in world.reserved, "takes no job unproven"
        assert state(contract, work, world) is not State.HEALTHY
    world.order.clear()
    assert run(contract, work).verdict is Verdict.PASS
    assert (world.drained, world.reserved, world.faults) == ({}, set(), {})
    assert ("validate", (NODE,)) in world.order, "validated after whatever was done"
    budget = {name: rung.per_node_week for name, rung in load_remedies().rungs.items()}
    begun = [one["rung"] for one in Journal(work.journal_file).read() if one["event"] == BEGUN]
    assert all(begun.count(rung) <= budget[rung] for rung in begun)  # type: ignore[index]


@pytest.mark.parametrize("moment", ["reset", "reset done", "reboot", "reboot done", "converge", "validate"])
def test_a_kill_within_a_rung_is_waited_for_by_the_next_run(
    contract: Contract, work: Workspace, world: World, moment: str
) -> None:
    world.faults, world.mended_by = {NODE: ["gpu-row-pending"]}, "reboot"
    world.killed = moment
    with pytest.raises(Killed):
        run(contract, work)
    assert NODE in world.drained or NODE in world.reserved
    assert state(contract, work, world) in (State.REPAIRING, State.VALIDATING)
    world.killed = ""
    assert run(contract, work).verdict is Verdict.PASS
    assert world.finished == (["reboot"] if moment.startswith("reboot") else []), (
        "a reset leaves no node away"
    )
    assert (world.drained, world.reserved) == ({}, set())
