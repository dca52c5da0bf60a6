"""PyTorch as jobs load it: its version, the NCCL in it, and whether it sees the GPUs that the driver lists."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Optional

import pytest

from railbed.validate.node.probe import NOT_FOUND, NOT_RUN, TIMED_OUT, Answer, Finding, Probe

PROGRAM = """
import json, torch, torch.distributed
cuda = torch.version.cuda
print(json.dumps({
    "torch": torch.__version__, "cuda": cuda,
    "nccl": list(torch.cuda.nccl.version()) if cuda else None,
    "gpus": torch.cuda.device_count() if cuda and torch.cuda.is_available() else 0,
}))
"""
"""A build without CUDA has no torch.cuda.nccl.version() (torch/cuda/nccl.py asks torch._C._nccl_version)."""
LOAD_S = 60
"""A first import reads gigabytes from the node's disk: 4 GB take 40 s at the 100 MB/s of a plain network volume."""
PART = "training stack"
KILLED = (-9, 137)
"""By the kernel for want of memory, or by a person."""
UNANSWERED = (TIMED_OUT, NOT_RUN, NOT_FOUND, *KILLED)


def _loaded(answer: Answer) -> Optional[dict[str, Any]]:
    try:
        reply = json.loads(answer.out.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return None
    if not isinstance(reply, dict) or not isinstance(reply.get("torch"), str):
        return None
    numbers = reply.get("nccl")
    fine = numbers is None or (isinstance(numbers, list) and all(isinstance(one, int) for one in numbers))
    return reply if fine and isinstance(reply.get("gpus"), int) else None


def _listed(probe: Probe) -> int:
    """GPUs that the driver lists; 0 where it does not answer."""
    answer = probe.run(["nvidia-smi", "-L"])
    return sum(line.startswith("GPU ") for line in answer.out.splitlines()) if answer.code == 0 else 0


def training_stack(probe: Probe, want: dict[str, Any]) -> Finding:
    """torch has the release's version and loads, with the NCCL of its own list; on GPUs it sees one at least."""
    asked: dict[str, str] = want["training"]
    expected = f"torch {asked['torch']}" + (f", NCCL {asked['nccl']}" if asked["nccl"] else "")
    argv = ["env", f"PYTHONPATH={asked['path']}", "PYTHONDONTWRITEBYTECODE=1", "python3", "-c", PROGRAM]
    answer = probe.run(argv, LOAD_S)
    if answer.code in UNANSWERED:
        return Finding("unproven", f"torch was not loaded: {answer.first_line}", expected=expected)
    if answer.code != 0:
        last = (
            [line.strip() for line in answer.err.splitlines() if line.strip()] or [f"status {answer.code}"]
        )[-1]
        return Finding("fail", f"torch cannot be loaded: {last}", None, "", expected, (PART,))
    reply = _loaded(answer)
    if reply is None:
        return Finding("unproven", "what torch says of itself cannot be read", expected=expected)
    nccl = ".".join(str(number) for number in reply["nccl"] or [])
    found = f"torch {reply['torch'].partition('+')[0]}" + (f", NCCL {nccl}" if nccl else "")
    if reply["torch"].partition("+")[0] != asked["torch"] or (
        asked["nccl"] and nccl and nccl != asked["nccl"]
    ):
        return Finding("fail", f"{found} is loaded, not {expected}", found, "", expected, (PART,))
    if asked["device"] != "cuda":
        return Finding("pass", f"{found} is loaded; GPUs are not asked of it here", found, "", expected)
    if not nccl:
        return Finding("fail", f"{found} is a build without CUDA", found, "", expected, (PART,))
    if reply["gpus"] == 0:
        listed = _listed(probe)
        if listed == 0:
            return Finding("unproven", "blocked by node.driver: it lists no GPU", expected=expected)
        why = f"torch sees no GPU, and the driver lists {listed}"
        return Finding("fail", why, found, "", expected, (PART,))
    return Finding("pass", f"{found} is loaded and sees {reply['gpus']} GPUs", found, "", expected)


@pytest.mark.claim("node.training_stack")
def test_training_stack(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(training_stack(probe, want))
