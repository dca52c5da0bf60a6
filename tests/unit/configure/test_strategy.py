"""The strategy does what the linear one does: the same play through both, over hosts that are this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
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
      ansible.builtin.assert: {that: last.stdout == 'once ' ~ inventory_hostname, quiet: true}
- hosts: n0
  connection: local
  gather_facts: false
  tasks:
    - name: One process for one host
      ansible.builtin.command: {argv: [echo, "{{ hostvars.n3.last.stdout }}"]}
"""


def run(folder: Path, strategy: str) -> dict[str, Any]:
    """Outcome of each task on each host, and the totals."""
    (folder / "play.yml").write_text(PLAY)
    (folder / "hosts").write_text("\n".join(HOSTS) + "\n")
    env = {
        **os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_STRATEGY": strategy, "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default", "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_INVENTORY_ENABLED": "ini", "ANSIBLE_FORKS": "2",
    }  # fmt: skip
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
