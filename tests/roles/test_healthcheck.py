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


HOOKS = ("prolog", "epilog")


def hook(node: Node, name: str, program: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """What slurmd gets of the script around a program; ``text``: of the script, where it is changed."""
    script = node.folder / f"opt/railbed/checks/{name}"
    place = f"{node.folder}{INSTALLED}"
    changed = (
        (text or script.read_text()).replace(INSTALLED, place).replace("/usr/bin/python3", sys.executable)
    )
    script.write_text(changed.replace("PATH=/usr/local", f"PATH={node.folder}/bin:/usr/local"))
    (node.folder / "bin/logger").write_text(f'#!/bin/sh\necho "$*" >> {node.folder}/logged\n')
    (node.folder / "bin/logger").chmod(0o755)
    (node.folder / f"opt/railbed/checks/railbed/validate/node/{name}.py").write_text(program)
    return subprocess.run(
        ["sh", script], env={"SLURM_JOB_ID": "17"}, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("name", HOOKS)
@pytest.mark.parametrize("status", [0, 1, 2, 3, 10, 137])
def test_only_a_start_that_is_refused_fails(node: Node, name: str, status: int) -> None:
    done = hook(node, name, f"import sys\nsys.exit({status})\n")
    assert done.returncode == (1 if (name, status) == ("prolog", 10) else 0), done.stderr
    assert (node.folder / "logged").exists() == (bool(status) and not done.returncode), (
        "what gave no result is in the log"
    )


@pytest.mark.parametrize("name", HOOKS)
def test_a_program_that_hangs_is_ended_and_the_job_goes_on(node: Node, name: str) -> None:
    short = (
        (node.folder / f"opt/railbed/checks/{name}")
        .read_text()
        .replace("=1 18", "=1 1")
        .replace("=1 10", "=1 1")
    )
    done = hook(node, name, "import time\ntime.sleep(50)\n", short)
    assert done.returncode == 0 and "exit 124" in (node.folder / "logged").read_text()


@pytest.mark.parametrize("name", HOOKS)
def test_what_the_role_installs_runs_with_nothing_else_and_slurmds_environment(node: Node, name: str) -> None:
    program = (node.folder / f"opt/railbed/checks/railbed/validate/node/{name}.py").read_text()
    done = hook(node, name, program)
    assert (done.returncode, (node.folder / "logged").exists()) == (0, False), done.stderr


def test_slurm_runs_them_and_queues_a_refused_job_again(lab: Recorded) -> None:
    settings = lab.text("ctl0", "/etc/slurm/slurm.conf").splitlines()
    for line in (
        "PrologFlags=Contain,DeferBatch", "Prolog=/opt/railbed/checks/prolog", "Epilog=/opt/railbed/checks/epilog",
        "SchedulerParameters=nohold_on_prolog_fail",
    ):  # fmt: skip
        assert line in settings
    for name in HOOKS:
        assert lab.files[NODE][f"{INSTALLED}/{name}"]["mode"] == "0755"
    assert "PrologEpilogTimeout" not in "".join(settings), "Slurm would drain a node for what is unknown"
