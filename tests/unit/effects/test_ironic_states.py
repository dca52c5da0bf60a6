"""From any state of a node to what is asked for next; and that nothing of somebody else's is taken."""

from __future__ import annotations

from dataclasses import replace

import pytest

from railbed.effects.ironic.states import (
    CHANGEABLE,
    FAILS,
    WAITING,
    Action,
    Goal,
    Seen,
    Stuck,
    next_action,
    require_serial,
)

A = Action
BMC = ("https://10.81.0.1:443", "/redfish/v1/Systems/1")
OURS = Goal(
    "site/prod", 2, True, serial="SN0", bmc=BMC, digest="digest", preparation="preparation", key="key"
)
PLAIN, OWN = replace(OURS, steps=False), replace(OURS, embedded=True)
SAID = frozenset({A.DESCRIBE})
STATES = (
    "enroll", "verifying", "manageable", "inspecting", "inspect wait", "inspect failed", "available", "cleaning", "clean wait",
    "clean failed", "deploying", "wait call-back", "deploy failed", "active", "deleting", "error", "clean hold", "deploy hold",
    "rebuild", "rescue", "rescuing", "rescue failed", "servicing", "service wait", "service failed", "adopting", "adopt failed",
    "unrescuing",
)  # fmt: skip


def seen(state: str, **facts: object) -> Seen:
    """A node that is as OURS says, but for ``facts``."""
    as_wanted = {"bmc": BMC, "owner": "site/prod", "serial": "SN0", "enrolled": True, "described": "digest",
                 "prepared": "preparation", "cleans": False, "inspected": True, "deployed": 2,
                 "written": "digest", "key": "key"}  # fmt: skip
    return Seen(state, **{**as_wanted, **facts})  # type: ignore[arg-type]


TABLE: list[tuple[Seen | None, Goal, frozenset[Action], Action]] = [
    (None, OURS, frozenset(), A.ENROL),
    *((seen(state), OURS, SAID, A.WAIT) for state in sorted(WAITING)),
    # Whatever rests is described first: password, authority and ramdisk may be others than at the last run.
    *((seen(state), OURS, frozenset(), A.DESCRIBE) for state in (*FAILS, "manageable", "available")),
    (seen("enroll", owner=""), OURS, SAID, A.MANAGE),
    (seen("enroll"), OURS, frozenset({A.ENROL}), A.MANAGE),
    (seen("manageable", inspected=False), OURS, SAID, A.INSPECT),
    (seen("inspect failed", inspected=False), OURS, SAID, A.MANAGE),
    (seen("manageable", prepared="before"), OURS, SAID, A.PREPARE),
    (seen("manageable", prepared="before"), OURS, SAID | {A.PREPARE}, A.NOTE),
    (seen("manageable", prepared="before"), PLAIN, SAID, A.PROVIDE),
    (seen("manageable"), OURS, SAID, A.PROVIDE),
    (seen("clean failed", prepared=""), OURS, SAID, A.MANAGE),
    (seen("available"), OURS, SAID, A.DEPLOY),
    (seen("available", prepared="before"), OURS, SAID, A.MANAGE),
    (seen("available", prepared=""), PLAIN, SAID, A.DEPLOY),
    (seen("available", inspected=False), PLAIN, SAID, A.MANAGE),
    (seen("deploy failed"), OURS, SAID, A.DEPLOY),
    (seen("deploy failed", prepared="before"), OURS, SAID, A.UNDEPLOY),
    (seen("error"), OURS, SAID, A.UNDEPLOY),
    (seen("active"), OURS, frozenset(), A.DONE),
    # The same generation with another setup is a run that was cut short before the spec was mended.
    (seen("active", written="before"), OURS, frozenset(), A.UNDEPLOY),
    (seen("available", described="before"), OURS, SAID, A.DESCRIBE),
    (seen("manageable", described="before"), OURS, SAID, A.DESCRIBE),
    (seen("deploy failed", described="before"), OURS, SAID, A.UNDEPLOY),
    (seen("wait call-back", written="before"), OURS, frozenset(), A.UNDEPLOY),
    (seen("wait call-back", key="before"), OURS, frozenset(), A.UNDEPLOY),
    (seen("wait call-back", key="before"), OURS, frozenset({A.UNDEPLOY}), A.WAIT),
    (seen("clean wait", preparing="before"), OURS, frozenset(), A.ABORT),
    (seen("clean wait", preparing="before"), OURS, frozenset({A.ABORT}), A.WAIT),
    (seen("clean wait", preparing="preparation"), OURS, frozenset(), A.WAIT),
    # Its BMC's address is the spec's to say where railbed made the node.
    (seen("enroll", bmc=("https://10.81.0.2:443", BMC[1])), OURS, frozenset(), A.DESCRIBE),
    (seen("deploying", bmc=("https://10.81.0.2:443", BMC[1])), OWN, frozenset(), A.FORGET),
    (seen("deploying", serial="SN9"), OWN, frozenset(), A.FORGET),
    # Nothing that may end in an automated cleaning, before the node says that there is none.
    *(
        (seen(state, cleans=True), OURS, SAID, A.KEEP)
        for state in ("enroll", "manageable", "available", "clean failed")
    ),
    (seen("active", deployed=1, cleans=True), OURS, frozenset(), A.KEEP),
    (seen("active", cleans=True), OURS, frozenset(), A.DONE),
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


def stuck_at(node: Seen, goal: Goal = OURS, asked: frozenset[Action] = SAID) -> Stuck:
    with pytest.raises(Stuck) as stuck:
        next_action(node, goal, asked)
    return stuck.value


@pytest.mark.parametrize(
    "state", ["enroll", "manageable", "available", "deploying", "wait call-back", "active"]
)
@pytest.mark.parametrize(
    "facts",
    [
        {"bmc": ("https://10.81.0.2:443", BMC[1])}, {"bmc": (BMC[0], "/redfish/v1/Systems/2")}, {"bmc": (BMC[0], "")},
        {"bmc": ("", "")}, {"claims": ("lessee: red",)}, {"claims": ("retired: True",)}, {"serial": "SN9"},
    ],
)  # fmt: skip
def test_a_node_of_another_machine_or_of_somebody_is_never_taken_by_its_name(
    state: str, facts: dict[str, object]
) -> None:
    assert stuck_at(seen(state, **facts)).code == "MACHINE_IN_USE"
    if not facts.get("serial") and state in ("enroll", "manageable", "available"):
        site_s = seen(state, owner="", serial="", enrolled=False, **facts)
        assert stuck_at(site_s, asked=frozenset()).code == "MACHINE_IN_USE", "not even described"


def test_a_node_that_the_site_enrolled_for_this_machine_is_used() -> None:
    for state in ("enroll", "manageable", "available"):
        site_s = Seen(state, bmc=BMC, inspected=True)
        assert next_action(site_s, OURS, frozenset()) is A.DESCRIBE


def test_another_stack_s_node_is_not_forgotten_in_railbed_s_own_ironic() -> None:
    assert stuck_at(seen("active", owner="site/other", serial="SN9"), OWN).code == "MACHINE_IN_USE"


@pytest.mark.parametrize("state", ["enroll", "manageable", "available", "clean failed"])
def test_an_ironic_that_still_cleans_by_itself_gets_no_further_request(state: str) -> None:
    assert stuck_at(seen(state, cleans=True), asked=SAID | {A.KEEP}).code == "IRONIC_CLEANS"


def test_a_deployment_that_cannot_be_ended_without_cleaning_is_left_alone() -> None:
    assert stuck_at(seen("wait call-back", written="before", cleans=True)).code == "IRONIC_CLEANS"


def test_a_system_with_another_host_key_is_not_given_up() -> None:
    stuck = stuck_at(seen("active", key="before"))
    assert (stuck.code, "generation to 3" in stuck.hint) == ("MACHINE_IN_USE", True)


def test_what_ironic_has_inspected_is_the_machine_that_is_meant() -> None:
    require_serial("SN0", OURS)
    for other in ("SN9", ""):
        with pytest.raises(Stuck) as stuck:
            require_serial(other, OURS)
        assert stuck.value.code == "MACHINE_IDENTITY"


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
    after = {A.ENROL: "enroll", A.DESCRIBE: "", A.KEEP: "", A.MANAGE: "manageable", A.INSPECT: "manageable",
             A.PREPARE: "manageable", A.NOTE: "", A.PROVIDE: "available", A.DEPLOY: "active", A.UNDEPLOY: "available",
             A.ABORT: "clean failed"}  # fmt: skip
    done: dict[Action, dict[str, object]] = {
        A.ENROL: {"described": "digest", "cleans": False}, A.KEEP: {"cleans": False}, A.INSPECT: {"inspected": True},
        A.NOTE: {"prepared": "preparation"}, A.DEPLOY: {"deployed": 2, "written": "digest", "key": "key"},
    }  # fmt: skip
    fresh = Seen("", bmc=BMC, owner="site/prod", serial="SN0", enrolled=True)
    for start in ["", *FAILS, "manageable", "available", "active", "clean wait", "wait call-back"]:
        node = (
            replace(fresh, state=start, preparing="before", cleans=start != "wait call-back")
            if start
            else None
        )
        asked: frozenset[Action] = frozenset()
        for _ in range(14):
            action = next_action(node, OURS, asked)
            if action is A.DONE:
                break
            old = node or fresh
            told = done.get(action, {})
            if action is A.DESCRIBE:
                told = {"cleans": False, **({"described": "digest"} if old.state in CHANGEABLE else {})}
            node = replace(old, state=after[action] or old.state, **told)  # type: ignore[arg-type]
            asked |= {action}
        assert node is not None
        assert (node.state, node.deployed, node.prepared) == ("active", 2, "preparation"), start
