"""The mock of NVIDIA's management library: compiled from `standins/nvml/` against NVIDIA's own header."""

from __future__ import annotations

import re
from pathlib import Path

from railbed.effects.lab import content
from railbed.effects.lab.training import pip_install
from railbed.run import run

SONAME = "libnvidia-ml.so.1"
SOURCES = content.STANDINS / "nvml"
VERSIONED = "system.c"
"""The one part that knows which driver version the library belongs to."""


def fetch_header(tools: Path, work: Path) -> Path:
    """NVIDIA's nvml.h from PyPI, checked by hash."""
    pip_install(tools / "nvml-requirements.txt", work / "nvml-dev")
    return next((work / "nvml-dev").rglob("nvml.h"))


class Compiler:
    """Compiles what all versions share once."""

    def __init__(self, header: Path, work: Path) -> None:
        """``work`` is an empty folder for what the compiler makes."""
        self.work = work
        text = header.read_text()
        (work / "nvml.h").write_text(text)
        names = sorted(set(re.findall(r"DECLDIR +(nvml\w+)", text)))
        (work / "names.inc").write_text("".join(f"NOT_ANSWERED({name})\n" for name in names))
        shared = [source for source in sorted(SOURCES.glob("*.c")) if source.name != VERSIONED]
        self.objects = [self._compile(source, source.stem) for source in shared]

    def _compile(self, source: Path, name: str, *flags: str) -> Path:
        target = self.work / f"{name}.o"
        run(["cc", "-O1", "-fPIC", "-Wall", "-Wextra", "-Wno-format-truncation", f"-I{self.work}", *flags,
             "-c", source, "-o", target])  # fmt: skip
        return target

    def library(self, version: str, cuda: int = 0) -> Path:
        """The library of one driver version; ``cuda`` is its CUDA level as NVML counts, 0: it does not say."""
        flags = (f'-DDRIVER="{version}"', f"-DCUDA={cuda}")
        own = self._compile(SOURCES / VERSIONED, f"system-{version}", *flags)
        target = self.work / f"libnvidia-ml-{version}.so"
        run(["cc", "-shared", f"-Wl,-soname,{SONAME}", "-o", target, *self.objects, own])
        return target
