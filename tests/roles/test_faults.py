"""What goes wrong in the middle of a run: on the way to a node, on its disk, on the operator's machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.processes import mentioning, until
from tests.roles.plays import ROOT, Plays, plays

from railbed.configure import NodeState, broken, converge
from railbed.effects.lock import leased
from railbed.errors import Exit

__all__ = ["plays"]
WRITE = """
    - name: Write
      tree: {files: "{{ {made ~ '/' ~ inventory_hostname: 'hello'} }}"}
    - name: Write more
      tree: {files: "{{ {made ~ '/' ~ inventory_hostname ~ '.more': 'hello again'} }}"}
"""
DRIVER = """
import sys
from pathlib import Path
from railbed.effects import contract_store
from railbed.configure import converge
from railbed.effects.workspace import Workspace
work = Workspace(Path(sys.argv[1]), "small")
converge(contract_store.load(work), work)
"""


def test_a_node_that_cannot_be_trusted_or_reached_is_its_own_trouble_and_the_next_run_goes_on(
    plays: Plays,
) -> None:
    plays.playbook(WRITE)
    states = {"h100-0": "changed", "h100-1": "refused", "h100-2": "closed"}
    for name, state in states.items():
        plays.node_is(name, state)
    result = converge(plays.contract, plays.work)
    assert result.broken == list(states) and result.nodes["ctl0"].state == NodeState.CHANGED
    assert {result.nodes[name].state for name in states} == {NodeState.UNREACHABLE}
    assert {name: result.nodes[name].message.split(" (")[0].split(":")[0] for name in states} == {
        "h100-0": "host key changed", "h100-1": "no answer", "h100-2": "connection broke off",
    }  # fmt: skip
    assert {path.name for path in plays.made.iterdir()} == {"ctl0", "ctl0.more", "h100-2"}, (
        "nothing was sent to the first two; of the third only the answer was lost"
    )
    assert not result.quarantined
    error = broken(result)
    assert (
        error.exit_status is Exit.UNPROVEN and "h100-0 unreachable: Write: host key changed" in error.message
    )
    pinned = [line for line in plays.work.known_hosts.read_text().splitlines() if line.startswith("h100-0,")]
    assert pinned == ["h100-0,10.90.0.11 ssh-ed25519 AAAAC3Nza11 h100-0"], "nothing was trusted on first use"
    for name in states:
        (plays.ssh / name).unlink()
    again = converge(plays.contract, plays.work)
    assert (again.broken, again.changed) == ([], 5) and len(list(plays.made.iterdir())) == 8
    assert converge(plays.contract, plays.work).changed == 0


def test_a_controller_that_is_killed_leaves_no_run_behind_and_the_next_one_goes_on(plays: Plays) -> None:
    wait = plays.made.parent / "wait"
    wait.touch()
    slow = f"""
    - name: Wait
      ansible.builtin.command: {{argv: [sh, -c, "echo started > {wait}.started; while [ -e {wait} ]; do sleep 0.1; done"]}}
      changed_when: false
"""
    plays.playbook(WRITE.replace("    - name: Write more", slow.strip("\n") + "\n    - name: Write more"))
    root = str(plays.work.root)
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, root], env={**os.environ, "PYTHONPATH": str(ROOT / "infra")}, cwd=ROOT,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    until("the run did not start", 60, Path(f"{wait}.started").exists)
    with pytest.raises(Exception, match="in use by another railbed"), leased(plays.work, ["h100-1"]):
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    until("the killed controller's playbook goes on by itself", 20, lambda: not mentioning(root))
    wait.unlink()
    with leased(plays.work, [node.name for node in plays.contract.nodes]):
        pass
    result = converge(plays.contract, plays.work)
    assert result.broken == [] and len(list(plays.made.iterdir())) == 8
