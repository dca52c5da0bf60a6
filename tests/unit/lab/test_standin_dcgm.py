"""The stand-in of DCGM over the mock NVML: what its client prints, as the check reads it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from railbed.effects.lab import debs

from .conftest import MODEL, Mock

PROGRAM = "4.4.1"


@dataclass
class Dcgm:
    """Both programs on a port of their own."""

    mock: Mock
    folder: Path
    port: int
    engine: subprocess.Popen[bytes]

    def dcgmi(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, self.folder / "dcgmi.py", *words], capture_output=True, text=True,
                              timeout=20, check=False)  # fmt: skip


@pytest.fixture
def dcgm(mock: Mock, tmp_path: Path) -> Iterator[Dcgm]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for name in ("nv_hostengine.py", "dcgmi.py"):
        text = (debs.SCRIPTS / name).read_text().replace("@PROGRAM@", PROGRAM).replace("5555", str(port))
        (tmp_path / name).write_text(text)
    engine = subprocess.Popen([sys.executable, tmp_path / "nv_hostengine.py", "-n"], env=mock.environment)
    made = Dcgm(mock, tmp_path, port, engine)
    deadline = time.monotonic() + 10
    while made.dcgmi("discovery", "-l").returncode and time.monotonic() < deadline:
        time.sleep(0.05)
    yield made
    engine.kill()
    engine.wait()


def test_it_sees_the_gpus_that_nvml_has_now(dcgm: Dcgm) -> None:
    said = dcgm.dcgmi("discovery", "-l")
    assert said.returncode == 0 and said.stdout.startswith("8 GPUs found.\n+--------+")
    assert said.stdout.count(f"Name: {MODEL} ") == said.stdout.count("Device UUID: GPU-") == 8
    assert "| 0      | Name: " in said.stdout and "PCI Bus ID: 00000000:" in said.stdout
    assert (
        len({len(line) for line in said.stdout.splitlines() if line.startswith("| ") and "GPU" in line}) == 1
    )
    dcgm.mock.set(gpu5={"err": 15})
    assert dcgm.dcgmi("discovery", "-l").stdout.startswith("7 GPUs found.\n")
    dcgm.mock.set(system={"init_err": 18})
    assert dcgm.dcgmi("discovery", "-l").stdout.startswith("0 GPUs found.\n")


def test_client_without_an_engine_and_what_it_cannot(dcgm: Dcgm) -> None:
    assert dcgm.dcgmi("--version").stdout.strip() == f"dcgmi  version: {PROGRAM}"
    other = dcgm.dcgmi("diag", "-r", "1")
    assert other.returncode == 1 and "SIMULATED" in other.stdout
    dcgm.engine.kill()
    dcgm.engine.wait()
    gone = dcgm.dcgmi("discovery", "-l")
    assert gone.returncode == 1 and "Host engine connection invalid/disconnected" in gone.stdout
