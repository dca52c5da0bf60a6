"""The mock NVML, compiled once for all tests against the header of PyPI's nvidia-nvml-dev."""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from railbed.effects.lab import hardware, nvml
from railbed.effects.workspace import cache_dir

VERSION = "570.124.06"
MODEL = "NVIDIA H100 80GB HBM3"
CACHED_SMI = "lab/nvidia-smi/root/usr/lib/nvidia/current/nvidia-smi"


@dataclass
class Mock:
    """The library and a host's state file."""

    library: Path
    folder: Path
    smi: str | None

    @property
    def state(self) -> Path:
        return self.folder / "gpu.ini"

    def set(self, **sections: dict[str, Any]) -> None:
        """Eight good GPUs, and what ``sections`` say otherwise."""
        found = hardware.sections(hardware.description(8, MODEL, 81559, "machine-0"))
        for name, entries in sections.items():
            found.setdefault(name, {}).update({key: str(value) for key, value in entries.items()})
        self.state.write_text(hardware.state(found))

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "NVML_STATE": str(self.state), "LD_LIBRARY_PATH": str(self.library.parent),
                "RAILBED_SIM_ROOT": str(self.folder)}  # fmt: skip

    def nvidia_smi(self, *words: str, timeout_s: float = 20) -> subprocess.CompletedProcess[str]:
        """Debian's real program over the mock; skips where this machine has none."""
        if self.smi is None:
            pytest.skip("no nvidia-smi: neither on PATH nor in the lab's cache")
        return subprocess.run([self.smi, *words], env=self.environment, capture_output=True, text=True,
                              timeout=timeout_s, check=False)  # fmt: skip


@pytest.fixture(scope="session")
def header() -> Path:
    files = importlib.metadata.files("nvidia-nvml-dev") or []
    return next(Path(str(file.locate())) for file in files if file.name == "nvml.h")


@pytest.fixture(scope="session")
def compiler(header: Path, tmp_path_factory: pytest.TempPathFactory) -> nvml.Compiler:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    return nvml.Compiler(header, tmp_path_factory.mktemp("nvml"))


@pytest.fixture(scope="session")
def library(compiler: nvml.Compiler, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("lib") / nvml.SONAME
    compiler.library(VERSION, 12080).rename(target)
    return target


@pytest.fixture
def mock(library: Path, tmp_path: Path) -> Mock:
    cached = cache_dir() / CACHED_SMI
    made = Mock(library, tmp_path, str(cached) if cached.exists() else shutil.which("nvidia-smi"))
    made.set()
    return made


@pytest.fixture
def bindings(mock: Mock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """NVIDIA's own Python bindings, with the mock as their library."""
    import pynvml

    monkeypatch.setenv("NVML_STATE", str(mock.state))
    monkeypatch.setenv("RAILBED_SIM_ROOT", str(mock.folder))
    monkeypatch.setattr(pynvml, "nvmlLib", ctypes.CDLL(str(mock.library)))
    yield pynvml
