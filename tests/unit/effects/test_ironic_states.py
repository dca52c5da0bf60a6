"""From any state of a node to what is asked for next; and that nothing of somebody else's is taken."""

from __future__ import annotations

import pytest

from railbed.effects.ironic.states import FAILS, WAITING, Action, Goal, Seen, Stuck, next_action

A = Action
OURS = Goal("site/prod", 2, steps=True)
PLAIN = Goal("site/prod", 2, steps=False)
SAID = frozenset({A.DESCRIBE})
STATES = (
    "enroll", "verifying", "manageable", "inspecting", "inspect wait", "inspect failed", "available", "cleaning", "clean wait",
    "clean failed", "deploying", "wait call-back", "deploy failed", "active", "deleting", "error", "clean hold", "deploy hold",
    "rebuild", "rescue", "rescuing", "rescue failed", "servicing", "service wait", "service failed", "adopting", "adopt failed",
    "unrescuing",
)  # fmt: skip


def seen(state: str, **facts: object) -> Seen:
    return Seen(state, **{"owner": "site/prod", "inspected": True, "prepared": 2, **facts})  # type: ignore[arg-type]


TABLE: list[tuple[Seen | None, Goal, frozenset[Action], Action]] = [
    (None, OURS, frozenset(), A.ENROL),
    *((seen(state), OURS, SAID, A.WAIT) for state in sorted(WAITING)),
    # Whatever rests is described first: password, authority and ramdisk may be others than at the last run.
    *((seen(state), OURS, frozenset(), A.DESCRIBE) for state in (*FAILS, "manageable", "available")),
    (seen("enroll", owner=""), OURS, SAID, A.MANAGE),
    (seen("enroll"), OURS, frozenset({A.ENROL}), A.MANAGE),
    (seen("manageable", inspected=False), OURS, SAID, A.INSPECT),
    (seen("inspect failed", inspected=False), OURS, SAID, A.MANAGE),
    (seen("manageable", prepared=1), OURS, SAID, A.PREPARE),
    (seen("manageable", prepared=1), OURS, SAID | {A.PREPARE}, A.NOTE),
    (seen("manageable", prepared=1), PLAIN, SAID, A.PROVIDE),
    (seen("manageable"), OURS, SAID, A.PROVIDE),
    (seen("clean failed", prepared=0), OURS, SAID, A.MANAGE),
    (seen("available"), OURS, SAID, A.DEPLOY),
    (seen("available", prepared=1), OURS, SAID, A.MANAGE),
    (seen("available", prepared=0), PLAIN, SAID, A.DEPLOY),
    (seen("available", inspected=False), PLAIN, SAID, A.MANAGE),
    (seen("deploy failed"), OURS, SAID, A.DEPLOY),
    (seen("deploy failed", prepared=1), OURS, SAID, A.UNDEPLOY),
    (seen("error"), OURS, SAID, A.UNDEPLOY),
    (seen("active", deployed=2), OURS, frozenset(), A.DONE),
    (seen("active", deployed=1), OURS, frozenset(), A.UNDEPLOY),
]


@pytest.mark.parametrize(
    ("node", "goal", "asked", "action"), TABLE, ids=lambda one: getattr(one, "state", None)
)
def test_what_is_asked_next(node: Seen | None, goal: Goal, asked: frozenset[Action], action: Action) -> None:
    assert next_action(node, goal, asked) is action


@pytest.mark.parametrize(("state", "request_"), FAILS.items())
def test_what_this_run_asked_and_failed_is_not_asked_again(state: str, request_: Action) -> None:
    with pytest.raises(Stuck) as stuck:
        next_action(seen(state, error="HTTP 401"), OURS, SAID | {request_})
    assert (stuck.value.code, stuck.value.reason) == ("IRONIC_FAILED", "HTTP 401")


@pytest.mark.parametrize("state", STATES)
def test_another_stack_s_node_is_never_taken(state: str) -> None:
    with pytest.raises(Stuck) as stuck:
        next_action(seen(state, owner="site/other"), OURS, SAID)
    assert (stuck.value.code, "site/other" in stuck.value.reason) == ("MACHINE_IN_USE", True)


@pytest.mark.parametrize(
    "state", [one for one in STATES if one not in ("enroll", "verifying", "manageable", "available")]
)
def test_a_node_that_somebody_works_on_is_never_taken(state: str) -> None:
    with pytest.raises(Stuck) as stuck:
        next_action(seen(state, owner=""), OURS, SAID)
    assert stuck.value.code == "MACHINE_IN_USE"


def test_a_newer_system_is_not_given_up() -> None:
    with pytest.raises(Stuck) as stuck:
        next_action(seen("active", deployed=3), OURS, SAID)
    assert (stuck.value.code, "raise the machine's generation to 4" in stuck.value.hint) == (
        "MACHINE_IN_USE",
        True,
    )


@pytest.mark.parametrize(
    "state", ["clean hold", "deploy hold", "rescue", "servicing", "service failed", "adopt failed"]
)
def test_states_into_which_railbed_brings_no_node_stop_it(state: str) -> None:
    with pytest.raises(Stuck) as stuck:
        next_action(seen(state), OURS, SAID)
    assert stuck.value.code == "IRONIC_STATE"


def test_maintenance_is_left_to_who_set_it() -> None:
    with pytest.raises(Stuck) as stuck:
        next_action(seen("available", maintenance=True), OURS, SAID)
    assert stuck.value.code == "IRONIC_MAINTENANCE"


def test_every_course_ends() -> None:
    """Where each request succeeds, a node comes from nothing to a system in a few steps, and stays."""
    after = {A.ENROL: "enroll", A.DESCRIBE: "", A.MANAGE: "manageable", A.INSPECT: "manageable", A.PREPARE: "manageable",
             A.NOTE: "", A.PROVIDE: "available", A.DEPLOY: "active", A.UNDEPLOY: "available"}  # fmt: skip
    for start in ["", *FAILS, "manageable", "available"]:
        node = Seen(start, owner="site/prod") if start else None
        asked: frozenset[Action] = frozenset()
        for _ in range(12):
            action = next_action(node, OURS, asked)
            if action is A.DONE:
                break
            state = after[action] or (node.state if node else "")
            old = node or Seen("", owner="site/prod")
            node = Seen(
                state, old.owner, prepared=2 if action is A.NOTE else old.prepared,
                inspected=old.inspected or action is A.INSPECT, deployed=2 if action is A.DEPLOY else old.deployed,
            )  # fmt: skip
            asked |= {action}
        assert node is not None
        assert (node.state, node.deployed, node.prepared) == ("active", 2, 2), start
