"""The program that runs on nodes: for real on processors where PyTorch is, and its parts."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from railbed.effects import node_json
from railbed.effects.lab import training
from railbed.validate import gpus
from railbed.validate.node import gpu_probe

TOOLS = Path(__file__).resolve().parents[3] / "tools"
PYTHON = Path("/usr/bin/python3")
ASKED = "bf16,fp8,fp64,hbm,copies,digest"


def started(*arguments: str, stack: str = "") -> subprocess.CompletedProcess[str]:
    """The program as a step starts it: from its standard input."""
    return subprocess.run(
        [PYTHON, "-", "--device", "cpu", *arguments], input=gpus.PROBE.read_text(), capture_output=True, text=True,
        timeout=120, check=False, env={"PYTHONPATH": stack, "PATH": "/usr/bin:/bin", "SLURMD_NODENAME": "h100-3"},
    )  # fmt: skip


def test_the_real_program_computes_on_processors() -> None:
    stack = training.training_path(TOOLS)
    version = subprocess.run([PYTHON, "--version"], capture_output=True, text=True, check=True).stdout
    if not stack.is_dir():
        pytest.skip(f"{stack} is not there: `make up` installs PyTorch")
    if training.HOST_PYTHON not in version:
        pytest.skip(f"{PYTHON} is {version.strip()}, PyTorch was installed for {training.HOST_PYTHON}")
    done = started("--gpus", "2", "--measure", ASKED, stack=str(stack))
    assert done.returncode == 0, done.stderr
    (part,) = node_json.lines(done.stdout, gpus.PART)
    assert (part.node, part.error, [gpu.index for gpu in part.gpus]) == ("h100-3", "", [0, 1])
    assert part.torch.startswith(training.TORCH)
    for gpu in part.gpus:
        assert gpu.errors == {} and min(gpu.rates.values()) > 0
        assert set(gpu.rates) == {"bf16", "fp8", "fp64", "hbm", "h2d", "d2h"}
        assert len(gpu.digests) == gpu_probe.REPEATS
    assert len({digest for gpu in part.gpus for digest in gpu.digests}) == 1


def test_without_pytorch_it_says_so() -> None:
    done = started("--gpus", "8", "--measure", ASKED, stack="/nowhere")
    (part,) = node_json.lines(done.stdout, gpus.PART)
    assert "PyTorch cannot be loaded" in part.error and part.gpus == []


def test_a_measurement_that_stops_says_nothing_of_the_others() -> None:
    class Broken(gpu_probe.Gpu):
        def __init__(self) -> None:
            self.index = 3

        def model(self) -> str:
            return "broken"

        def gemm(self, kind: str) -> float:
            if kind == "fp8":
                raise AttributeError("module 'torch.nn.functional' has no attribute 'scaled_mm'")
            return 1.0

        def memory(self) -> float:
            raise RuntimeError("CUDA error:\nuncorrectable ECC error encountered")

        def digest(self) -> str:
            return "r"

    answer = gpu_probe.Answer(Broken())
    answer.loaded(["bf16", "fp8", "fp64", "hbm", "digest"], lambda: None)
    said = answer.plain()
    assert said["rates"] == {"bf16": 1.0, "fp64": 1.0} and said["digests"] == ["r"] * gpu_probe.REPEATS
    assert said["errors"] == {
        "fp8": "module 'torch.nn.functional' has no attribute 'scaled_mm'",
        "hbm": "CUDA error: uncorrectable ECC error encountered",
    }
    assert node_json.read(json.dumps(said), gpus.GPU, "h100-0").index == 3


def test_the_trace_has_extremes_and_leaves_out_what_is_no_row() -> None:
    found = gpu_probe.trace(
        "0, 1980, 120.50, 34, 0x0000000000000001\n0, 1395, 699.11, 61, 0x0000000000000004\n"
        "1, [N/A], 70, 30, 0x0\nFailed to initialize NVML\n0, 1500\n"
    )
    assert found == {
        0: {"lowest_mhz": 1395.0, "highest_mhz": 1980.0, "power_w": 699.11, "celsius": 61.0, "reasons": 5}
    }


def test_a_rate_is_of_the_median_round(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([0.0, 1.0, 10.0, 12.0, 20.0, 21.0, 30.0, 34.0])
    monkeypatch.setattr(gpu_probe.time, "perf_counter", lambda: next(ticks))
    assert gpu_probe.rate(lambda: None, lambda: None, 8.0, 1.0) == 4.0
