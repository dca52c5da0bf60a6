"""A node drains itself for its own faults, and ends its own drain; nobody else's."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.health.fleet import CLEAN, LOST, SETTINGS, SHARED, Node, Slurm, clock, fleet

from railbed.defaults import OPERATOR_PREFIX, REPAIR_PREFIX, UPGRADE_PREFIX
from railbed.validate.node.drains import REASON_LENGTH, Memory
from railbed.validate.node.health import HealthResult

NAME = "h100-0"
PASSES = SETTINGS.passes
FOREIGN = [
    f"{OPERATOR_PREFIX} disk",
    f"{REPAIR_PREFIX} 2026",
    f"{UPGRADE_PREFIX} 2026",
    "Kill task failed",
    "Not responding",
    "",
]


def one() -> tuple[Slurm, Node]:
    slurm, nodes = fleet(4)
    return slurm, nodes[NAME]


def drained() -> tuple[Slurm, Node]:
    slurm, node = one()
    with clock(slurm):
        assert node.run_check(LOST) == []
    reason = slurm.reasons[NAME][0]
    assert reason.startswith("[railbed:healthcheck] gpu-lost: 7 of 8 GPUs listed")
    assert reason.endswith(" (runbook xid)")
    return slurm, node


def test_a_long_reason_has_no_room_for_its_runbook() -> None:
    slurm, node = one()
    long = HealthResult(
        faults=tuple(replace(one, text=f"{one.text} {'x' * REASON_LENGTH}") for one in LOST.faults)
    )
    with clock(slurm):
        node.run_check(long)
    reason = slurm.reasons[NAME][0]
    assert len(reason) == REASON_LENGTH and "runbook" not in reason and "gpu-lost" in reason


def test_one_check_is_not_enough() -> None:
    slurm, node = one()
    node.memory = Memory(drained=False)
    with clock(slurm):
        assert node.run_check(LOST) == [] and slurm.reasons == {}
        slurm.now_s += SETTINGS.confirm_s
        node.run_check(LOST)
    assert NAME in slurm.reasons


def test_a_fault_that_went_away_in_between_starts_anew() -> None:
    slurm, node = one()
    with clock(slurm):
        node.run_check(CLEAN)
        node.run_check(LOST)
    assert slurm.reasons == {}


@pytest.mark.parametrize(
    "seen", [SHARED, HealthResult(reports=(replace(SHARED.reports[0], code="unknown"),))]
)
def test_what_is_shared_or_unknown_never_drains(seen: HealthResult) -> None:
    slurm, node = one()
    with clock(slurm):
        for _ in range(10):
            slurm.now_s += 30
            assert node.run_check(seen) == []
    assert slurm.reasons == {}


def test_where_the_scheduler_does_not_answer_nothing_is_done_and_it_is_reported() -> None:
    slurm, node = one()
    slurm.silent = True
    with clock(slurm):
        assert [symptom.code for symptom in node.run_check(LOST)] == ["scheduler-silent"]
    assert slurm.reasons == {} and not node.memory.settling


@pytest.mark.parametrize("reason", FOREIGN)
def test_a_drain_of_someone_else_keeps_its_reason_and_is_not_ended(reason: str) -> None:
    slurm, node = one()
    slurm.drain(NAME, reason)
    with clock(slurm):
        node.run_check(LOST)
        node.memory = Memory()
        for _ in range(PASSES + 2):
            node.run_check(CLEAN)
    assert slurm.reasons[NAME][0] == reason


def test_its_own_drain_ends_after_clean_checks_in_a_row() -> None:
    slurm, node = drained()
    with clock(slurm):
        for seen in (CLEAN, SHARED, *[CLEAN] * (PASSES - 1)):
            node.run_check(seen)
        assert NAME in slurm.reasons, "not yet: a check in between was not clean"
        node.run_check(CLEAN)
    assert slurm.reasons == {} and len(node.returned) == 1


def test_after_a_boot_it_still_knows_its_own_drain() -> None:
    slurm, node = drained()
    node.memory = Memory()
    with clock(slurm):
        for _ in range(PASSES):
            node.run_check(CLEAN)
    assert slurm.reasons == {}


def test_a_drain_from_before_this_version_ends_too() -> None:
    slurm, node = one()
    node.memory = Memory()
    slurm.drain(NAME, "[railbed:healthcheck] gpus: 7 of 8 GPUs listed; missing: gpu 3")
    with clock(slurm):
        for _ in range(PASSES):
            node.run_check(CLEAN)
    assert slurm.reasons == {}


def test_a_person_who_drains_meanwhile_keeps_the_node() -> None:
    slurm, node = drained()
    slurm.drain(NAME, f"{OPERATOR_PREFIX} I look at it")
    with clock(slurm):
        for _ in range(PASSES + 1):
            node.run_check(CLEAN)
    assert NAME in slurm.reasons


def test_a_node_that_is_down_is_not_given_back() -> None:
    slurm, node = drained()
    slurm.base[NAME] = "DOWN"
    with clock(slurm):
        for _ in range(PASSES + 1):
            node.run_check(CLEAN)
    assert NAME in slurm.reasons


def flap(slurm: Slurm, node: Node) -> None:
    """The fault comes, lasts, and goes."""
    node.run_check(LOST)
    slurm.now_s += SETTINGS.confirm_s
    node.run_check(LOST)
    for _ in range(PASSES):
        slurm.now_s += 30
        node.run_check(CLEAN)


def test_a_fault_that_comes_and_goes_does_so_a_few_times_only() -> None:
    slurm, node = one()
    node.memory = Memory(drained=False)
    with clock(slurm):
        for _ in range(SETTINGS.returns):
            flap(slurm, node)
            assert slurm.reasons == {}
        for _ in range(3):
            flap(slurm, node)
        assert slurm.reasons[NAME][0].startswith("[railbed:healthcheck] held, came back 3 times: gpu-lost")
        assert [symptom.code for symptom in node.run_check(CLEAN)] == ["held"]
        slurm.reasons.clear()  # a person has looked, a day later
        node.run_check(CLEAN)
        slurm.now_s += SETTINGS.returns_window_s
        flap(slurm, node)
    assert slurm.reasons == {}


def test_a_return_that_cannot_be_written_down_does_not_happen() -> None:
    slurm, node = drained()
    node.disk_full = True
    with clock(slurm):
        symptoms = [node.run_check(CLEAN) for _ in range(PASSES)][-1]
    assert NAME in slurm.reasons and "written down" in symptoms[0].text


def test_a_return_that_the_scheduler_did_not_hear_counts_once() -> None:
    slurm, node = drained()
    with clock(slurm):
        for _ in range(PASSES - 1):
            node.run_check(CLEAN)
        resume = node.resume
        node.resume = lambda: False  # type: ignore[method-assign]
        node.run_check(CLEAN)
        assert node.returned == []
        node.resume = resume  # type: ignore[method-assign]
        node.run_check(CLEAN)
    assert slurm.reasons == {} and len(node.returned) == 1
