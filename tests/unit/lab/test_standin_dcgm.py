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

from railbed.claims import Verdict
from railbed.effects.lab import debs
from railbed.judge.dcgm import judge
from railbed.parse import dcgmi_diag, dcgmi_health
from railbed.platforms.lab.gpu_faults import GPU_FAULTS

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


def judged(dcgm: Dcgm, level: str) -> tuple[Verdict, list[str], int]:
    """What the check makes of a diagnosis and of the watches, and how dcgmi ended."""
    diag, health = dcgm.dcgmi("diag", "-r", level, "-j"), dcgm.dcgmi("health", "-g", "0", "-c", "-j")
    verdict, _, parts = judge(dcgmi_diag.plain(diag.stdout), dcgmi_health.plain(health.stdout), 8)
    return verdict, parts, diag.returncode


@pytest.mark.parametrize("level", ["1", "2", "3"])
def test_good_gpus_pass_every_level(dcgm: Dcgm, level: str) -> None:
    assert dcgm.dcgmi("health", "-g", "0", "-s", "a").returncode == 0
    assert judged(dcgm, level) == (Verdict.PASS, [], 0)


@pytest.mark.parametrize(
    "fault", ["gpu-lost", "gpu-ecc", "gpu-remap-failed", "gpu-throttle", "pcie-narrow", "nvlink-down"]
)
def test_what_nvml_says_of_a_gpu_fails_its_tests(dcgm: Dcgm, fault: str) -> None:
    """NVIDIA's dcgmi ends with 226 where a test failed (DCGM_ST_NVVS_ERROR)."""
    dcgm.mock.set(gpu3=dict(GPU_FAULTS[fault].entries))
    assert judged(dcgm, "3") == (Verdict.FAIL, ["gpu 3"], 226)
    assert "node.dcgm" in GPU_FAULTS[fault].claims


def test_client_without_an_engine_and_what_it_cannot(dcgm: Dcgm) -> None:
    assert dcgm.dcgmi("--version").stdout.strip() == f"dcgmi  version: {PROGRAM}"
    other = dcgm.dcgmi("dmon", "-c", "1")
    assert other.returncode == 1 and "SIMULATED" in other.stdout
    dcgm.engine.kill()
    dcgm.engine.wait()
    gone = dcgm.dcgmi("discovery", "-l")
    assert gone.returncode == 1 and "Host engine connection invalid/disconnected" in gone.stdout
