"""What railbed keeps of what a node prints: ssh is a stand-in, the process is real."""

from __future__ import annotations

import os
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
