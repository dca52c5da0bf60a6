"""PyTorch and its NCCL. The good answer is that of torch 2.15.0+cu132 on a machine without GPUs (Debian 12), ``gpus`` changed;
the errors are Python's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from railbed import catalog
from railbed.software import training

GOOD = {"torch": "2.15.0+cu132", "cuda": "13.2", "nccl": [2, 30, 7], "gpus": 8}
WANT = {"path": "/opt/railbed/training", "torch": "2.15.0", "nccl": "2.30.7", "device": "cuda"}
MISSING = "Traceback (most recent call last):\nModuleNotFoundError: No module named 'torch'\n"
LISTS = Path(__file__).parents[2] / "tools"


@pytest.mark.refutes("node.training_stack")
@pytest.mark.parametrize(
    ("says", "device", "verdict", "why"),
    [
        ({}, "cuda", "pass", "sees 8 GPUs"),
        ({"gpus": 0}, "cpu", "pass", "not asked"),
        (
            {"nccl": None, "cuda": None, "gpus": 0, "torch": "2.15.0+cpu"},
            "cpu",
            "pass",
            "torch 2.15.0 is loaded",
        ),
        ({"nccl": [2, 28, 9]}, "cuda", "fail", "NCCL 2.28.9 is loaded, not torch 2.15.0, NCCL 2.30.7"),
        ({"nccl": [2, 28, 9]}, "cpu", "fail", "NCCL 2.28.9"),
        ({"torch": "2.10.0+cu128"}, "cuda", "fail", "torch 2.10.0"),
        ({"gpus": 0}, "cuda", "fail", "the driver lists 8"),
        ({"nccl": None, "cuda": None, "gpus": 0, "torch": "2.15.0+cpu"}, "cuda", "fail", "without CUDA"),
        ({"torch": 3}, "cuda", "unproven", "cannot be read"),
        ({"nccl": "x"}, "cuda", "unproven", "cannot be read"),
    ],
)
def test_what_torch_says_of_itself(
    world: Any, monkeypatch: pytest.MonkeyPatch, says: dict[str, Any], device: str, verdict: str, why: str
) -> None:
    world.want["training"] = {**WANT, "device": device}
    world.command("python3", json.dumps({**GOOD, **says}) + "\n")
    found = world.check("node.training_stack", monkeypatch)
    assert found.verdict == verdict and why in found.reason, found.reason
    assert (found.parts == ("training stack",)) == (verdict == "fail")


@pytest.mark.parametrize(
    ("out", "code", "verdict", "why"),
    [
        (MISSING, 1, "fail", "No module named 'torch'"),
        ("", 139, "fail", "status 139"),
        ("", 137, "unproven", "not loaded"),
        ("\x00 warning\n", 0, "unproven", "cannot be read"),
        ("[]\n", 0, "unproven", "cannot be read"),
        ("", 0, "unproven", "cannot be read"),
    ],
)
def test_a_torch_that_does_not_load(
    world: Any, monkeypatch: pytest.MonkeyPatch, out: str, code: int, verdict: str, why: str
) -> None:
    world.want["training"] = WANT
    world.script(
        "python3", f"import sys; sys.stderr.write({out!r}) if {code} else print({out!r}); sys.exit({code})"
    )
    found = world.check("node.training_stack", monkeypatch)
    assert found.verdict == verdict and why in found.reason, found.reason


def test_a_driver_without_gpus_is_not_the_stacks_fault(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world.want["training"] = WANT
    world.command("python3", json.dumps({**GOOD, "gpus": 0}))
    world.without("nvidia-smi")
    found = world.check("node.training_stack", monkeypatch)
    assert (found.verdict, found.parts) == ("unproven", ()) and "blocked by node.driver" in found.reason


def test_every_release_knows_the_nccl_of_its_torch_by_the_locked_list() -> None:
    torches = {
        one.version
        for key in catalog.keys("software")
        for one in catalog.load_release(key).alternatives("torch")
    }
    assert torches == set(training.NCCL)
    for torch, nccl in training.NCCL.items():
        text = (LISTS / f"training-requirements-{torch}.txt").read_text()
        assert any(line.startswith("nvidia-nccl-cu") and f"=={nccl} " in line for line in text.splitlines())
    assert training.nccl_of("1.0") == ""
