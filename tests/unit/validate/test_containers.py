"""A job's container: what is wrong with one, what srun says of its tasks, and the program itself."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from railbed.claims import Claim, Judged, Verdict
from railbed.effects import node_json
from railbed.run import TIMED_OUT, Result
from railbed.validate import containers
from railbed.validate.containers import INSIDE, STATUS, UID, Inside, exit_codes, problems
from railbed.validate.scope import Question

GOOD = {"node": "h100-0", "gpus": 8, "outside": UID, "torch": "2.9.0", "torch_gpus": 8}


def inside(**changes: Any) -> Inside:
    return Inside(**{**GOOD, **changes})


@pytest.mark.parametrize("changes", [{}, {"torch": "absent", "torch_gpus": 0}])
def test_a_whole_container_holds(changes: dict[str, Any]) -> None:
    assert problems(inside(**changes), STATUS, 8) == []


@pytest.mark.refutes("job.container")
@pytest.mark.parametrize(
    ("changes", "code", "told"),
    [
        ({"gpus": 7}, STATUS, "the container sees 7 of 8 GPUs"),
        ({"torch_gpus": 0}, STATUS, "the image's PyTorch 2.9.0 sees 0 of 8 GPUs"),
        (
            {"torch": "ImportError: no", "torch_gpus": -1},
            STATUS,
            "PyTorch cannot be imported: ImportError: no",
        ),
        ({"outside": 0}, STATUS, "the container's user is root outside"),
        ({"outside": -1}, STATUS, "the container's user is user -1 outside"),
        ({}, 0, "its program ended with 7, and the step says 0"),
        ({}, 1, "its program ended with 7, and the step says 1"),
    ],
)
def test_anything_else_does_not(changes: dict[str, Any], code: int, told: str) -> None:
    (said,) = problems(inside(**changes), code, 8)
    assert told in said


SAID = """srun: job 12 queued and waiting for resources
srun: error: h100-[0-1,3]: tasks 0-1,3: Exited with exit code 7
srun: error: h100-2: task 2: Exited with exit code 1
srun: error: nobody, knows: what
"""


def test_every_node_has_the_exit_status_of_its_task() -> None:
    assert exit_codes(SAID) == {"h100-0": 7, "h100-1": 7, "h100-3": 7, "h100-2": 1}
    assert exit_codes("") == exit_codes("srun: error: h[: task 1: Exited with exit code 1\n") == {}


TOOLS = {"nvidia-smi": "#!/bin/sh\nprintf 'GPU 0: A\\n  MIG 1g\\nGPU 1: B\\n'\n"}
TORCH = (
    '__version__ = "2.9.0+cu128"\nclass cuda:\n    @staticmethod\n    def device_count():\n        return 2\n'
)


def _said(folder: Path, torch: str | None) -> tuple[Inside, int]:
    """What the program says on this machine, with stand-ins for GPUs and PyTorch."""
    (folder / "bin").mkdir()
    for name, text in TOOLS.items():
        (folder / "bin" / name).write_text(text)
        (folder / "bin" / name).chmod(0o755)
    (folder / "python").mkdir()
    if torch is not None:
        (folder / "python/torch.py").write_text(torch)
    path = f"{folder}/bin:/usr/bin:/bin"
    done = subprocess.run(
        ["sh", "-s", str(STATUS)], input=containers.PROBE.read_text(), text=True, capture_output=True, check=False,
        env={"PATH": path, "PYTHONPATH": str(folder / "python"), "PYTHONDONTWRITEBYTECODE": "1", "SLURMD_NODENAME": "h100-0"},
    )  # fmt: skip
    return node_json.read(done.stdout, INSIDE, "h100-0"), done.returncode


@pytest.mark.parametrize(
    ("torch", "version", "gpus"),
    [
        (TORCH, "2.9.0+cu128", 2),
        (None, "absent", 0),
        ('raise ImportError("lib\\"cudart: gone")', "ImportError: libcudart: gone", -1),
    ],
)
def test_the_program_says_what_is_there_and_ends_with_its_status(
    tmp_path: Path, torch: str | None, version: str, gpus: int
) -> None:
    found, code = _said(tmp_path, torch)
    outside = int(Path("/proc/self/uid_map").read_text().split()[1]) + os.geteuid()
    assert json.loads(found.model_dump_json()) == {
        "node": "h100-0", "gpus": 2, "outside": outside, "torch": version, "torch_gpus": gpus,
    }  # fmt: skip
    assert code == STATUS


def _line(**changes: Any) -> str:
    return json.dumps({**GOOD, **changes}) + "\n"


def _ended(code: int, task: int = 0) -> str:
    return f"srun: error: h100-{task}: task {task}: Exited with exit code {code}\n"


DROPPED = "client_loop: send disconnect: Broken pipe\n"


class Cluster:
    """One node and its controller, of which a step gives ``said``."""

    def __init__(self, said: Result, reservation: str = "") -> None:
        self.said, self.reservation = said, reservation
        self.ran: list[list[str]] = []
        self.records: list[Judged] = []
        self.open: dict[str, str] = {}
        self.remote = SimpleNamespace(run=lambda *_, **__: said)
        self.answers = SimpleNamespace(
            add=self.records.append,
            why=lambda _, reason, nodes: self.open.update(dict.fromkeys(nodes, reason)),
        )
        self.controller = "control-0"

    def run(self, argv: list[str], **_: Any) -> None:
        self.ran.append(argv)

    def node(self, _: str) -> Any:
        return SimpleNamespace(gpus=8)

    def reservation_for(self, _: list[str]) -> str:
        return self.reservation

    def keep(self, name: str, _: str) -> str:
        return name

    def say(self, _: str) -> None:
        return


def _verdict(said: Result) -> tuple[Verdict, str]:
    cluster: Any = Cluster(said)
    question = Question(Claim(id=containers.CLAIM, statement="", roles=["compute"]), "h100-0")
    containers._start(cluster, cluster, "/images/a.sqsh", {"h100-0": question})
    if cluster.records:
        return cluster.records[0].verdict, cluster.records[0].reason
    return Verdict.UNPROVEN, cluster.open["h100-0"]


@pytest.mark.parametrize(
    ("said", "verdict", "told"),
    [
        (Result((), STATUS, _line(), _ended(STATUS)), Verdict.PASS, "exit status 7 came through"),
        (Result((), 0, _line(), ""), Verdict.FAIL, "the step says 0"),
        (Result((), 1, "", _ended(1) + "pyxis: failed\n"), Verdict.FAIL, "did not start: the task ended with 1"),
        (Result((), STATUS, _line()[:30], _ended(STATUS)), Verdict.UNPROVEN, "what it said cannot be read"),
        (Result((), 255, _line(), DROPPED), Verdict.UNPROVEN, "the exit status of h100-0 did not come"),
        (Result((), 255, _line(gpus=7), DROPPED), Verdict.FAIL, "the container sees 7 of 8 GPUs"),
        (Result((), 255, _line(), _ended(STATUS) + _ended(1, 3) + DROPPED), Verdict.PASS, "came through"),
        (Result((), 255, "", _ended(137)[:-3] + "\n" + DROPPED), Verdict.UNPROVEN, "no answer of h100-0"),
        (Result((), TIMED_OUT, _line(), "\nstopped after 1 s"), Verdict.UNPROVEN, "did not come"),
        (Result((), STATUS, _line(), "", cut=True), Verdict.UNPROVEN, "did not come"),
    ],
)  # fmt: skip
def test_what_was_not_heard_is_no_fault(said: Result, verdict: Verdict, told: str) -> None:
    found, reason = _verdict(said)
    assert found is verdict and told in reason


@pytest.mark.parametrize("reservation", ["", "railbed-new", "of-another-name"])
def test_the_user_is_let_into_the_reservation_that_holds_the_nodes(reservation: str) -> None:
    cluster: Any = Cluster(Result((), STATUS, "", ""), reservation)
    question = Question(Claim(id=containers.CLAIM, statement="", roles=["compute"]), "h100-0")
    containers._start(cluster, cluster, "/images/a.sqsh", {"h100-0": question})
    update = ["scontrol", "update", f"ReservationName={reservation}"]
    wanted = [[*update, "Users+=nobody"], [*update, "Users-=nobody"]] if reservation else []
    assert cluster.ran == wanted
