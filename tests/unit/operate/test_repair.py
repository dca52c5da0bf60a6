"""A repair over a model of Slurm, of the roles and of the validation: whose drain it ends, and whose stays."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.operate.world import World

from railbed.contract import Contract
from railbed.defaults import HEALTHCHECK_PREFIX, REPAIR_PREFIX
from railbed.effects.workspace import Workspace
from railbed.model.claims import Verdict
from railbed.operate import repair

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
    assert (world.drained, world.held) == ({}, set())


def test_a_node_that_does_not_pass_is_drained_with_the_reason(
    contract: Contract, work: Workspace, world: World
) -> None:
    world.wrong = {NODE: Verdict.FAIL}
    assert run(contract, work).verdict is Verdict.FAIL
    assert world.drained[NODE].startswith(REPAIR_PREFIX) and world.held == {NODE}


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
