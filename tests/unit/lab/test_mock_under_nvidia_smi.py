"""Debian's real nvidia-smi over the mock, read by railbed's own parsers."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest

from railbed.effects.lab import hardware
from railbed.parse import nvidia_smi_xml, nvlink_errors

from .conftest import MODEL, VERSION, Mock

FIELDS: list[tuple[str, dict[str, Any], Any, Any]] = [
    ("name", {"name": "NVIDIA H200"}, MODEL, "NVIDIA H200"),
    ("persistence_mode", {"persistence": 0}, "Enabled", "Disabled"),
    ("mig", {"mig": 1}, "Disabled", "Enabled"),
    ("pcie_gen", {"pcie_gen": 3}, 5, 3),
    ("pcie_width", {"pcie_width": 8}, 16, 8),
    ("pcie_replays", {"pcie_replay": 4}, 0, 4),
    ("memory_total_mib", {"mem_total_mib": 40000}, 81559, 40000),
    ("temperature_c", {"temp": 93}, 32, 93),
    ("memory_temperature_c", {"temp_mem": 99}, 40, 99),
    ("power_w", {"power_mw": 710000}, 69, 710),
    ("power_limit_w", {"power_limit_mw": 350000}, 700, 350),
    ("sm_clock_mhz", {"clock_sm": 210}, 345, 210),
    ("ecc", {"ecc": 0}, "Enabled", "Disabled"),
    ("dram_correctable", {"ecc_corr_vol_dram": 5}, 0, 5),
    ("dram_uncorrectable", {"ecc_unc_vol_dram": 1}, 0, 1),
    ("sram_correctable", {"ecc_corr_vol_sram": 2}, 0, 2),
    ("remapped_correctable", {"remap_corr": 1}, 0, 1),
    ("remapped_uncorrectable", {"remap_unc": 2}, 0, 2),
    ("remap_pending", {"remap_pending": 1}, False, True),
    ("remap_failure", {"remap_failed": 1}, False, True),
    ("fabric_state", {"fabric": "in_progress"}, "Completed", "In Progress"),
]


def by_index(mock: Mock) -> list[dict[str, Any]]:
    read = nvidia_smi_xml.plain(mock.nvidia_smi("-q", "-x").stdout)
    gpus = read["gpus"]
    assert isinstance(gpus, list)
    return gpus


def test_error_counters_of_nvlinks(mock: Mock) -> None:
    mock.set(gpu3={"nvlink7_replay": 2, "nvlink7_recovery": 1, "nvlink0_crc_flit": 5})
    found = nvlink_errors.read(mock.nvidia_smi("nvlink", "--errorcounters").stdout)
    assert {(gpu, link) for gpu, link, _ in found} == {(g, at) for g in range(8) for at in range(18)}
    assert (found[3, 7, "replay"], found[3, 7, "recovery"]) == (2, 1)
    assert sum(found.values()) == 8


def test_every_health_field_both_ways(mock: Mock) -> None:
    """One run for the good values and one with each GPU's field changed: nvidia-smi takes longer than the mock."""
    good = by_index(mock)
    assert len(good) == 8
    for start in range(0, len(FIELDS), 8):
        part = FIELDS[start : start + 8]
        mock.set(**{f"gpu{index}": entries for index, (_, entries, _, _) in enumerate(part)})
        changed = by_index(mock)
        for index, (name, _, well, ill) in enumerate(part):
            assert good[index][name] == well, name
            assert changed[index][name] == ill, name


def test_throttle_reasons_by_name(mock: Mock) -> None:
    query = ("--query-gpu=clocks_throttle_reasons.hw_thermal_slowdown,clocks_throttle_reasons.hw_slowdown,"
             "clocks_throttle_reasons.sw_thermal_slowdown,clocks_throttle_reasons.hw_power_brake_slowdown",
             "--format=csv,noheader", "-i", "3")  # fmt: skip
    assert mock.nvidia_smi(*query).stdout.split(", ") == ["Not Active"] * 3 + ["Not Active\n"]
    mock.set(gpu3={"throttle": "0x68"})
    assert mock.nvidia_smi(*query).stdout.strip().split(", ") == ["Active", "Active", "Active", "Not Active"]


def test_listing_has_the_uuids_of_this_host(mock: Mock) -> None:
    listed = mock.nvidia_smi("-L").stdout.splitlines()
    assert listed == [f"GPU {gpu.index}: {MODEL} (UUID: {gpu.uuid})" for gpu in hardware.gpus(8, "machine-0")]


def test_the_default_table_and_the_driver(mock: Mock) -> None:
    done = mock.nvidia_smi()
    assert done.returncode == 0
    assert f"Driver Version: {VERSION}" in done.stdout
    assert "No running processes found" in done.stdout


def test_no_process_uses_a_gpu(mock: Mock) -> None:
    listed = re.findall(r"<processes>(.*?)</processes>", mock.nvidia_smi("-q", "-x").stdout, re.S)
    assert [text.strip() for text in listed] == [""] * 8, "as claim node.leftovers reads it"


def test_nvlink_state_and_errors(mock: Mock) -> None:
    assert "inactive" not in mock.nvidia_smi("nvlink", "-s").stdout
    mock.set(gpu2={"nvlink7": "down", "nvlink5_crc_flit": 42})
    state = mock.nvidia_smi("nvlink", "-s", "-i", "2").stdout
    assert "Link 7: <inactive>" in state
    assert "Link 6: 26.562 GB/s" in state
    assert "Link 5: CRC Errors: 42" in mock.nvidia_smi("nvlink", "-e", "-i", "2").stdout


def test_a_lost_gpu_in_nvidia_smis_own_words(mock: Mock) -> None:
    mock.set(gpu5={"err": 15})
    listed = mock.nvidia_smi("-L")
    assert "gpu 5: GPU is lost" in listed.stdout
    assert listed.stdout.count("UUID: ") == 7
    table = mock.nvidia_smi()
    assert table.returncode == 15
    assert "GPU is lost" in table.stdout


@pytest.mark.parametrize(
    ("error", "code", "words"), [(9, 9, "couldn't communicate"), (18, 18, "version mismatch")]
)
def test_a_driver_that_does_not_answer(mock: Mock, error: int, code: int, words: str) -> None:
    mock.set(system={"init_err": error})
    done = mock.nvidia_smi()
    assert done.returncode == code
    assert words in done.stdout + done.stderr


def test_a_hang_meets_the_callers_time_limit(mock: Mock) -> None:
    mock.set(gpu5={"hang": 1})
    with pytest.raises(subprocess.TimeoutExpired):
        mock.nvidia_smi("-L", timeout_s=0.5)
    mock.set()
    assert mock.nvidia_smi("-L").returncode == 0
