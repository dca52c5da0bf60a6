"""The script that the scheduler runs, as the role installs it: drains what stays broken, and nothing else."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from tests.roles.conftest import Recorded

SCONTROL = """#!/bin/sh
echo "$@" >> "$FAKE_CALLS"
[ "$1" != show ] || echo "NodeName=h100-0 Arch=x86_64 State=${FAKE_STATE:-IDLE} ThreadsPerCore=1 Reason=x"
"""


class Node:
    """A node whose health check prints FINDING and ends with STATUS."""

    def __init__(self, folder: Path, script: str) -> None:
        self.folder, self.calls, self.run_dir = folder, folder / "calls", folder / "run"
        programs = folder / "bin"
        programs.mkdir()
        (programs / "scontrol").write_text(SCONTROL)
        (programs / "scontrol").chmod(0o755)
        self.check = folder / "healthcheck.py"
        text = script.replace("/run/railbed", str(self.run_dir)).replace(
            "/usr/bin/python3 -I", "/usr/bin/python3"
        )
        text = text.replace("/opt/railbed/checks/railbed/validate/node/healthcheck.py", str(self.check))
        self.script = folder / "healthcheck"
        self.script.write_text(text)
        self.env = {
            **os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "FAKE_CALLS": str(self.calls),
            "SLURMD_NODENAME": "h100-0",
        }  # fmt: skip

    def finds(self, reason: str, status: int) -> None:
        self.check.write_text(f"import sys\nprint({reason!r})\nsys.exit({status})\n")

    def look(self, *arguments: str, state: str = "IDLE") -> subprocess.CompletedProcess[str]:
        env = {**self.env, "FAKE_STATE": state}
        return subprocess.run(
            ["sh", self.script, *arguments], env=env, capture_output=True, text=True, check=False, timeout=30
        )

    def broken_for(self, seconds: int) -> None:
        (self.run_dir / "health-strike").write_text(f"{int(time.time()) - seconds}\n")

    def updates(self) -> list[str]:
        lines = self.calls.read_text().splitlines() if self.calls.exists() else []
        return [line for line in lines if line.startswith("update")]


@pytest.fixture
def node(tmp_path: Path, lab: Recorded) -> Node:
    return Node(tmp_path, lab.text("h100-0", "/opt/railbed/checks/healthcheck"))


def test_a_healthy_node_is_left_alone(node: Node) -> None:
    node.finds("", 0)
    assert node.look().returncode == 0 and node.updates() == []


def test_a_node_that_stays_broken_is_drained_with_the_reason(node: Node) -> None:
    node.finds("gpus: 7 of 8 GPUs listed; missing: gpu 3", 1)
    assert node.look().returncode == 0 and node.updates() == [], "one bad look is not enough"
    node.broken_for(seconds=60)
    node.look()
    reason = "Reason=[railbed:healthcheck] gpus: 7 of 8 GPUs listed; missing: gpu 3"
    assert node.updates() == [f"update NodeName=h100-0 State=DRAIN {reason}"]


def test_a_node_that_recovered_in_between_starts_anew(node: Node) -> None:
    node.finds("nics: rail3 is down", 1)
    node.look()
    node.broken_for(seconds=60)
    node.finds("", 0)
    node.look()
    node.finds("nics: rail3 is down", 1)
    node.look()
    assert node.updates() == []


@pytest.mark.parametrize("state", ["IDLE+DRAIN", "DRAINED", "MIXED+DRAIN"])
def test_a_drain_of_someone_else_keeps_its_reason(node: Node, state: str) -> None:
    node.finds("nics: rail3 is down", 1)
    node.look()
    node.broken_for(seconds=60)
    node.look(state=state)
    assert node.updates() == []


@pytest.mark.parametrize(("reason", "status"), [("Traceback", 2), ("", 1), ("killed", 137)])
def test_a_check_that_broke_says_nothing_about_the_node(node: Node, reason: str, status: int) -> None:
    node.finds(reason, status)
    node.look()
    node.broken_for(seconds=60)
    assert node.look().returncode == 0 and node.updates() == []


def test_a_report_drains_nothing_and_tells_by_its_status(node: Node) -> None:
    node.finds("nics: rail3 is down", 1)
    node.run_dir.mkdir()
    node.broken_for(seconds=60)
    told = node.look("--report")
    assert told.returncode == 1 and "rail3 is down" in told.stdout and not node.calls.exists()
    node.finds("", 0)
    assert node.look("--report").returncode == 0
