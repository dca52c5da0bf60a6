"""The script that the scheduler runs, as the role installs it: the program gets its time, and no result is reported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.roles.conftest import Recorded

FAKE = Path(__file__).resolve().parents[1] / "validation/fake_scontrol.py"
INSTALLED = "/opt/railbed/checks"
NODE = "h100-0"


class Node:
    """A node on which everything that the role installed lies below ``folder``."""

    def __init__(self, folder: Path, lab: Recorded) -> None:
        self.folder, self.slurm_file = folder, folder / "slurm.json"
        self.slurm_file.write_text(json.dumps({"nodes": {NODE: {"state": "IDLE", "pool": "h100"}}}))
        for path, want in lab.files[NODE].items():
            if path.startswith(INSTALLED):
                target = folder / path.lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(want["content"])
        self.script = folder / "opt/railbed/checks/healthcheck"
        self.check = folder / "opt/railbed/checks/railbed/validate/node/healthcheck.py"
        text = self.script.read_text()
        for path in (INSTALLED, "/run/railbed"):
            text = text.replace(path, f"{folder}{path}")
        self.script.write_text(text.replace("/usr/bin/python3", sys.executable))
        (folder / "bin").mkdir()
        scontrol = folder / "bin/scontrol"
        scontrol.write_text(f"#!{sys.executable}\n{FAKE.read_text()}")
        scontrol.chmod(0o755)
        self.expectations = folder / "expectations.json"
        self.expectations.write_text(lab.text(NODE, "/etc/railbed/expectations.json"))

    def finds(self, text: str, status: int) -> None:
        self.check.write_text(f"import sys\nprint({text!r})\nsys.exit({status})\n")

    def run_check(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        env = {
            **os.environ, "PATH": f"{self.folder}/bin:{os.environ['PATH']}", "SLURMD_NODENAME": NODE,
            "FAKE_SLURM": str(self.slurm_file), "RAILBED_EXPECTATIONS": str(self.expectations),
            "RAILBED_ROOT": str(self.folder),
        }  # fmt: skip
        return subprocess.run(
            ["sh", self.script, *arguments], env=env, capture_output=True, text=True, check=False, timeout=60
        )

    @property
    def comment(self) -> str:
        return str(json.loads(self.slurm_file.read_text())["nodes"][NODE].get("comment", ""))

    def says(self, comment: str) -> None:
        known = json.loads(self.slurm_file.read_text())
        known["nodes"][NODE]["comment"] = comment
        self.slurm_file.write_text(json.dumps(known))


@pytest.fixture
def node(tmp_path: Path, lab: Recorded) -> Node:
    return Node(tmp_path, lab)


def test_the_program_runs_with_what_the_role_installs_and_nothing_else(node: Node) -> None:
    """On this machine, which has none of the node's hardware."""
    told = node.run_check("--report")
    assert told.returncode in (1, 3), told.stderr
    assert "filesystem-absent (/scratch): /scratch is not mounted" in told.stdout
    done = node.run_check()
    assert (done.returncode, done.stderr) == (0, "")
    assert "filesystem-absent(/scratch)" in node.comment
    assert (node.folder / "run/railbed/health.json").exists()


@pytest.mark.parametrize("status", [0, 1, 3])
def test_a_report_ends_with_the_programs_status_and_tells_the_scheduler_nothing(
    node: Node, status: int
) -> None:
    node.finds("broken: nic-down (rail 3): rail3 is down", status)
    told = node.run_check("--report")
    assert (told.returncode, node.comment) == (status, "") and "rail3 is down" in told.stdout


@pytest.mark.parametrize("status", [1, 2, 124, 126, 137])
def test_a_program_that_gave_no_result_is_reported_once(node: Node, status: int) -> None:
    node.finds("", status)
    for _ in range(2):
        assert node.run_check().returncode == 0
    assert node.comment == f"[railbed:health] unknown(health check) it gave no result: exit {status}"
    assert len(json.loads(node.slurm_file.read_text())["orders"]) == 1


def test_a_python_that_cannot_be_run_is_reported(node: Node) -> None:
    node.script.write_text(node.script.read_text().replace(sys.executable, "/etc/passwd"))
    assert node.run_check().returncode == 0
    assert node.comment.endswith("exit 126")


def test_what_a_person_wrote_stays(node: Node) -> None:
    node.says("ask ada")
    node.finds("", 2)
    assert node.run_check().returncode == 0 and node.comment == "ask ada"


def test_a_program_that_works_again_takes_the_report_back(node: Node, lab: Recorded) -> None:
    program = node.check.read_text()
    node.finds("", 2)
    node.run_check()
    node.check.write_text(program)
    node.run_check()
    assert "gave no result" not in node.comment


def test_a_scheduler_that_does_not_answer_is_not_waited_for(node: Node) -> None:
    known = json.loads(node.slurm_file.read_text())
    node.slurm_file.write_text(json.dumps({**known, "silent": True}))
    node.finds("", 2)
    assert node.run_check().returncode == 0 and node.comment == ""
