"""What railbed keeps of what a node prints: ssh is a stand-in, the process is real."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.unit.configure import modules
from tests.unit.configure.conftest import small

from railbed.defaults import NODE_OUTPUT_BYTES
from railbed.effects.remote import Remote
from railbed.effects.workspace import Workspace

TALKATIVE = """
import sys
for _ in range(10): sys.stdout.write("x" * 1_000_000)
"""


def test_a_talkative_node_fills_nobodys_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modules.program(tmp_path, "ssh", TALKATIVE)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    said = Remote(Workspace(tmp_path, "lab"), small()).run("h100-0", "talk", check=False)
    assert said.ok and len(said.stdout) < 2 * NODE_OUTPUT_BYTES
