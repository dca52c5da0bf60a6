"""One machine's way through an Ironic that is played: what is asked of it, in which order, and what is never asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from railbed.effects.bmc.connection import Bmc
from railbed.effects.bmc.login import Login
from railbed.effects.bmc.system import System
from railbed.effects.bmc.target import BmcError, Patience, Target
from railbed.effects.ironic import client, course, node
from railbed.effects.ironic.states import Goal, Seen

TARGET = Target("h100-0", "SN0", "https://10.81.0.1/redfish/v1/Systems/1")
SETUP = node.NodeSetup(
    "h100", "https://10.0.0.1/x.qcow2", "a" * 64, node.Port(["02:00:00:00:00:01"]), erase="metadata"
)
SYSTEM = System(
    name="h100-0", instance="h100-0-SN0-1", address="10.80.0.11/16", authorized_keys=["ssh-ed25519 AAAAoperator"],
    host_key="ssh-ed25519 AAAAhost", host_key_private="secret",
)  # fmt: skip
GOAL = Goal(
    "site/prod/abc123", 1, True, serial="SN0", bmc=node.way("https://10.81.0.1", "/redfish/v1/Systems/1"),
    digest=node.digest_of(SETUP, SYSTEM, 1), preparation=node.preparation_digest(SETUP, 1), key=node.digest(SYSTEM.host_key),
)  # fmt: skip
ROUTE = {"redfish_address": "https://10.81.0.1", "redfish_system_id": "/redfish/v1/Systems/1"}
ENDS = {"manage": "manageable", "inspect": "manageable", "clean": "manageable", "provide": "available", "active": "active",
        "deleted": "available", "abort": "clean failed"}  # fmt: skip


def told(state: str = "available", **fields: Any) -> dict[str, Any]:
    """A node as the API tells it: enrolled by the site, which lets Ironic clean."""
    return {
        "provision_state": state, "extra": {}, "driver_info": dict(ROUTE), "properties": {}, "owner": None, "lessee": None,
        "instance_uuid": None, "allocation_uuid": None, "protected": False, "retired": False, "automated_clean": None,
        "inspection_finished_at": None, "maintenance": False, "maintenance_reason": None, "fault": None, "last_error": None,
        **fields,
    }  # fmt: skip


class Played:
    """Every request succeeds at once; all are kept in order."""

    def __init__(self, first: dict[str, Any] | None, serial: str = "SN0", deaf: bool = False) -> None:
        self.record, self.serial, self.deaf = first, serial, deaf
        self.asked: list[str] = []
        self.cleaning: list[object] = []
        """What the node said of automated cleaning at each change of state."""

    def see(self, name: str) -> Seen | None:
        return client.seen(self.record) if self.record else None

    def inspected_serial(self, name: str) -> str:
        return self.serial

    def create(self, name: str, fields: Mapping[str, Any]) -> None:
        self.asked.append("create")
        self.record = told("enroll", **fields)

    def patch(self, name: str, values: Mapping[str, Any]) -> None:
        assert self.record is not None
        self.asked.append("patch")
        for path, value in values.items():
            top, _, key = path.partition("/")
            if self.deaf and top == "automated_clean":
                continue
            if key:
                self.record[top][key] = value
            else:
                self.record[top] = value

    def provision(self, name: str, verb: str, **how: Any) -> None:
        assert self.record is not None
        self.asked.append(verb)
        self.cleaning.append(self.record["automated_clean"])
        self.record["provision_state"] = ENDS[verb]
        if verb == "inspect":
            self.record["inspection_finished_at"] = "now"

    def forget(self, name: str) -> None:
        self.asked.append("forget")
        self.record = None


@pytest.fixture
def follow(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def go(nodes: Played, goal: Goal = GOAL, setup: node.NodeSetup = SETUP) -> None:
        monkeypatch.setattr(course, "identify", lambda bmc: nodes.asked.append("look"))
        bmc = Bmc(replace(TARGET, serial=goal.serial), Login("u", "p"), patience=Patience(ironic_poll_s=0))
        one = course.Course(nodes, bmc, goal, setup, SYSTEM, lambda: dict(ROUTE))  # type: ignore[arg-type]
        one.follow(lambda: nodes.asked.append("begin"))

    return go


def verbs(nodes: Played) -> list[str]:
    return [one for one in nodes.asked if one not in ("look", "patch")]


@pytest.mark.parametrize("first", [None, told(), told("enroll"), told("manageable")])
def test_from_nothing_or_a_node_of_the_site_s_to_the_system(
    follow: Callable[..., None], first: dict[str, Any] | None
) -> None:
    nodes = Played(
        first
        and {**first, "extra": {}, "properties": {"capabilities": "x", "root_device": {"name": "/dev/sda"}}}
    )
    follow(nodes)
    assert nodes.record is not None
    assert [one for one in verbs(nodes) if one not in ("create", "manage")] == [
        "inspect", "begin", "clean", "provide", "begin", "active",
    ]  # fmt: skip
    assert set(nodes.cleaning) == {False}, "never a change of state that could end in a cleaning"
    assert nodes.record["extra"][node.KEY] == GOAL.key
    if first:
        assert nodes.record["properties"]["root_device"] == {"name": "/dev/sda"}
        assert node.ENROLLED not in nodes.record["extra"]
    before = list(nodes.asked)
    follow(nodes)
    assert nodes.asked == before, "a second run only reads"


def refused(follow: Callable[..., None], nodes: Played, **how: Any) -> str:
    with pytest.raises(BmcError) as error:
        follow(nodes, **how)
    assert "begin" not in nodes.asked
    assert not {"clean", "active", "deleted", "forget"} & set(nodes.asked)
    return error.value.code


def test_a_machine_that_ironic_inspected_as_another_is_not_written_to(follow: Callable[..., None]) -> None:
    for serial in ("SN9", ""):
        assert refused(follow, Played(told(), serial)) == "MACHINE_IDENTITY"


@pytest.mark.parametrize(
    "fields",
    [
        {"owner": "red"}, {"lessee": "red"}, {"instance_uuid": "1-2"}, {"allocation_uuid": "1-2"}, {"protected": True},
        {"retired": True}, {"driver_info": {}}, {"driver_info": {**ROUTE, "redfish_address": "https://10.81.0.2"}},
        {"driver_info": {"redfish_address": "https://10.81.0.1"}}, {"extra": {node.SERIAL: "SN9"}},
        {"extra": {node.OWNER: "site/prod/def456"}},
    ],
    ids=str,
)  # fmt: skip
def test_a_node_of_the_name_that_is_somebody_s_or_another_machine_s_is_not_even_described(
    follow: Callable[..., None], fields: dict[str, Any]
) -> None:
    nodes = Played(told(**fields))
    assert refused(follow, nodes) == "MACHINE_IN_USE"
    assert nodes.asked == []


def test_an_ironic_that_does_not_let_its_cleaning_be_turned_off_is_left_alone(
    follow: Callable[..., None],
) -> None:
    nodes = Played(told(), deaf=True)
    assert refused(follow, nodes) == "IRONIC_CLEANS"
    assert verbs(nodes) == []


def test_an_old_system_goes_only_once_its_node_is_not_cleaned(follow: Callable[..., None]) -> None:
    nodes = Played(None)
    follow(nodes)
    assert nodes.record is not None
    nodes.record["automated_clean"] = None
    nodes.asked.clear()
    nodes.cleaning.clear()
    follow(nodes, replace(GOAL, generation=2, digest="digest 2", preparation="preparation 2", key="key 2"))
    assert verbs(nodes)[:2] == ["begin", "deleted"]
    assert set(nodes.cleaning) == {False}


def test_a_node_for_a_machine_that_was_replaced_is_made_anew_in_railbed_s_own_ironic(
    follow: Callable[..., None],
) -> None:
    nodes = Played(None)
    follow(nodes)
    nodes.serial = "SN1"
    goal = replace(GOAL, serial="SN1")
    nodes.asked.clear()
    assert refused(follow, nodes, goal=goal) == "MACHINE_IN_USE"
    follow(nodes, replace(goal, embedded=True))
    assert nodes.asked[:4] == ["look", "forget", "look", "create"]


class Clock:
    """Time that passes only in sleeps; the node's state follows from it."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, nodes: Played, states: list[tuple[float, str]]
    ) -> None:
        self.now, self.nodes, self.states = 0.0, nodes, states
        monkeypatch.setattr(course, "time", self)
        self.sleep(0)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += max(seconds, 100.0) if self.now or seconds else 0.0
        if not self.now:
            self.now = 1.0
        assert self.nodes.record is not None
        self.nodes.record["provision_state"] = next(
            state for until, state in self.states if self.now < until or until == self.states[-1][0]
        )


def under_way(setup: node.NodeSetup = SETUP) -> tuple[dict[str, Any], Goal]:
    """A node on which a run that was killed has everything under way, and what the next run wants."""
    goal = replace(
        GOAL, digest=node.digest_of(setup, SYSTEM, 1), preparation=node.preparation_digest(setup, 1)
    )
    extra = {node.OWNER: goal.owner, node.SERIAL: "SN0", node.DESCRIBED: goal.digest, node.PREPARING: goal.preparation,
             node.DEPLOYED: 1, node.WRITTEN: goal.digest, node.KEY: goal.key}  # fmt: skip
    return told(extra=extra, automated_clean=False, inspection_finished_at="now"), goal


def test_each_state_has_its_own_limit(follow: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    first, goal = under_way()
    nodes = Played(first)
    Clock(monkeypatch, nodes, [(3000, "deploying"), (6000, "wait call-back"), (9000, "active")])
    follow(nodes, goal)
    assert verbs(nodes) == [], "what was under way is waited for"
    first, goal = under_way()
    nodes = Played(first)
    Clock(monkeypatch, nodes, [(4000, "deploying"), (9000, "active")])
    assert refused(follow, nodes, goal=goal) == "INSTALL_TIMEOUT"


@pytest.mark.parametrize(("erase", "ends"), [("metadata", False), ("full", True)])
def test_a_full_erasure_has_a_limit_of_its_own_and_is_not_done_twice(
    follow: Callable[..., None], monkeypatch: pytest.MonkeyPatch, erase: str, ends: bool
) -> None:
    setup = replace(SETUP, erase=erase)
    first, goal = under_way(setup)
    nodes = Played(first)
    clock = Clock(monkeypatch, nodes, [(5000, "clean wait"), (9000, "manageable")])
    if not ends:
        assert refused(follow, nodes, goal=goal, setup=setup) == "INSTALL_TIMEOUT"
        return
    follow(nodes, goal, setup)
    assert clock.now > 5000
    assert verbs(nodes) == ["provide", "begin", "active"]
    assert nodes.record is not None
    assert (nodes.record["extra"][node.PREPARED], nodes.record["extra"][node.PREPARING]) == (
        goal.preparation,
        "",
    )


def test_maintenance_of_a_removal_that_was_cut_short_is_nobody_s() -> None:
    cut = client.seen(told(maintenance=True, maintenance_reason=client.LEAVING))
    assert (cut.maintenance, cut.fault) == (False, True)
    person = client.seen(told(maintenance=True, maintenance_reason="disk swap"))
    assert (person.maintenance, person.fault) == (True, False)
    broken = client.seen(told(maintenance=True, fault="clean failure"))
    assert (broken.maintenance, broken.fault) == (False, True)
