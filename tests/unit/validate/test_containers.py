"""A job's container: what is wrong with one, what srun says of its tasks, and the program itself."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from railbed.effects import node_json
from railbed.validate import containers
from railbed.validate.containers import INSIDE, STATUS, UID, Inside, exit_codes, problems

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
