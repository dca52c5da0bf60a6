"""A repair over a model of Slurm, of the roles and of the validation: whose drain it ends, and whose stays."""

from __future__ import annotations

import resource
import shutil
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.operate.world import World

from railbed.claims import Verdict
from railbed.contract import Contract
from railbed.defaults import HEALTHCHECK_PREFIX, REPAIR_PREFIX
from railbed.effects.journal import Journal
from railbed.effects.workspace import Workspace
from railbed.errors import RailbedError, UnprovenError
from railbed.operate import repair
from railbed.validate.open_files import BESIDE, PER_NODE
from railbed.validate.room import REPORT_PART_NODE_BYTES, REPORT_PART_ROOM_BYTES

NODE = "h100-1"


def run(of: Contract, work: Workspace) -> Any:
    return repair.repair(of, work, NODE, lambda _: None)


@pytest.mark.parametrize("before", [{}, {NODE: f"{HEALTHCHECK_PREFIX} GPU 3 lost"}])
def test_a_node_that_passes_is_given_back(
    contract: Contract, work: Workspace, world: World, before: dict[str, str]
) -> None:
    world.drained, world.running = dict(before), {NODE: 4}
    done = run(contract, work)
    assert (done.verdict, done.kept_drained_by) == (Verdict.PASS, "")
    assert (world.drained, world.reserved) == ({}, set())


def test_a_node_that_does_not_pass_is_drained_with_the_reason(
    contract: Contract, work: Workspace, world: World
) -> None:
    world.wrong = {NODE: Verdict.FAIL}
    assert run(contract, work).verdict is Verdict.FAIL
    assert world.drained[NODE].startswith(REPAIR_PREFIX) and world.reserved == {NODE}


@pytest.mark.parametrize("wrong", [{}, {NODE: Verdict.FAIL}])
@pytest.mark.parametrize("moment", ["wait", "converge", "validate"])
def test_a_drain_that_a_person_sets_meanwhile_stays(
    contract: Contract, work: Workspace, world: World, moment: str, wrong: dict[str, Verdict]
) -> None:
    world.running, world.wrong = {NODE: 4}, wrong
    world.meanwhile = {moment: {NODE: "fan, ada"}}
    done = run(contract, work)
    assert world.drained == {NODE: "fan, ada"}
    assert done.kept_drained_by == "fan, ada"


@pytest.mark.parametrize("accepted", [True, False])
@pytest.mark.parametrize("busy", [False, True], ids=["given back", "given back, drained again, a job on it"])
def test_the_roles_never_run_on_a_node_that_was_given_back_meanwhile(
    contract: Contract,
    work: Workspace,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    accepted: bool,
    busy: bool,
) -> None:
    if accepted:
        work.accepted.write({node.name: node.identity.value for node in contract.nodes})

    def given_back(*_: Any) -> None:
        world.resume(NODE)
        if busy:
            world.drain(NODE, "fan, ada")
            world.running = {NODE: 9}

    monkeypatch.setattr(repair.evidence, "bug_report", given_back)
    with pytest.raises(
        UnprovenError, match="job 7 of ada is on it" if busy else "not drained any more"
    ) as stopped:
        run(contract, work)
    assert stopped.value.code == "GIVEN_BACK"
    assert world.order == [] and world.drained == ({NODE: "fan, ada"} if busy else {})
    assert world.reserved == (set() if accepted else {NODE}), "as it was; one that never passed stays held"
    last = list(Journal(work.journal_file).read())[-1]
    assert last["event"] == "repair-untouched"


def test_the_health_check_does_not_give_back_what_is_being_repaired(
    contract: Contract, work: Workspace, world: World
) -> None:
    """Its drain is taken over: it ends only drains that have its own mark."""
    seen: list[str] = []
    world.drained, world.running = {NODE: f"{HEALTHCHECK_PREFIX} gpu-lost: 7 of 8"}, {NODE: 2}
    world.moment = lambda what, _: what == "converge" and seen.append(world.drained.get(NODE, ""))  # type: ignore[method-assign]
    run(contract, work)
    assert seen[0].startswith(REPAIR_PREFIX) and "was [railbed:healthcheck] gpu-lost" in seen[0]


def test_a_repair_does_not_take_more_nodes_than_the_limit(
    contract: Contract, work: Workspace, world: World
) -> None:
    world.drained = {"h100-0": f"{HEALTHCHECK_PREFIX} GPU 3 lost"}
    with pytest.raises(UnprovenError, match="automatic drains hold 1 of 4 nodes") as refused:
        run(contract, work)
    assert refused.value.code == "DRAIN_LIMIT"
    assert NODE not in world.drained and world.order == []
    world.drained["h100-0"] = "disk, ada"
    assert run(contract, work).verdict is Verdict.PASS, "what a person drained does not count"


def test_a_node_that_is_drained_already_is_repaired_whatever_the_limit(
    contract: Contract, work: Workspace, world: World
) -> None:
    world.drained = dict.fromkeys(["h100-0", NODE], f"{HEALTHCHECK_PREFIX} GPU 3 lost")
    assert run(contract, work).verdict is Verdict.PASS
    assert list(world.drained) == ["h100-0"]


@pytest.mark.parametrize(
    ("verdicts", "asked"),
    [
        ([Verdict.UNPROVEN, Verdict.PASS], 2),
        ([Verdict.UNPROVEN, Verdict.UNPROVEN], 2),
        ([Verdict.UNPROVEN, Verdict.FAIL], 2),
        ([Verdict.FAIL, Verdict.PASS], 1),
        ([Verdict.PASS, Verdict.FAIL], 1),
    ],
)
def test_a_validation_without_proof_is_run_once_more_and_a_failed_one_is_not(
    contract: Contract, work: Workspace, world: World, monkeypatch: pytest.MonkeyPatch, verdicts: list[Verdict],
    asked: int,
) -> None:  # fmt: skip
    left = list(verdicts)

    def validated(*given: Any, **named: Any) -> Any:
        world.wrong = {NODE: left.pop(0)}
        return world.validate(*given, **named)

    monkeypatch.setattr(repair.validate, "run", validated)
    done = run(contract, work)
    assert (done.verdict, len(verdicts) - len(left)) == (verdicts[asked - 1], asked)
    assert (NODE in world.drained) is (done.verdict is not Verdict.PASS)
    events = [one["event"] for one in Journal(work.journal_file).read()]
    assert events.count("validated") == asked, "each is written down"
    assert events.count("repair-validated") == 1, (
        "it ends the repair: one killed before it is not seen as ended"
    )


def test_a_node_that_a_person_drained_is_validated_once(
    contract: Contract, work: Workspace, world: World
) -> None:
    world.drained, world.wrong = {NODE: "fan, ada"}, {NODE: Verdict.UNPROVEN}
    run(contract, work)
    assert world.order.count(("validate", (NODE,))) == 1, (
        "a drained node runs no step, however often it is asked"
    )


def test_what_the_certificate_accepted_unproven_does_not_keep_a_node_out(
    contract: Contract, work: Workspace, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.wrong = {NODE: Verdict.UNPROVEN}
    assert run(contract, work).verdict is Verdict.UNPROVEN and world.reserved == {NODE}
    world.drained, world.reserved = {}, set()
    monkeypatch.setattr(repair.validate, "exceptions", lambda *_: {"node.driver": "no tool for it yet"})
    assert run(contract, work).verdict is Verdict.PASS
    assert (world.drained, world.reserved) == ({}, set())
    work.journal_file.unlink()  # else a third repair within the hour is held back
    world.wrong = {NODE: Verdict.FAIL}
    assert run(contract, work).verdict is Verdict.FAIL, "what fails is accepted by nobody"
    assert world.drained[NODE].startswith(f"{REPAIR_PREFIX} node.driver fail")


def test_a_disk_that_is_too_full_for_its_report_is_told_before_the_node_is_touched(
    contract: Contract, work: Workspace, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = REPORT_PART_ROOM_BYTES + REPORT_PART_NODE_BYTES - 1
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    with pytest.raises(RailbedError, match="nothing was changed") as small:
        run(contract, work)
    assert small.value.code == "REPORT_ROOM"
    assert (world.order, world.drained, world.reserved) == ([], {}, set())
    assert not work.journal_file.exists()
    free += 1
    assert run(contract, work).verdict is Verdict.PASS


def test_too_few_open_files_are_told_before_the_node_is_touched(
    contract: Contract, work: Workspace, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = BESIDE + PER_NODE * len(contract.nodes)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, wanted - 1))
    with pytest.raises(RailbedError, match="nothing was changed") as refused:
        run(contract, work)
    assert refused.value.code == "OPEN_FILES"
    assert (world.order, world.drained, world.reserved) == ([], {}, set())
    assert not work.journal_file.exists()
