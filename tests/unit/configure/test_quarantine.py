"""Which nodes a failed run takes out of service, and how they are held."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import ClassVar

import pytest

from railbed.configure import ConvergeResult, NodeResult, NodeState, broken, quarantine, stack
from railbed.configure.events import Collector
from railbed.contract import Contract
from railbed.effects.journal import Journal
from railbed.effects.remote import Remote
from railbed.effects.workspace import Workspace
from railbed.errors import CommandError
from railbed.parse.slurm import NodeState as SchedulerState

PACKAGES = "packages: Install the packages of all roles"


def failed(task: str = PACKAGES, *, half_done: bool = False) -> NodeResult:
    return NodeResult(NodeState.FAILED, failed_task=task, message="why", half_done=half_done)


class FakeScheduler:
    """Slurm's controller; ``held`` are the nodes that it was asked to hold."""

    held: ClassVar[list[str]] = []
    drained: ClassVar[dict[str, str]] = {}
    silent = False

    def __init__(self, remote: Remote) -> None:
        self.remote = remote

    def nodes(self) -> dict[str, SchedulerState]:
        if FakeScheduler.silent:
            raise CommandError("scontrol did not answer")
        return {
            name: SchedulerState(name, "IDLE", frozenset({"DRAIN"}), "gpu:8", ("batch",), reason)
            for name, reason in FakeScheduler.drained.items()
        }

    def reserve(self, nodes: Iterable[str]) -> None:
        if FakeScheduler.silent:
            raise CommandError("scontrol did not answer")
        FakeScheduler.held.extend(nodes)


@pytest.fixture(autouse=True)
def _scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "Scheduler", FakeScheduler)
    monkeypatch.setattr(FakeScheduler, "held", [])
    monkeypatch.setattr(FakeScheduler, "silent", False)
    monkeypatch.setattr(FakeScheduler, "drained", {})


def test_only_a_node_between_two_states_is_taken_away(contract: Contract) -> None:
    result = ConvergeResult(
        {
            "ctl0": failed(half_done=True), "h100-0": failed(), "h100-1": failed(half_done=True),
            "h100-2": failed("nvidia_driver: It reports the release's version"),
        }, 1.0,
    )  # fmt: skip
    assert quarantine.unfit(contract, result.nodes) == ["h100-1", "h100-2"]


@pytest.mark.parametrize("state", [NodeState.OK, NodeState.CHANGED, NodeState.UNREACHABLE])
def test_a_node_that_did_not_fail_stays(contract: Contract, state: NodeState) -> None:
    assert quarantine.unfit(contract, {"h100-1": NodeResult(state, half_done=True)}) == []


def test_a_held_node_counts_as_new_and_takes_no_job(work: Workspace, contract: Contract) -> None:
    work.accepted.path.write_text(json.dumps({"h100-0": "id-11", "h100-1": "id-12"}))
    quarantine.hold(work, contract, ["h100-1"])
    assert FakeScheduler.held == ["h100-1"]
    assert work.accepted.read() == {"h100-0": "id-11"}
    assert stack.load(work).groups["unaccepted"] == ["h100-1", "h100-2"], "the next converge holds it too"
    assert [e["nodes"] for e in Journal(work.journal_file).read() if e["event"] == "quarantine"] == [
        ["h100-1"]
    ]


def test_a_scheduler_that_is_silent_does_not_make_the_node_accepted(
    work: Workspace, contract: Contract
) -> None:
    work.accepted.path.write_text(json.dumps({"h100-1": "id-12"}))
    FakeScheduler.silent = True
    quarantine.hold(work, contract, ["h100-1"])
    assert work.accepted.read() == {}
    assert next(iter(Journal(work.journal_file).read()))["scheduler"] == "scontrol did not answer"


def test_nobody_is_held_for_nothing(work: Workspace, contract: Contract) -> None:
    quarantine.hold(work, contract, [])
    assert FakeScheduler.held == [] and not work.journal_file.exists()


def test_what_the_module_says_of_itself_is_kept_and_told() -> None:
    event = {"event": "runner_on_failed", "event_data": {"host": "h100-1", "role": "packages", "task": "Install",
             "res": {"msg": "installing failed", "half_done": True}}}  # fmt: skip
    collector = Collector(["h100-1"])
    collector.take(event)
    assert collector.nodes["h100-1"].half_done
    result = ConvergeResult(collector.nodes, 1.0, quarantined=["h100-1"])
    assert "h100-1 takes no jobs until a full validation has passed on it" in broken(result).message
    assert result.as_json()["quarantined"] == ["h100-1"]


def test_no_more_nodes_are_held_than_may_leave_service(work: Workspace, contract: Contract) -> None:
    """A network of the operator that breaks off while packages are installed cuts off everybody."""
    cut_off = NodeResult(
        NodeState.UNREACHABLE, failed_task=PACKAGES, message="connection broke off (Broken pipe)"
    )
    nodes = {"h100-0": cut_off, "h100-1": cut_off, "h100-2": failed(half_done=True)}
    names = quarantine.unfit(contract, nodes)
    assert names == ["h100-2", "h100-0", "h100-1"], "what is certain comes first"
    work.accepted.path.write_text(json.dumps({name: f"id of {name}" for name in nodes}))
    assert quarantine.hold(work, contract, names) == FakeScheduler.held == ["h100-2"]
    assert sorted(work.accepted.read()) == ["h100-0", "h100-1"], "the next converge holds no more either"
    (event,) = Journal(work.journal_file).read()
    assert (event["nodes"], event["beyond_limit"]) == (["h100-2"], ["h100-0", "h100-1"])
    told = broken(
        ConvergeResult(nodes, 1.0, quarantined=["h100-2"], beyond_limit=["h100-0", "h100-1"])
    ).message
    assert "h100-0, h100-1 may be half done as well and still take jobs" in told


@pytest.mark.parametrize(
    ("reason", "held"), [("[railbed:healthcheck] gpu-lost", []), ("disk, ada", ["h100-1"])]
)
def test_automatic_drains_take_up_the_limit_and_a_persons_do_not(
    work: Workspace, contract: Contract, monkeypatch: pytest.MonkeyPatch, reason: str, held: list[str]
) -> None:
    monkeypatch.setattr(FakeScheduler, "drained", {"h100-0": reason})
    assert quarantine.hold(work, contract, ["h100-1"]) == held
