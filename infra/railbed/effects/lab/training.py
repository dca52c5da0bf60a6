"""The training stack: PyTorch with its CUDA and NCCL libraries, one shared read-only copy in the cache."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from railbed.defaults import BUILD_TIMEOUT_S
from railbed.effects.lock import acquire
from railbed.effects.workspace import cache_dir
from railbed.errors import HostError
from railbed.run import run

TORCH = "2.15.0"
"""What every release gives the lab's hosts."""
HOST_PYTHON = "3.11"
"""Of Debian 12, which the lab's hosts run."""


def requirements(tools: Path) -> Path:
    """The locked list, every file with its hash."""
    return tools / f"training-requirements-{TORCH}.txt"


def training_path(tools: Path) -> Path:
    """Folder of the locked stack; there once it is installed."""
    digest = hashlib.sha256(requirements(tools).read_bytes()).hexdigest()[:12]
    return cache_dir() / "training" / digest


def ensure_training_stack(tools: Path, say: Callable[[str], None]) -> Path:
    """Installs the stack with ``--require-hashes`` unless it is in the cache (about 5 GB)."""
    path = training_path(tools)
    if path.is_dir():
        return path
    with acquire(path.parent / "lock", "the training stack's installation", wait_s=BUILD_TIMEOUT_S):
        if path.is_dir():
            return path
        building = path.with_suffix(".building")
        if building.exists():
            shutil.rmtree(building)
        say("installing the training stack (PyTorch with its CUDA and NCCL libraries, about 5 GB)")
        pip_install(requirements(tools), building, log=path.parent / "install.log")
        # The copy is mounted read-only, so a host could never write its bytecode: torch's import takes 3 s more without.
        run(["python3", "-m", "compileall", "-q", "-j", "0", building / "torch", building / "numpy"],
            timeout_s=BUILD_TIMEOUT_S, check=False)  # fmt: skip
        building.rename(path)
    return path


def pip_install(locked: Path, target: Path, log: Path | None = None) -> None:
    """Installs a list of PyPI packages, each with its hash, into ``target``. Raises HostError without uv."""
    uv = shutil.which("uv")
    if uv is None:
        raise HostError("uv is not on PATH", hint="run `make setup`, which installs it beside the checkout")
    options = ["--quiet", "--require-hashes", "--only-binary", ":all:", "--python-version", HOST_PYTHON]
    run(
        [uv, "pip", "install", *options, "--target", target, "-r", locked], timeout_s=BUILD_TIMEOUT_S, log=log
    )
