"""The strategy does what the linear one does: the same play through both, over hosts that are this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ansible_runner
import pytest
from tests.processes import mentioning, until

ROOT = Path(__file__).resolve().parents[3]
NAP = f"43.{os.getpid()}"
ASLEEP = f"sleep\0{NAP}\0"
"""Of this run of the tests alone."""
HOSTS = [f"n{i}" for i in range(5)]
PLAY = """
- hosts: all
  connection: local
  gather_facts: false
  tasks:
    - name: Run something everywhere
      ansible.builtin.command: {argv: [echo, "{{ inventory_hostname }}"]}
      changed_when: inventory_hostname == 'n1'
      register: answer
    - name: Judge it where it is
      ansible.builtin.assert: {that: answer.stdout == inventory_hostname, quiet: true}
    - name: Judge it in a loop
      ansible.builtin.assert: {that: answer.stdout != item, quiet: true}
      loop: [n2, n9]
    - name: Note it where it is
      ansible.builtin.set_fact: {noted: "{{ answer.stdout ~ '-' ~ inventory_hostname }}"}
    - name: On some only
      ansible.builtin.command: {argv: [echo, some]}
      when: inventory_hostname in ['n1', 'n3']
    - name: On none
      ansible.builtin.command: {argv: [echo, none]}
      when: [answer.stdout == 'n9', inventory_hostname == 'n9']
    - name: A condition that cannot be judged
      ansible.builtin.command: {argv: [echo, none]}
      when: nothing.like.this
      ignore_errors: true
    - name: On some items only
      ansible.builtin.command: {argv: [echo, "{{ item }}"]}
      loop: [n1, n2]
      when: item == inventory_hostname
    - name: Once for all
      ansible.builtin.command: {argv: [echo, once]}
      run_once: true
      register: once
    - name: A module fails on one
      ansible.builtin.command: {argv: ["test", "{{ inventory_hostname }}", "!=", "n4"]}
    - name: Those that are left go on
      ansible.builtin.command: {argv: [echo, "{{ once.stdout }} {{ answer.stdout }}"]}
      register: last
    - name: Each has its own answer
      ansible.builtin.assert:
        that: [last.stdout == 'once ' ~ inventory_hostname, noted == inventory_hostname ~ '-' ~ inventory_hostname]
        quiet: true
- hosts: n0
  connection: local
  gather_facts: false
  tasks:
    - name: One process for one host
      ansible.builtin.command: {argv: [echo, "{{ hostvars.n3.last.stdout }}"]}
"""


def settings(folder: Path, strategy: str) -> dict[str, str]:
    """Writes the play, and gives what Ansible is told through its environment."""
    (folder / "play.yml").write_text(PLAY)
    (folder / "hosts").write_text("\n".join(HOSTS) + "\n")
    return {
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_STRATEGY": strategy, "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default", "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_INVENTORY_ENABLED": "ini", "ANSIBLE_FORKS": "2",
    }  # fmt: skip


def run(folder: Path, strategy: str) -> dict[str, Any]:
    """Outcome of each task on each host, and the totals."""
    env = {**os.environ, **settings(folder, strategy)}
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", folder / "hosts", folder / "play.yml"],
        env=env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    tasks: dict[str, list[str]] = {}
    title = ""
    for line in done.stdout.splitlines():
        if line.startswith(("TASK", "PLAY")):
            title = line.rstrip("* ")
        elif line.split(":")[0] in ("ok", "changed", "failed", "fatal", "skipping") or " : ok=" in line:
            tasks.setdefault(title, []).append(" ".join(line.split("=> {")[0].split()))
    return {"rc": done.returncode, "tasks": {name: sorted(lines) for name, lines in tasks.items()}}


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return run(tmp_path_factory.mktemp("batches"), "batches")


def test_every_task_ends_as_with_the_linear_strategy(outcome: dict[str, Any], tmp_path: Path) -> None:
    assert outcome == run(tmp_path, "linear")


def test_who_fails_is_out_and_the_rest_goes_on(outcome: dict[str, Any]) -> None:
    text = json.dumps(outcome)
    assert outcome["rc"] == 2 and len(outcome["tasks"]) >= 8
    assert [line for line in outcome["tasks"]["TASK [Judge it in a loop]"] if "failed: [n2]" in line]
    assert sorted(line.split("]")[0] for line in outcome["tasks"]["TASK [Each has its own answer]"]) == [
        "ok: [n0", "ok: [n1", "ok: [n3",
    ]  # fmt: skip
    assert text.count("unreachable=0") == len(HOSTS)


def test_of_each_task_its_end_is_reported_and_how_long_it_took(tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    env = settings(tmp_path, "batches")
    del env["ANSIBLE_STDOUT_CALLBACK"]
    ansible_runner.run(
        private_data_dir=str(tmp_path), project_dir=str(ROOT), playbook=str(tmp_path / "play.yml"),
        inventory=str(tmp_path / "hosts"), quiet=True, envvars={**env, "PATH": os.environ["PATH"]},
        event_handler=events.append,
    )  # fmt: skip
    kinds = [event["event"] for event in events]
    ends = [event["event_data"] for event in events if event["event"] in ("runner_on_ok", "runner_on_failed")]
    assert "runner_on_start" not in kinds and kinds.count("playbook_on_stats") == 1
    assert len(ends) > len(HOSTS) * 4 and all(end["duration"] > 0 for end in ends)


@contextmanager
def asleep(folder: Path, workers: int = 2, **task: Any) -> Iterator[subprocess.Popen[str]]:
    """A playbook whose task runs in so many processes at once; without ``task`` on every node, with two forks."""
    env = {**os.environ, **settings(folder, "batches")}
    tasks = [{"ansible.builtin.command": {"argv": ["sleep", NAP]}, **task}]
    play = {"hosts": "all", "connection": "local", "gather_facts": False, "tasks": tasks}
    (folder / "play.yml").write_text(json.dumps([play]))
    playing = subprocess.Popen(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", folder / "hosts", folder / "play.yml"],
        env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        until("it is at work", 30, lambda: len(mentioning(ASLEEP)) == workers)
        yield playing
    finally:
        playing.kill()
        playing.communicate()
        for left in mentioning(ASLEEP):
            os.kill(left, signal.SIGKILL)


def test_hosts_that_a_condition_leaves_are_worked_on_at_once(tmp_path: Path) -> None:
    with asleep(tmp_path, workers=2, when="inventory_hostname in ['n1', 'n2']"):
        assert len(mentioning(ASLEEP)) == 2


@pytest.mark.parametrize(
    ("task", "workers"), [({}, 2), ({"run_once": True}, 1)], ids=["on every node", "once"]
)
def test_workers_end_with_an_ansible_that_is_killed(
    tmp_path: Path, task: dict[str, Any], workers: int
) -> None:
    mark = f"{tmp_path}/play.yml"
    with asleep(tmp_path, workers, **task) as playing:
        assert len(mentioning(mark)) >= 2
        playing.kill()
        playing.wait()
        until("nothing of it is left", 30, lambda: not mentioning(mark) and not mentioning(ASLEEP))


@pytest.mark.parametrize(
    ("task", "workers"), [({}, 2), ({"run_once": True}, 1)], ids=["on every node", "once"]
)
def test_a_worker_that_is_killed_ends_the_run_and_is_not_waited_for(
    tmp_path: Path, task: dict[str, Any], workers: int
) -> None:
    with asleep(tmp_path, workers, **task) as playing:
        worker = next(pid for pid in mentioning(f"{tmp_path}/play.yml") if pid != playing.pid)
        os.kill(worker, signal.SIGKILL)
        said, _ = playing.communicate(timeout=30)
        assert playing.returncode != 0 and "dead state" in said


def test_a_worker_that_is_killed_while_others_are_still_to_be_sent_is_not_forgotten(tmp_path: Path) -> None:
    """The first host's worker dies while the controller still works out what the second one is given."""
    env = {**os.environ, **settings(tmp_path, "batches"), "ANSIBLE_FORKS": str(len(HOSTS))}
    argv = ["echo", "{{ lookup('pipe', 'kill -9 $PPID') if inventory_hostname == 'n0' else 'x' }}"]
    slow = {"run_once": "{{ lookup('pipe', 'sleep 1') | length > 0 }}"}
    task = {"ansible.builtin.command": {"argv": argv}, **slow}
    play = {"hosts": "all", "connection": "local", "gather_facts": False, "tasks": [task]}
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", tmp_path / "hosts", tmp_path / "play.yml"],
        env=env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode not in (0, 2) and "dead state" in done.stdout + done.stderr
