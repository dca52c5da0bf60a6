"""What is said of a node: state, cause, what holds it back, and a command that exists."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.support import kube_objects
from tests.unit.operate.world import NODES, World

from railbed.configure import releases
from railbed.contract import Contract
from railbed.defaults import HEALTHCHECK_PREFIX, OPERATOR_PREFIX, REPAIR_PREFIX, UPGRADE_PREFIX
from railbed.effects.journal import Journal
from railbed.effects.workspace import Workspace
from railbed.errors import Unsupported
from railbed.operate import explain, nodes, picture, settle
from railbed.operate.explain import Explained
from railbed.parse.slurm import Reservation

NODE = "h100-1"


@pytest.fixture
def explained(contract: Contract, work: Workspace, world: World) -> Callable[[str], Explained]:
    releases.record(work, ["ctl0", *NODES], contract.software.release)
    work.accepted.write({node.name: node.identity.value for node in contract.nodes})
    return lambda name: explain.explain(contract.node(name), picture.take(contract, work, world))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reason", "steps", "state", "command", "follows"),
    [
        ("", [], "healthy", "", "nothing has to"),
        ("fan, ada", [], "maintenance", f"railbed node resume {NODE}", "only who drained it"),
        (f"{OPERATOR_PREFIX} rack", ["drain"], "maintenance", f"railbed node resume {NODE}", "only who drained it"),
        (f"{HEALTHCHECK_PREFIX} gpu-lost: 7 of 8", [], "draining", f"railbed node repair {NODE}", "three clean checks"),
        (f"{HEALTHCHECK_PREFIX} held, came back 3 times: gpu-lost: x", [], "draining", f"railbed node repair {NODE}",
         "came back too often"),
        (f"{REPAIR_PREFIX} x", ["repair-drain", "repair-wait"], "draining", f"railbed node repair {NODE}", "command"),
        (f"{REPAIR_PREFIX} x", ["repair-drain", "repair-hold"], "repairing", f"railbed node repair {NODE}", "settle"),
        (f"{REPAIR_PREFIX} x", ["repair-hold", "repair-drained"], "quarantined", f"railbed node repair {NODE}", "settle"),
        (f"{UPGRADE_PREFIX} x", ["upgrade-converged"], "repairing", f"railbed node repair {NODE}", "settle"),
    ],
)  # fmt: skip
def test_every_cause_has_its_state_and_its_way_on(
    explained: Callable[[str], Explained], work: Workspace, world: World, reason: str, steps: list[str], state: str,
    command: str, follows: str,
) -> None:  # fmt: skip
    for step in steps:
        Journal(work.journal_file).write(step, node=NODE)
    world.drained = {NODE: reason} if reason else {}
    said = explained(NODE)
    assert (said.lifecycle, said.command, said.drain) == (state, command, reason)
    assert follows in said.next
    assert [line.split()[-1] for line in said.steps] == steps


def test_an_upgrade_that_broke_off_goes_on_as_one(
    explained: Callable[[str], Explained], work: Workspace, world: World, contract: Contract
) -> None:
    Journal(work.journal_file).write("upgrade-converged", node=NODE)
    world.drained = {NODE: f"{UPGRADE_PREFIX} x"}
    releases.record(work, [NODE], "another")
    assert explained(NODE).command == f"railbed upgrade --to {contract.software.release}"


def test_guards_that_hold_the_command_back_are_named(
    explained: Callable[[str], Explained], world: World
) -> None:
    world.drained = {NODE: f"{HEALTHCHECK_PREFIX} gpu-lost: 7 of 8"}
    assert explained(NODE).held_back == []
    world.set_aside = [Reservation("run-of-months", (NODE,), ("ada",), frozenset())]
    assert [str(one.guard) for one in explained(NODE).held_back] == ["job-awareness"]
    assert explained(NODE).reservations == ["run-of-months"]


def test_new_silent_and_unproven_nodes(
    explained: Callable[[str], Explained], work: Workspace, world: World, contract: Contract
) -> None:
    work.accepted.write({})
    assert (explained(NODE).lifecycle, explained(NODE).proven) == ("validating", False)
    work.releases.write({})
    assert explained(NODE).lifecycle == "provisioning" and explained(NODE).command == "railbed converge"
    world.silent = {NODE}
    assert explained(NODE).lifecycle == "unknown"
    assert explained("ctl0").lifecycle == "healthy"


def test_a_list_has_the_life_of_each_node(
    explained: Callable[[str], Explained], work: Workspace, world: World, contract: Contract
) -> None:
    Journal(work.journal_file).write("validated", verdict="pass", node="", claim="", quick=False)
    (at,) = [event["at"] for event in Journal(work.journal_file).read()]
    world.drained = {NODE: "fan, ada"}
    seen = {one.name: one for one in nodes.overview(contract, work, world).nodes}  # type: ignore[arg-type]
    assert (seen[NODE].state, seen[NODE].lifecycle) == ("drained", "maintenance")
    assert (seen["h100-0"].state, seen["h100-0"].lifecycle, seen["h100-0"].since) == (
        "healthy",
        "healthy",
        at,
    )


@pytest.fixture
def on_kubernetes(contract: Contract, work: Workspace, world: World) -> Callable[[], picture.Picture]:
    """Nodes that no role ever configured."""
    made = kube_objects.stack(contract, "~/kubeconfig", "site", ["a", "b", "c", "d"])
    work.releases.path.unlink()
    return lambda: picture.take(made, work, world)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reason", "steps", "state", "command"),
    [
        ("", [], "validating", f"railbed validate --node {NODE}"),
        (f"{OPERATOR_PREFIX} fan", ["drain"], "maintenance", f"railbed node resume {NODE}"),
        (f"{REPAIR_PREFIX} x", ["repair-drain"], "draining", f"railbed node resume {NODE}"),
        (f"{REPAIR_PREFIX} x", ["repair-hold"], "repairing", f"railbed validate --node {NODE}"),
        (f"{REPAIR_PREFIX} x", ["repair-hold", "repair-drained"], "quarantined", f"railbed node resume {NODE}"),
    ],
)  # fmt: skip
def test_where_no_roles_run_every_hint_is_a_command_that_is_not_refused(
    on_kubernetes: Callable[[], picture.Picture], work: Workspace, world: World, reason: str, steps: list[str],
    state: str, command: str,
) -> None:  # fmt: skip
    for step in steps:
        Journal(work.journal_file).write(step, node=NODE)
    world.drained = {NODE: reason} if reason else {}
    seen = on_kubernetes()
    said = explain.explain(seen.contract.node(NODE), seen)
    assert (said.lifecycle, said.command) == (state, command)
    assert "settle" not in said.next and "roles" not in said.why


def test_where_no_roles_run_an_unknown_node_is_not_converged(
    on_kubernetes: Callable[[], picture.Picture],
) -> None:
    seen = replace(on_kubernetes(), states={})
    view = nodes.view(seen.contract.node(NODE), seen)
    assert (view.state, view.lifecycle) == ("unknown", "unknown")
    assert "railbed up" in view.reason and "converge" not in view.reason


def test_where_no_roles_run_settle_is_refused(on_kubernetes: Callable[[], picture.Picture]) -> None:
    with pytest.raises(Unsupported, match="a run of the roles"):
        settle.plan(on_kubernetes())
