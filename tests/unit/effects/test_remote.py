"""What railbed keeps of what a node prints: ssh is a stand-in, the process is real."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.unit.configure import modules
from tests.unit.configure.conftest import small

from railbed.defaults import COMMAND_TIMEOUT_S, NODE_OUTPUT_BYTES
from railbed.effects import remote
from railbed.effects.lab.machines import accelerator
from railbed.effects.remote import Remote
from railbed.effects.workspace import Workspace
from railbed.platforms.lab.platform import slowed
from railbed.run import Result

TALKATIVE = """
import sys
for _ in range(10): sys.stdout.write("x" * 1_000_000)
"""


def test_a_talkative_node_fills_nobodys_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modules.program(tmp_path, "ssh", TALKATIVE)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    said = Remote(Workspace(tmp_path, "lab"), small()).run("h100-0", "talk", check=False)
    assert said.ok and len(said.stdout) < 2 * NODE_OUTPUT_BYTES


@pytest.mark.parametrize(
    ("by", "times"), [(accelerator.TCG, accelerator.TCG.slowdown), (accelerator.KVM_HERE, 1)]
)
def test_a_node_whose_processor_is_emulated_gets_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: accelerator.Accelerator, times: float
) -> None:
    limits = {}

    def ran(argv: list[str], *, timeout_s: float, **_: object) -> Result:
        limits[argv[3]] = timeout_s
        return Result(argv, 0, "", "")

    monkeypatch.setattr(remote, "run", ran)
    over = Remote(Workspace(tmp_path, "lab"), slowed(small(), by))
    for name in ("h100-0", "ctl0"):
        over.run(name, "true")
    assert limits == {"h100-0": times * COMMAND_TIMEOUT_S, "ctl0": COMMAND_TIMEOUT_S}


def test_a_contract_of_real_processors_keeps_its_hash() -> None:
    made = small()
    assert slowed(made, accelerator.KVM_HERE).digest() == made.digest()
    assert slowed(made, accelerator.TCG).digest() != made.digest()


def test_a_login_that_is_not_root_becomes_it(tmp_path: Path) -> None:
    """As hosts of clouds have it: the reservation of nodes that are not accepted is for root alone."""
    contract = small()
    modules.program(
        tmp_path,
        "sudo",
        "import os, sys; assert sys.argv[1:3] == ['-n', '--']; os.environ['AS'] = 'root'; os.execvp(sys.argv[3], sys.argv[3:])",
    )
    nodes = [
        node.model_copy(
            update={
                "ssh": node.ssh.model_copy(update={"user": "railbed" if node.name == "h100-0" else "root"})
            }
        )
        for node in contract.nodes
    ]
    over = Remote(Workspace(tmp_path, "lab"), contract.model_copy(update={"nodes": nodes}))
    ask = ["sh", "-c", 'echo "$AS $1"', "_", "it's a word"]
    shown = {}
    for name in ("h100-0", "ctl0"):
        text = over.command(name, ask)
        done = subprocess.run(
            ["bash", "-c", text],
            env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=True,
        )
        shown[name] = done.stdout.strip()
    assert shown == {"h100-0": "root it's a word", "ctl0": "it's a word"}
