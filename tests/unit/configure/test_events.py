"""ansible-runner's events → node results. The events have the form that ansible-runner 2.4.3 gave in a run on lab hosts."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from railbed.configure import progress
from railbed.configure.events import END, STOPPED, Collector, Event
from railbed.configure.results import ConvergeResult, NodeResult, NodeState, broken
from railbed.errors import Exit


def ran(
    kind: str, host: str, task: str = "Keep the clock", action: str = "tree", **more: Any
) -> dict[str, Any]:
    result = {"changed": False, **more.pop("res", {})}
    data = {
        "host": host,
        "task": task,
        "role": "time",
        "task_action": action,
        "res": result,
        "duration": 0.5,
        **more,
    }
    return {"event": kind, "event_data": data}


def stats(**changed: int) -> dict[str, Any]:
    return {
        "event": "playbook_on_stats",
        "event_data": {"changed": {k.replace("_", "-"): v for k, v in changed.items()}},
    }


def ended(*hosts: str, **changed: int) -> list[dict[str, Any]]:
    """These hosts came to the end of playbooks/end.yml, and the run to its own."""
    return [
        *(ran("runner_on_ok", host, END, "ansible.builtin.assert", role="") for host in hosts),
        stats(**changed),
    ]


def collect(*events: dict[str, Any]) -> Collector:
    collector = Collector(["h100-0", "h100-1"])
    for event in events:
        collector.take(event)
    return collector


def test_each_node_has_a_result_of_its_own() -> None:
    nodes = collect(
        ran("runner_on_ok", "h100-0", res={"changed": True}), ran("runner_on_ok", "h100-1"),
        *ended("h100-0", "h100-1", h100_0=1),
    ).nodes  # fmt: skip
    assert (nodes["h100-0"].state, nodes["h100-0"].changed) == (NodeState.CHANGED, 1)
    assert (nodes["h100-1"].state, nodes["h100-1"].changed) == (NodeState.OK, 0)


def test_a_change_whose_result_is_hidden_is_counted_at_the_end() -> None:
    hidden = ran("runner_on_ok", "h100-0", res={"censored": "the output has been hidden"})
    node = collect(hidden, *ended("h100-0", h100_0=1)).nodes["h100-0"]
    assert (node.state, node.changed) == (NodeState.CHANGED, 1)


def test_the_tasks_that_changed_something_are_named() -> None:
    changed = [ran("runner_on_ok", "h100-0", task, res={"changed": True}) for task in ("Pin", "Start")]
    other = ran("runner_on_ok", "h100-1", "Start", res={"changed": True})
    same = ran("runner_on_ok", "h100-1", "Pin")
    nodes = collect(*changed, same, other, *ended("h100-0", "h100-1", h100_0=2, h100_1=1)).nodes
    assert nodes["h100-0"].changes == ["time: Pin", "time: Start"]
    result = ConvergeResult(nodes=nodes, seconds=1.0, check=True)
    assert result.changes() == {"time: Pin": ["h100-0"], "time: Start": ["h100-0", "h100-1"]}
    assert result.as_json()["nodes"]["h100-1"]["changes"] == ["time: Start"]


@pytest.mark.parametrize(
    ("hidden", "changed", "named"),
    [
        (["Key"], 1, ["time: Key"]),
        (["Key"], 0, []),
        (["Key", "Login"], 2, ["time: Key", "time: Login"]),
        (["Key", "Login"], 1, [f"time: {one} (or another task with secrets)" for one in ("Key", "Login")]),
    ],
)
def test_a_task_with_secrets_is_named_as_far_as_its_changes_are_counted(
    hidden: list[str], changed: int, named: list[str]
) -> None:
    seen = ran("runner_on_ok", "h100-0", "Pin", res={"changed": True})
    events = [ran("runner_on_ok", "h100-0", one, res={"censored": "hidden"}) for one in hidden]
    node = collect(seen, *events, *ended("h100-0", h100_0=1 + changed)).nodes["h100-0"]
    assert (node.changed, node.changes) == (1 + changed, ["time: Pin", *named])


def test_a_task_takes_as_long_as_on_its_slowest_node_and_tasks_of_one_title_add_up() -> None:
    took = [("h100-0", "a", 0.5), ("h100-1", "a", 0.75), ("h100-0", "a", 0.25), ("h100-0", "b", 2.0)]
    events = [ran("runner_on_ok", host, task_uuid=number, duration=s) for host, number, s in took]
    assert collect(*events).task_seconds == {"time: Keep the clock": 2.75}
    assert collect(ran("runner_on_skipped", "h100-0", task_uuid="a")).task_seconds == {}


def test_unreachable_is_a_state_of_that_node_only() -> None:
    nodes = collect(
        ran("runner_on_unreachable", "h100-0", res={"msg": "Failed to connect to the host via ssh"}),
        ran("runner_on_ok", "h100-1"), *ended("h100-1"),
    ).nodes  # fmt: skip
    assert nodes["h100-0"].state == NodeState.UNREACHABLE and "via ssh" in nodes["h100-0"].message
    assert nodes["h100-1"].state == NodeState.OK


def test_a_node_that_did_not_come_to_the_end_did_not_end_well() -> None:
    """A task that runs once and fails stops all nodes of its play, and Ansible tells of the first one only."""
    fails = ran("runner_on_failed", "h100-0", "No two share an address", res={"msg": "they do"})
    nodes = collect(ran("runner_on_ok", "h100-1", res={"changed": True}), fails, *ended()).nodes
    assert {name: one.state for name, one in nodes.items()} == dict.fromkeys(nodes, NodeState.FAILED)
    assert nodes["h100-0"].failed_task == "time: No two share an address"
    assert (nodes["h100-1"].failed_task, nodes["h100-1"].message) == (
        STOPPED, "time: No two share an address failed on h100-0",
    )  # fmt: skip
    assert {one.state for one in collect(*ended()).nodes.values()} == {NodeState.FAILED}


def test_who_waited_for_a_silent_node_is_as_unproven_as_that() -> None:
    nodes = collect(ran("runner_on_unreachable", "h100-0"), *ended()).nodes
    assert {one.state for one in nodes.values()} == {NodeState.UNREACHABLE}
    both = collect(
        ran("runner_on_unreachable", "h100-0"), ran("runner_on_failed", "h100-1"), *ended()
    ).nodes  # fmt: skip
    assert [one.state for one in both.values()] == [NodeState.UNREACHABLE, NodeState.FAILED]


def test_who_came_to_the_end_is_as_it_was_and_the_end_is_no_task_of_its_own() -> None:
    went = ran("runner_on_ok", "h100-0", res={"changed": True})
    nodes = collect(went, ran("runner_on_failed", "h100-1"), *ended("h100-0")).nodes
    assert (nodes["h100-0"].state, nodes["h100-0"].tasks) == (NodeState.CHANGED, 1)
    assert nodes["h100-1"].failed_task == "time: Keep the clock"


def test_a_failure_names_task_and_reason() -> None:
    node = collect(ran("runner_on_failed", "h100-0", res={"msg": "no such\n unit"}), stats()).nodes["h100-0"]
    assert (node.state, node.failed_task, node.message) == (
        NodeState.FAILED,
        "time: Keep the clock",
        "no such unit",
    )


def test_a_node_whose_sudo_wants_a_password_says_what_to_do() -> None:
    found = collect(
        ran("runner_on_failed", "h100-0", res={"msg": "Task failed: Missing sudo password"}), stats()
    )
    node = found.nodes["h100-0"]
    assert node.message == (
        "railbed's login may not become root there: give it NOPASSWD:ALL in /etc/sudoers.d (Task failed: Missing sudo password)"
    )


def test_the_reason_of_a_failed_loop_is_that_of_its_item() -> None:
    results = [{"changed": False}, {"failed": True, "msg": "mfsmount: no master"}]
    res = {"msg": "One or more items failed", "results": results}
    assert "no master" in collect(ran("runner_on_failed", "h100-0", res=res), stats()).nodes["h100-0"].message


def test_a_later_change_does_not_hide_a_failure() -> None:
    events = (
        ran("runner_on_failed", "h100-0"),
        ran("runner_on_ok", "h100-0", res={"changed": True}),
        stats(h100_0=1),
    )
    assert collect(*events).nodes["h100-0"].state == NodeState.FAILED


def test_only_what_runs_on_the_node_counts_as_a_module() -> None:
    node = collect(
        ran("runner_on_ok", "h100-0", action="gather_facts"),
        ran("runner_on_ok", "h100-0", action="tree"),
        ran("runner_on_ok", "h100-0", action="ansible.builtin.assert"),
        ran("runner_on_ok", "h100-0", action="ansible.builtin.validate_argument_spec"),
        ran("runner_on_skipped", "h100-0", action="ansible.builtin.command"),
    ).nodes["h100-0"]
    assert (node.modules, node.tasks) == (2, 4)


def test_a_loop_counts_once_per_item() -> None:
    node = collect(
        ran("runner_item_on_ok", "h100-0"), ran("runner_item_on_ok", "h100-0"), ran("runner_item_on_skipped", "h100-0"),
        ran("runner_on_ok", "h100-0", res={"results": [{}, {}, {}]}),
    ).nodes["h100-0"]  # fmt: skip
    assert (node.modules, node.tasks) == (2, 1)


def test_hosts_that_are_no_nodes_and_unknown_events_are_passed_over() -> None:
    collector = collect(
        ran("runner_on_ok", "localhost"), {"event": "new_in_2027"}, {}, {"event": "runner_on_ok"}
    )
    assert set(collector.nodes) == {"h100-0", "h100-1"} and not collector.finished


def test_a_failed_node_is_a_failure_and_a_silent_one_is_unproven() -> None:
    failed = ConvergeResult(
        {"a": NodeResult(NodeState.FAILED, failed_task="t", message="m"), "b": NodeResult()}, 1.0
    )
    silent = ConvergeResult({"a": NodeResult(NodeState.UNREACHABLE), "b": NodeResult()}, 1.0)
    assert failed.broken == silent.broken == ["a"]
    assert broken(failed).exit_status == Exit.FAIL and "t: m" in broken(failed).message
    assert broken(silent).exit_status == Exit.UNPROVEN


def test_progress_tells_plays_changes_and_failures_without_a_terminal() -> None:
    said = io.StringIO()
    with progress.shown(Console(file=said, width=200, markup=False)) as on_event:
        on_event(Event("play", task="Schedule"))
        on_event(Event("ok", node="h100-0", task="time: Keep the clock", result=NodeResult()))
        on_event(Event("changed", node="h100-1", task="time: Keep the clock", result=NodeResult()))
        on_event(Event("failed", node="ctl0", task="x", message="[why] not", result=NodeResult()))
        on_event(Event("note", message="no node could ask"))
    text = said.getvalue()
    assert text.count("no node could ask\n") == 1
    assert "Schedule" in text and "h100-1 changed: time: Keep the clock" in text
    assert "ctl0 failed: x: [why] not" in text and "h100-0" not in text


def test_progress_on_a_terminal_shows_every_node() -> None:
    said = io.StringIO()
    with progress.shown(Console(file=said, width=120, force_terminal=True)) as on_event:
        on_event(
            Event("ok", node="h100-0", task="t", result=NodeResult(NodeState.CHANGED, changed=2, tasks=5))
        )
    assert "h100-0" in said.getvalue() and "changed" in said.getvalue()


def test_what_could_not_be_built_and_is_optional_is_said_and_fails_no_node() -> None:
    lacking = {"lacking": "make ended with 2:\n  no rule"}
    nodes = collect(
        ran("runner_on_ok", "h100-0", "Build it", "built", res=lacking), ran("runner_on_ok", "h100-1", res={"lacking": ""}),
        *ended("h100-0", "h100-1"),
    ).nodes  # fmt: skip
    assert {one.state for one in nodes.values()} == {NodeState.OK}
    result = ConvergeResult(nodes=nodes, seconds=1.0)
    assert result.lacking() == {"time: Build it: make ended with 2: no rule": ["h100-0"]}
    assert result.as_json()["nodes"]["h100-1"]["lacking"] == []
