"""A spare takes a node's place over a model of Slurm: which one, what is waited for, and that a kill anywhere is gone on from."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.operate.world import NODES, Killed, World

from railbed.claims import Verdict
from railbed.contract import Contract
from railbed.defaults import HEALTHCHECK_PREFIX, REPAIR_PREFIX
from railbed.effects import acceptance, places
from railbed.effects.journal import Journal
from railbed.effects.workspace import Workspace
from railbed.errors import UnprovenError, UsageError
from railbed.operate import picture, repair, standing, swap
from railbed.operate.lifecycle import State
from railbed.parse.slurm import Reservation

NODE, SPARE = "h100-1", "h100-3"


@pytest.fixture
def of(contract: Contract, work: Workspace, world: World) -> Contract:
    """Three nodes that passed, and a spare that takes no user's job."""
    acceptance.admit(work, contract.with_role("compute", "spare"), None)
    world.reserved = {SPARE}
    return contract.model_copy(update={"standby_pools": ["h100"]})


def run(of: Contract, work: Workspace, world: World, **how: Any) -> swap.Swapped:
    return swap.swap(of, work, world, NODE, lambda _: None, **how)  # type: ignore[arg-type]


def state(of: Contract, work: Workspace, world: World, name: str) -> State:
    seen = picture.take(of, work, world)  # type: ignore[arg-type]
    return standing.of(of.node(name), seen).state


def with_two_spares(of: Contract, **units: int) -> Contract:
    """h100-2 and h100-3 are spares; ``units``: which scalable unit each is in, 0 where it is not named."""
    nodes = [
        node.model_copy(
            update={
                "role": "spare" if node.name in ("h100-2", "h100-3") else node.role,
                "scalable_unit": units.get(node.name.replace("-", "_"), 0),
            }
        )
        for node in of.nodes
    ]
    return of.model_copy(update={"nodes": nodes})


def test_the_spare_takes_jobs_once_the_node_is_idle_and_the_node_is_the_spare(
    of: Contract, work: Workspace, world: World
) -> None:
    assert state(of, work, world, SPARE) is State.HEALTHY, "held, and yet proven"
    world.running = {NODE: 4}
    done = run(of, work, world)
    assert (done.spare, done.same_unit, done.order) == (SPARE, True, ["h100-0", SPARE, "h100-2"])
    assert world.reserved == {NODE} and world.drained[NODE].startswith(REPAIR_PREFIX)
    assert places.standby(of, work) == {NODE}
    assert state(of, work, world, SPARE) is State.HEALTHY and state(of, work, world, NODE) is State.DRAINING
    waited = [one["jobs"] for one in Journal(work.journal_file).read() if one["event"] == "swap-wait"]
    assert waited == ["7 of ada"], "it waited for the job, and ended none"


def test_the_repaired_node_is_kept_for_the_next_swap(of: Contract, work: Workspace, world: World) -> None:
    run(of, work, world)
    assert repair.repair(of, work, NODE, lambda _: None).verdict is Verdict.PASS
    assert (world.drained, world.reserved) == ({}, {NODE}), "proven, and no user's job"
    assert state(of, work, world, NODE) is State.HEALTHY
    back = swap.swap(of, work, world, SPARE, lambda _: None)  # type: ignore[arg-type]
    assert (back.spare, back.order, work.places.read()) == (NODE, ["h100-0", NODE, "h100-2"], {})


def test_neither_contract_nor_stack_file_is_written(of: Contract, work: Workspace, world: World) -> None:
    work.contract_file.write_text("the contract")
    work.stack_file.write_text("the spec")
    run(of, work, world)
    assert (work.contract_file.read_text(), work.stack_file.read_text()) == ("the contract", "the spec")


def test_a_spare_of_the_same_unit_goes_before_a_nearer_name(
    of: Contract, work: Workspace, world: World
) -> None:
    world.reserved = {"h100-2", "h100-3"}
    seen = picture.take(near := with_two_spares(of), work, world)  # type: ignore[arg-type]
    assert swap.choose(near.node(NODE), seen).name == "h100-2"
    seen = picture.take(far := with_two_spares(of, h100_2=1), work, world)  # type: ignore[arg-type]
    assert swap.choose(far.node(NODE), seen).name == "h100-3"


@pytest.mark.parametrize("why", ["unproven", "drained", "busy", "set aside", "held by drift"])
def test_a_spare_that_is_not_proven_idle_and_free_is_not_taken(
    of: Contract, work: Workspace, world: World, why: str
) -> None:
    if why == "unproven":
        acceptance.revoke(work, [SPARE])
    elif why == "drained":
        world.drained = {SPARE: f"{HEALTHCHECK_PREFIX} GPU 3 lost"}
    elif why == "busy":
        world.running = {SPARE: 9}
    elif why == "set aside":
        world.set_aside = [Reservation("run", (SPARE,), ("ada",), frozenset())]
    else:
        Journal(work.journal_file).write("drift-hold", nodes=[SPARE])
    with pytest.raises(UnprovenError) as none:
        run(of, work, world)
    assert none.value.code == "NO_SPARE" and SPARE in str(none.value.found)
    assert NODE not in world.drained and work.places.read() == {}


@pytest.mark.parametrize("name", ["ctl0", SPARE])
def test_what_has_no_spare_is_refused(of: Contract, work: Workspace, world: World, name: str) -> None:
    with pytest.raises(UsageError):
        swap.plan(of, work, world, name)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="keeps no spare"):
        swap.plan(of.model_copy(update={"standby_pools": []}), work, world, NODE)  # type: ignore[arg-type]
    assert swap.plan(of, work, world, NODE)[0].spare == SPARE  # type: ignore[arg-type]


def test_a_reservation_of_somebody_else_is_a_hard_stop(of: Contract, work: Workspace, world: World) -> None:
    world.set_aside = [Reservation("run-of-75-days", (NODE,), ("ada",), frozenset())]
    with pytest.raises(UnprovenError, match="run-of-75-days"):
        run(of, work, world, force="now")
    assert world.drained == {} and work.places.read() == {}


def test_a_person_s_drain_stays(of: Contract, work: Workspace, world: World) -> None:
    world.drained = {NODE: "fan, ada"}
    assert run(of, work, world).kept_drained_by == "fan, ada"
    assert world.drained == {NODE: "fan, ada"} and world.reserved == {NODE}


def test_a_node_that_was_given_back_meanwhile_is_not_swapped(
    of: Contract, work: Workspace, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = acceptance.hold

    def given_back(scheduler: Any, names: Any) -> None:
        hold(scheduler, names)
        world.resume(NODE)

    monkeypatch.setattr(acceptance, "hold", given_back)
    with pytest.raises(UnprovenError, match="not drained any more") as stopped:
        run(of, work, world)
    assert stopped.value.code == "GIVEN_BACK"
    assert (world.drained, world.reserved, work.places.read()) == ({}, {SPARE}, {})


def test_a_spare_that_fell_while_jobs_were_waited_for_is_not_put_in(
    of: Contract, work: Workspace, world: World
) -> None:
    world.running = {NODE: 4}
    seen = world.jobs

    def jobs(node: str | None = None) -> Any:
        found = seen(node)
        if found and NODE in world.drained:
            world.drained |= {SPARE: "fan, ada"}
        return found

    world.jobs = jobs  # type: ignore[method-assign]
    with pytest.raises(UnprovenError) as none:
        run(of, work, world)
    assert none.value.code == "NO_SPARE" and "fan, ada" in str(none.value.found)
    assert work.places.read() == {} and NODE in world.drained and world.reserved == {NODE, SPARE}


def test_the_plan_changes_nothing(of: Contract, work: Workspace, world: World) -> None:
    world.running = {NODE: 9}
    found, refused = swap.plan(of, work, world, NODE)  # type: ignore[arg-type]
    assert (found.spare, found.jobs, refused) == (SPARE, ["7 of ada"], [])
    assert found.order == ["h100-0", SPARE, "h100-2"]
    assert (world.drained, world.reserved, work.places.read()) == ({}, {SPARE}, {})
    assert not work.journal_file.exists()


ENTRIES = 5
"""Of the swap below that is not killed; the test counts them."""


@pytest.mark.parametrize("point", range(1, 2 * ENTRIES + 3))
def test_a_kill_at_any_entry_is_gone_on_from(
    of: Contract, work: Workspace, world: World, monkeypatch: pytest.MonkeyPatch, point: int
) -> None:
    """Just after entry ``point`` is on disk, and just before it is: half the points each."""
    count, write, exchange = [0], Journal.write, places.exchange

    def writes(self: Journal, event: str, **fields: Any) -> None:
        count[0] += 1
        if point == count[0] + ENTRIES + 1:
            raise Killed
        write(self, event, **fields)
        if point == count[0]:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "write", writes)
        if point in (ENTRIES + 1, 2 * ENTRIES + 2):
            run(of, work, world)
            assert count[0] == ENTRIES
        else:
            with pytest.raises(Killed):
                run(of, work, world)
    in_service = set(NODES) - set(world.drained) - world.reserved
    assert in_service <= {"h100-0", "h100-2", NODE, SPARE} and not {NODE, SPARE} <= in_service
    if point not in (ENTRIES, ENTRIES + 1, 2 * ENTRIES + 2):
        assert run(of, work, world).spare == SPARE
    assert (work.places.read(), world.reserved) == ({NODE: SPARE, SPARE: NODE}, {NODE})
    assert NODE in world.drained and exchange is places.exchange
    with pytest.raises(UsageError, match="a spare itself"):
        run(of, work, world)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_around_the_exchange_is_gone_on_from(
    of: Contract, work: Workspace, world: World, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    exchange = places.exchange

    def killed(*asked: Any) -> None:
        if moment == "after":
            exchange(*asked)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(places, "exchange", killed)
        with pytest.raises(Killed):
            run(of, work, world)
    assert world.reserved == {NODE, SPARE}, "neither takes a job"
    assert run(of, work, world).spare == SPARE
    assert (work.places.read(), world.reserved) == ({NODE: SPARE, SPARE: NODE}, {NODE})


def test_a_spare_that_fell_after_a_kill_is_not_given_to_users(
    of: Contract, work: Workspace, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def killed(*_: Any) -> None:
            raise Killed

        patch.setattr(acceptance, "release", killed)
        with pytest.raises(Killed):
            run(of, work, world)
    acceptance.revoke(work, [SPARE])
    assert run(of, work, world).spare == SPARE
    assert world.reserved == {NODE, SPARE}, "it has the place, and no job before it is proven"
