"""The training stack: PyTorch with its CUDA and NCCL libraries, one shared read-only copy in the cache.

Its wheels are fetched as those of every cluster are, and it is installed from them alone.
"""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable
from pathlib import Path

from railbed.defaults import BUILD_TIMEOUT_S
from railbed.effects import built_once, local_wheels
from railbed.effects.workspace import cache_dir
from railbed.errors import HostError
from railbed.run import run
from railbed.software.artefacts import Artefact

TORCH = "2.15.0"
"""What every release gives the lab's hosts."""
HOST_PYTHON, HOST_SYSTEM = "3.11", "debian 12"
"""What the lab's hosts run."""
CPUS = {"x86_64": "amd64", "aarch64": "arm64"}
"""CPU as the kernel writes it → as Debian does."""
RELEASE = "lab"
"""Named in the folder's manifest: the lab's stack is of no one release."""


def requirements(tools: Path) -> Path:
    """The locked list, every file with its hash."""
    return tools / f"training-requirements-{TORCH}.txt"


def training_path(tools: Path) -> Path:
    """Folder of the locked stack; there once it is installed."""
    return cache_dir() / "training" / built_once.key([requirements(tools).read_bytes()])


def wheels() -> Artefact:
    """What is fetched for it."""
    return Artefact(
        component="torch", version=TORCH, kind="wheels", python=HOST_PYTHON, system=HOST_SYSTEM,
        architecture=CPUS[platform.machine()],
    )  # fmt: skip


def ensure_training_stack(tools: Path, say: Callable[[str], None]) -> Path:
    """Installs the stack with ``--require-hashes`` unless it is in the cache (about 5 GB). Raises as `local_wheels.ensure`."""
    path = training_path(tools)

    def make(building: Path) -> None:
        lists = {TORCH: requirements(tools).read_text()}
        fetched = local_wheels.ensure(RELEASE, [wheels()], lists, cache_dir(), say)
        folder = local_wheels.wheels_dir(cache_dir()) / fetched / TORCH
        say("installing the training stack (PyTorch with its CUDA and NCCL libraries, about 5 GB)")
        pip_install(requirements(tools), building, log=path.parent / "install.log", wheels=folder)
        # The copy is mounted read-only, so a host could never write its bytecode: torch's import takes 3 s more without.
        run(["python3", "-m", "compileall", "-q", "-j", "0", building / "torch", building / "numpy"],
            timeout_s=BUILD_TIMEOUT_S, check=False)  # fmt: skip

    return built_once.ensure(path, "the training stack's installation", make)


def pip_install(locked: Path, target: Path, log: Path | None = None, wheels: Path | None = None) -> None:
    """Installs a list of packages, each with its hash, into ``target``: of PyPI, or of the folder ``wheels`` alone.

    Raises HostError without uv.
    """
    uv = shutil.which("uv")
    if uv is None:
        raise HostError("uv is not on PATH", hint="run `make setup`, which installs it beside the checkout")
    options = ["--quiet", "--require-hashes", "--only-binary", ":all:", "--python-version", HOST_PYTHON]
    if wheels is not None:
        # What is unpacked is kept once, and the wheels are here.
        options += ["--no-index", f"--find-links={wheels}", "--no-cache"]
    run(
        [uv, "pip", "install", *options, "--target", target, "-r", locked], timeout_s=BUILD_TIMEOUT_S, log=log
    )
