"""Runs that stop before their end: nobody counts as done who was not, and nobody takes jobs who was left between two states."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.configure.test_converge import ALL, checkout, playbook
from tests.unit.configure.test_quarantine import PACKAGES, FakeScheduler

from railbed.configure import NodeState, broken, converge, quarantine, runner
from railbed.configure import playbook as playbooks
from railbed.configure.events import STOPPED
from railbed.contract import Contract
from railbed.defaults import CONVERGE_SILENCE_S
from railbed.effects.workspace import Workspace
from railbed.errors import CommandError, Exit

__all__ = ["checkout"]
ROOT = Path(__file__).resolve().parents[3]
OLD = "2026.01"
ONCE = """
    - name: Change something
      ansible.builtin.command: {argv: ["true"]}
    - name: Ask for all
      ansible.builtin.assert: {that: railbed_name == 'nobody', quiet: true}
      run_once: true
"""
ONE_FAILS = """
    - name: Fail on one
      ansible.builtin.assert: {that: railbed_name != 'h100-2', quiet: true}
"""
NAP = """
    - name: Say nothing
      ansible.builtin.command: {argv: [sleep, "60"]}
"""


@pytest.fixture(autouse=True)
def _scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "Scheduler", FakeScheduler)
    monkeypatch.setattr(FakeScheduler, "held", [])


def test_where_one_fails_for_all_nobody_counts_as_done(checkout: Workspace, contract: Contract) -> None:
    result = converge(contract, checkout, playbook=playbook(checkout, ONCE))
    assert result.broken == ALL
    assert result.nodes["ctl0"].failed_task == "Ask for all"
    assert {result.nodes[name].failed_task for name in ALL[1:]} == {STOPPED}
    assert {result.nodes[name].message for name in ALL[1:]} == {"Ask for all failed on ctl0"}
    assert checkout.releases.read() == {} and not result.quarantined
    assert broken(result).exit_status is Exit.FAIL


def test_a_node_on_its_way_to_a_release_has_none_until_it_is_there(
    checkout: Workspace, contract: Contract
) -> None:
    checkout.releases.write(dict.fromkeys(ALL, OLD))
    fails = playbook(checkout, ONE_FAILS)
    converge(contract, checkout, playbook=fails, moving=True, check=True)
    assert checkout.releases.read() == dict.fromkeys(ALL, OLD), "a look moves nobody"
    converge(contract, checkout, playbook=fails, moving=True, limit="h100-*")
    now = contract.software.release
    assert checkout.releases.read() == {"ctl0": OLD, "h100-0": now, "h100-1": now}


def test_a_run_that_hangs_is_ended_and_says_so(
    checkout: Workspace, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (runner, playbooks):
        monkeypatch.setattr(module, "CONVERGE_SILENCE_S", 1)
    with pytest.raises(CommandError, match="told of nothing for 1 s") as ended:
        converge(contract, checkout, playbook=playbook(checkout, NAP), limit="ctl0")
    assert (ended.value.code, ended.value.found) == ("ANSIBLE", "timeout")
    assert "run the same command again" in ended.value.hint


def test_a_boot_may_take_longer_than_the_longest_silence_does_not() -> None:
    _, booting = yaml.safe_load((ROOT / "playbooks/tasks/boot.yml").read_text())
    tasks = booting["block"]
    (boot,) = [task["ansible.builtin.reboot"] for task in tasks if "ansible.builtin.reboot" in task]
    assert boot["reboot_timeout"] < CONVERGE_SILENCE_S


def test_the_initial_ramdisk_is_written_before_the_boot_for_drivers_alone() -> None:
    """It would load the driver that it holds, and the node would have to boot once more, for ever."""
    _, booting = yaml.safe_load((ROOT / "playbooks/tasks/boot.yml").read_text())
    order = [
        next((key for key in task if key.startswith("ansible.builtin.")), "") for task in booting["block"]
    ]
    (at,) = [n for n, task in enumerate(booting["block"]) if "update-initramfs" in str(task)]
    assert at < order.index("ansible.builtin.reboot")
    assert booting["block"][at]["when"] == "railbed_boot_free and boot.drivers | length > 0"


@pytest.mark.parametrize("end", ["timeout", "crash", "interrupt"])
def test_a_node_left_between_two_states_is_held_whatever_became_of_the_run(
    work: Workspace, contract: Contract, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    work.accepted.write({"h100-0": "id-11", "h100-1": "id-12"})
    failed = {
        "event": "runner_on_failed",
        "event_data": {"host": "h100-1", "role": "packages", "task": "Install", "res": {"half_done": True}},
    }

    def play(*_: Any, take: Callable[[dict[str, Any]], None], **__: Any) -> runner.Run:
        take(failed)
        if end == "interrupt":
            raise KeyboardInterrupt
        return runner.Run("timeout" if end == "timeout" else "failed", work.dir / "log")

    monkeypatch.setattr(playbooks, "play", play)
    with pytest.raises(KeyboardInterrupt if end == "interrupt" else CommandError) as stopped:
        converge(contract, work)
    assert FakeScheduler.held == ["h100-1"] and json.loads(work.accepted.path.read_text()) == {
        "h100-0": "id-11"
    }
    assert end == "interrupt" or "h100-1 takes no jobs until" in str(stopped.value)


@pytest.mark.parametrize(
    ("task", "message", "held"),
    [
        (PACKAGES, "connection broke off (Shared connection to h100-1 closed by remote host)", ["h100-1"]),
        (PACKAGES, "no answer (ssh: connect to host h100-1 port 22: Connection timed out)", []),
        (PACKAGES, "host key changed: this is not the machine that was made", []),
        ("base: Write who is who", "connection broke off (Broken pipe)", []),
    ],
)
def test_a_node_cut_off_in_the_middle_of_its_packages_may_be_between_two_states(
    contract: Contract, task: str, message: str, held: list[str]
) -> None:
    node = quarantine.NodeResult(NodeState.UNREACHABLE, failed_task=task, message=message)
    assert quarantine.unfit(contract, {"h100-1": node, "ctl0": node}) == held


def test_the_transaction_is_a_task_of_the_role() -> None:
    tasks = yaml.safe_load((ROOT / "roles/packages/tasks/install.yml").read_text())
    assert [f"packages: {task['name']}" for task in tasks if "debs" in task] == [quarantine.TRANSACTION]
