"""Role metrics' program over Debian's real nvidia-smi and the mock NVML: the form in which NVLink is told is NVIDIA's own."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from .conftest import Mock

PROGRAM = Path(__file__).resolve().parents[3] / "roles/metrics/files/hardware.py"


def test_nvlink_as_nvidia_smi_tells_it(mock: Mock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mock.set(gpu2={"nvlink7": "0"})
    if mock.smi is None:
        pytest.skip("no nvidia-smi: neither on PATH nor in the lab's cache")
    for name in ("NVML_STATE", "LD_LIBRARY_PATH", "RAILBED_SIM_ROOT"):
        monkeypatch.setenv(name, mock.environment[name])
    monkeypatch.setenv("PATH", str(Path(mock.smi).parent), prepend=":")
    spec = importlib.util.spec_from_file_location("hardware", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    said = program.text(program.collect(tmp_path)).splitlines()
    rates = [line for line in said if line.startswith("railbed_nvlink_link_gbytes_per_s{")]
    assert len(rates) == 8 * 18 and 'railbed_nvlink_link_gbytes_per_s{gpu="0",link="0"} 26.562' in rates
    assert 'railbed_nvlink_errors_total{gpu="7",link="17",kind="crc"} 0' in said
    assert 'railbed_hardware_present{kind="nvlink_traffic"} 0' in said, "N/A is absent, and not zero"
    assert not [line for line in said if line.startswith("railbed_nvlink_bytes_total")]
