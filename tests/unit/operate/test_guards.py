"""Each guard holds back what it must, and lets go of what it may; what a person forces is written down."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.unit.operate.world import NODES, World

from railbed.configure import releases
from railbed.contract import Contract
from railbed.defaults import HEALTH_REPORT_PREFIX, HEALTHCHECK_PREFIX
from railbed.effects import journal as journals
from railbed.effects.journal import Journal
from railbed.effects.workspace import Workspace
from railbed.errors import UnprovenError
from railbed.operate import breaker, fallen, guards, picture, repair, replace, swap, upgrading
from railbed.operate.guards import Action, Guard
from railbed.parse.slurm import Reservation
from railbed.validate.node.probe import Symptom
from railbed.validate.node.report import compose

NODE = "h100-1"
LOST = f"{HEALTHCHECK_PREFIX} gpu-lost: 7 of 8 GPUs listed"
MONTHS = Reservation("run-of-months", (NODE,), ("ada",), frozenset())


@pytest.fixture(autouse=True)
def in_service(contract: Contract, work: Workspace) -> None:
    releases.record(work, ["ctl0", *NODES], contract.software.release)
    work.accepted.write({node.name: node.identity.value for node in contract.nodes})


def ago(monkeypatch: pytest.MonkeyPatch, **before: float) -> None:
    """What is written from now on was written so long ago."""
    at = (datetime.now(UTC) - timedelta(**before)).isoformat(timespec="seconds")
    monkeypatch.setattr(journals, "now_iso", lambda: at)


def refusals(
    contract: Contract, work: Workspace, world: World, action: Action = Action.REPAIR
) -> dict[Guard, str]:
    seen = picture.take(contract, work, world)  # type: ignore[arg-type]
    return {one.guard: one.why for one in guards.refusals(seen, [NODE], action)}


@pytest.mark.parametrize("action", Action)
def test_nothing_holds_a_node_back_of_which_nothing_is_known(
    contract: Contract, work: Workspace, world: World, action: Action
) -> None:
    assert refusals(contract, work, world, action) == {}


def test_max_unavailable(contract: Contract, work: Workspace, world: World) -> None:
    world.drained = {"h100-0": LOST}
    assert "hold 1 of 4 nodes" in refusals(contract, work, world)[Guard.MAX_UNAVAILABLE]
    assert Guard.MAX_UNAVAILABLE not in refusals(contract, work, world, Action.SETTLE), "it is out already"


def test_one_action_per_node(contract: Contract, work: Workspace, world: World) -> None:
    journal = Journal(work.journal_file)
    journal.write("upgrade-drain", node=NODE)
    assert "upgrade-drain" in refusals(contract, work, world)[Guard.ONE_ACTION]
    assert Guard.ONE_ACTION not in refusals(contract, work, world, Action.UPGRADE), "it goes on with its own"
    assert Guard.ONE_ACTION in refusals(contract, work, world, Action.SETTLE)
    journal.write("upgrade-moved", node=NODE)
    assert refusals(contract, work, world) == {}
    journal.write("repair-wait", node=NODE)
    assert refusals(contract, work, world) == {} == refusals(contract, work, world, Action.SETTLE)


def test_rate_limit_of_a_node(
    contract: Contract, work: Workspace, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(work.journal_file)
    with monkeypatch.context() as earlier:
        ago(earlier, minutes=61)
        journal.write("repair-drain", node=NODE)
    journal.write("repair-drain", node=NODE)
    assert Guard.RATE_LIMIT not in refusals(contract, work, world)
    journal.write("repair-drain", node=NODE)
    assert "2 repairs of it" in refusals(contract, work, world)[Guard.RATE_LIMIT]


def test_rate_limit_of_a_pool(contract: Contract, work: Workspace, world: World) -> None:
    journal = Journal(work.journal_file)
    for name in ("h100-0", "h100-2", "h100-3"):
        journal.write("repair-drain", node=name)
    assert Guard.RATE_LIMIT not in refusals(contract, work, world)
    journal.write("repair-drain", node="h100-0")
    assert "4 repairs in pool h100" in refusals(contract, work, world)[Guard.RATE_LIMIT]


def test_flapping(contract: Contract, work: Workspace, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(work.journal_file)
    ago(monkeypatch, days=8)
    for _ in range(3):
        journal.write("repair-drain", node=NODE)
    ago(monkeypatch, days=1, hours=1)
    for _ in range(2):
        journal.write("repair-drain", node=NODE)
        journal.write("repair-resumed", node=NODE)
    assert refusals(contract, work, world) == {}, "what is older than a week does not count"
    journal.write("repair-drain", node=NODE)
    assert "3 repairs of it began within 7 days" in refusals(contract, work, world)[Guard.FLAPPING]
    ago(monkeypatch, hours=1)
    for _ in range(3):
        journal.write("settle-returned", node=NODE)
    assert "came back 3 times" in refusals(contract, work, world, Action.SETTLE)[Guard.FLAPPING]


@pytest.mark.parametrize("action", Action)
def test_a_reservation_of_somebody_else_is_a_hard_stop(
    contract: Contract, work: Workspace, world: World, action: Action
) -> None:
    world.set_aside = [MONTHS]
    assert "run-of-months" in refusals(contract, work, world, action)[Guard.JOBS]
    seen = picture.take(contract, work, world)  # type: ignore[arg-type]
    with pytest.raises(UnprovenError) as refused:
        guards.require(guards.refusals(seen, [NODE], action), force="I know")
    assert refused.value.code == "GUARDED", "not even forced"


def test_a_running_job_is_waited_for_and_never_passed_over(
    contract: Contract, work: Workspace, world: World
) -> None:
    world.running = {NODE: 9}
    assert Guard.JOBS not in refusals(contract, work, world), "a repair waits for it"
    assert "job 7 of ada" in refusals(contract, work, world, Action.SETTLE)[Guard.JOBS]


def test_unknown_is_never_given_back(contract: Contract, work: Workspace, world: World) -> None:
    world.silent = {NODE}
    assert Guard.UNKNOWN in refusals(contract, work, world, Action.SETTLE)
    assert Guard.UNKNOWN not in refusals(contract, work, world), "the node itself is asked for evidence first"


def test_ownership_of_drains(contract: Contract, work: Workspace, world: World) -> None:
    for reason, ours in (("fan, ada", False), (LOST, False), ("[railbed:repair] x", True)):
        world.drained = {NODE: reason}
        assert (Guard.OWNERSHIP not in refusals(contract, work, world, Action.SETTLE)) is ours


def test_the_breaker_opens_for_one_fault_on_many_nodes_and_stays_open_until_it_is_reset(
    contract: Contract, work: Workspace, world: World
) -> None:
    shy = compose(
        [Symptom("not-drained", n, "gpu-lost: 7 of 8: the limit") for n in ["x"]], HEALTH_REPORT_PREFIX
    )
    world.comments = dict.fromkeys(NODES[:3], shy)
    assert Guard.BREAKER not in refusals(contract, work, world), "three are many single faults"
    world.drained = {"h100-3": LOST}
    assert "4 of 4 nodes have the fault gpu-lost" in refusals(contract, work, world)[Guard.BREAKER]
    with pytest.raises(UnprovenError):
        repair.repair(contract, work, NODE, lambda _: None)
    assert world.order == [] and NODE not in world.drained
    world.comments, world.drained = {}, {}
    assert refusals(contract, work, world)[Guard.BREAKER].startswith("open since"), "a person has to look"
    Journal(work.journal_file).write(breaker.RESET, pool="h100", nodes=[], reason="a driver", by="fan")
    assert refusals(contract, work, world) == {}


def test_a_reset_is_about_the_faults_that_were_seen_and_holds_for_a_day(
    contract: Contract, work: Workspace, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shy(code: str) -> dict[str, str]:
        return dict.fromkeys(
            NODES, compose([Symptom("not-drained", "x", f"{code}: 7 of 8: the limit")], HEALTH_REPORT_PREFIX)
        )

    world.comments = shy("gpu-lost")
    assert Guard.BREAKER in refusals(contract, work, world)
    known = breaker.counted(contract, world.nodes(), "h100")
    assert known == {name: ["gpu-lost"] for name in NODES}
    with monkeypatch.context() as earlier:
        ago(earlier, hours=25)
        breaker.reset(Journal(work.journal_file), "h100", known, "a driver")
    assert "gpu-lost" in refusals(contract, work, world)[Guard.BREAKER], "yesterday's reset is over"
    breaker.reset(Journal(work.journal_file), "h100", known, "a driver")
    assert refusals(contract, work, world) == {}, "they may be repaired now"
    world.comments = shy("nic-down")
    assert "nic-down" in refusals(contract, work, world)[Guard.BREAKER], (
        "another fault of the same nodes counts"
    )


@pytest.mark.parametrize("command", ["swap", "replace"])
def test_an_opening_that_another_command_meets_is_written_down_too(
    contract: Contract, work: Workspace, world: World, command: str
) -> None:
    """Else it is in no count, and closes by itself an hour later."""
    world.reserved = {"h100-3"}
    journal = Journal(work.journal_file)
    for name in NODES[:3]:
        journal.write("repair-failed", node=name)
    of = contract.model_copy(update={"standby_pools": ["h100"], "filesystems": []})
    with pytest.raises(UnprovenError, match="circuit breaker"):
        if command == "swap":
            swap.swap(of, work, world, NODE, lambda _: None)  # type: ignore[arg-type]
        else:
            replace.Going(of, work, world, of.node(NODE), lambda _: None).take_out()  # type: ignore[arg-type]
    assert [e["pool"] for e in journal.read() if e["event"] == breaker.OPENED] == ["h100"]
    assert world.drained == {}


def test_the_breaker_opens_for_many_that_failed_within_the_hour(
    contract: Contract, work: Workspace, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(work.journal_file)
    with monkeypatch.context() as earlier:
        ago(earlier, minutes=61)
        journal.write("drift-hold", nodes=["h100-0"])
    journal.write("upgrade-failed", node="h100-2")
    journal.write("quarantine", nodes=["h100-3"])
    assert Guard.BREAKER not in refusals(contract, work, world)
    journal.write("repair-failed", node="h100-0")
    assert "3 of 4 nodes failed" in refusals(contract, work, world)[Guard.BREAKER]
    seen = picture.take(contract, work, world)  # type: ignore[arg-type]
    opened = fallen.breakers(work, contract, [NODE], dict(seen.states))
    assert set(opened) == {"h100"}
    breaker.note(journal, "h100", opened["h100"])
    assert [e["pool"] for e in journal.read() if e["event"] == breaker.OPENED] == ["h100"]
    assert Guard.BREAKER not in refusals(contract, work, world, Action.UPGRADE), "it may be the remedy"


def test_a_try_to_settle_that_fails_opens_no_breaker(
    contract: Contract, work: Workspace, world: World
) -> None:
    """These nodes are out already: else drift could hold no other one, for a cause that is not new."""
    for name in NODES:
        Journal(work.journal_file).write("settle-failed", node=name, verdict="unproven")
    assert Guard.BREAKER not in refusals(contract, work, world)


def test_a_clock_that_was_ahead_holds_nothing_back(
    contract: Contract, work: Workspace, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(work.journal_file)
    with monkeypatch.context() as ahead:
        ago(ahead, days=-400)
        for name in NODES:
            for _ in range(5):
                journal.write("repair-drain", node=name)
                journal.write("repair-failed", node=name)
                journal.write("repair-resumed", node=name)
        for event in ("settle", "settle-returned") * 3:
            journal.write(event, node=NODE)
    for action in Action:
        assert refusals(contract, work, world, action) == {}


@pytest.mark.parametrize("wrong", ["2099-01-01T00:00:00+00:00", "yesterday"])
def test_a_time_that_is_wrong_hides_none_before_it(
    contract: Contract, work: Workspace, world: World, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    journal = Journal(work.journal_file)
    for name in NODES:
        journal.write("repair-drain", node=name)
        journal.write("repair-failed", node=name)
    with monkeypatch.context() as broken:
        broken.setattr(journals, "now_iso", lambda: wrong)
        journal.write("repair-drain", node="h100-0")
        journal.write("repair-failed", node="h100-0")
    assert set(refusals(contract, work, world)) == {Guard.BREAKER, Guard.RATE_LIMIT}


def test_break_glass_is_written_down_with_who_and_why(
    contract: Contract, work: Workspace, world: World
) -> None:
    journal = Journal(work.journal_file)
    for _ in range(2):
        journal.write("repair-drain", node=NODE)
    with pytest.raises(UnprovenError, match="rate limit") as refused:
        repair.repair(contract, work, NODE, lambda _: None)
    assert refused.value.code == "GUARDED" and world.order == []
    repair.repair(contract, work, NODE, lambda _: None, force="fan at the rack")
    (forced,) = [event for event in journal.read() if event["event"] == "break-glass"]
    assert (forced["node"], forced["reason"], forced["by"]) == (NODE, "fan at the rack", journals.operator())
    assert list(forced["guards"]) == ["rate limit"]


def test_an_upgrade_leaves_what_is_set_aside(contract: Contract, work: Workspace, world: World) -> None:
    world.set_aside = [MONTHS]
    planned = upgrading.Planned(release="x", controllers=[], waves=[[NODE]], jobs={}, drained={})
    done = upgrading.run(contract, work, planned, lambda _: None, wait_s=0)
    assert "run-of-months" in done.limited and done.left == [NODE]
    assert world.order == [] and world.drained == {}
