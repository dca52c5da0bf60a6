"""Where no rung mends a node, a spare takes its place: within budgets, once, and a kill anywhere is gone on from."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.operate.world import Killed, World

from railbed.catalog import load_remedies
from railbed.contract import Contract
from railbed.effects import acceptance
from railbed.effects.journal import Journal
from railbed.effects.workspace import Workspace
from railbed.errors import RailbedError, UnprovenError
from railbed.operate import ladder, repair
from railbed.operate.ladder import BEGUN, Spent

NODE, SPARE = "h100-1", "h100-3"


@pytest.fixture
def of(contract: Contract, work: Workspace, world: World) -> Contract:
    """A pool that keeps its spare, and a node that needs a part."""
    acceptance.admit(work, contract.with_role("compute", "spare"), None)
    world.reserved, world.faults = {SPARE}, {NODE: ["gpu-row-failed"]}
    return contract.model_copy(update={"standby_pools": ["h100"]})


def run(of: Contract, work: Workspace, **how: Any) -> Any:
    return repair.repair(of, work, NODE, lambda _: None, **how)


def test_the_spare_has_its_place_and_the_node_stays_out(of: Contract, work: Workspace, world: World) -> None:
    with pytest.raises(UnprovenError, match=f"{SPARE} has its place") as ended:
        run(of, work)
    assert ended.value.code == "LADDER_END"
    assert world.reserved == {NODE} and "has to be replaced" in world.drained[NODE]
    assert work.places.read() == {NODE: SPARE, SPARE: NODE}
    with pytest.raises(UnprovenError) as again:
        run(of, work)
    assert "has its place" not in again.value.message and work.places.read() == {NODE: SPARE, SPARE: NODE}


def test_a_node_that_a_rung_mends_keeps_its_place(of: Contract, work: Workspace, world: World) -> None:
    world.faults, world.mended_by = {NODE: ["gpu-row-pending"]}, "reset"
    run(of, work)
    assert work.places.read() == {} and world.reserved == {SPARE}


@pytest.mark.parametrize("why", ["no spare is fit", "the pool keeps none", "too many within the hour"])
def test_where_no_spare_may_the_repair_ends_as_before(
    of: Contract, work: Workspace, world: World, why: str
) -> None:
    if why == "no spare is fit":
        world.drained = {SPARE: "fan, ada"}
    elif why == "the pool keeps none":
        of = of.model_copy(update={"standby_pools": []})
    else:
        for name in ("h100-0", "h100-2"):
            Journal(work.journal_file).write(BEGUN, node=name, rung="spare")
    with pytest.raises(UnprovenError) as ended:
        run(of, work)
    assert ended.value.code == "LADDER_END" and "has its place" not in ended.value.message
    assert work.places.read() == {} and {NODE} <= world.reserved


def test_budgets_of_the_end() -> None:
    known = load_remedies()
    assert ladder.ending(known, Spent({}, {}), 4) == ""
    assert "2 times within a week" in ladder.ending(known, Spent({"spare": 2}, {}), 4)
    assert "began 2 times" in ladder.ending(known, Spent({}, {"spare": 2}), 4)
    assert ladder.ending(known, Spent({}, {"spare": 2}), 128) == "", "5 % of 128 are 7"
    assert (
        ladder.ending(known.model_copy(update={"ends": {}}), Spent({}, {}), 4) == "the ladder does not end so"
    )


ENTRIES = 10
"""Of the repair below that is not killed; the test counts them."""


@pytest.mark.parametrize("point", range(1, ENTRIES + 2))
def test_a_kill_at_any_entry_is_gone_on_from(
    of: Contract, work: Workspace, world: World, monkeypatch: pytest.MonkeyPatch, point: int
) -> None:
    count, write = [0], Journal.write

    def writes(self: Journal, event: str, **fields: Any) -> None:
        write(self, event, **fields)
        count[0] += 1
        if count[0] == point:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "write", writes)
        with pytest.raises((Killed, RailbedError)):
            run(of, work)
    assert point <= ENTRIES or count[0] == ENTRIES
    assert NODE in world.drained or NODE in world.reserved
    assert not {NODE, SPARE} <= {"h100-0", NODE, "h100-2", SPARE} - set(world.drained) - world.reserved
    with pytest.raises(UnprovenError):
        run(of, work)
    assert work.places.read() == {NODE: SPARE, SPARE: NODE}
    assert NODE in world.drained and world.reserved == {NODE}
    begun = sum(one.get("rung") == "spare" for one in Journal(work.journal_file).read())
    assert 1 <= begun <= load_remedies().ends["spare"].per_node_week
