"""The mock NVML through NVIDIA's own Python bindings: each value as it is when all is well, and as a state file says."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from railbed.effects.lab import hardware

from .conftest import MODEL, VERSION, Mock

Ask = Callable[[Any, Any], Any]
BAD = 2
"""The GPU that a state file changes; GPU 1 stays well."""


def field(number: str, scope: int = 0) -> Ask:
    def ask(nv: Any, gpu: Any) -> Any:
        value = nv.nvmlDeviceGetFieldValues(gpu, [(getattr(nv, number), scope)])[0]
        return value.value.uiVal if value.nvmlReturn == 0 else "N/A"

    return ask


def ecc(kind: str, counter: str, place: str) -> Ask:
    return lambda nv, gpu: nv.nvmlDeviceGetMemoryErrorCounter(
        gpu, getattr(nv, f"NVML_MEMORY_ERROR_TYPE_{kind}"), getattr(nv, f"NVML_{counter}_ECC"),
        getattr(nv, f"NVML_MEMORY_LOCATION_{place}"),
    )  # fmt: skip


def fabric(name: str) -> Ask:
    def ask(nv: Any, gpu: Any) -> Any:
        info = nv.c_nvmlGpuFabricInfo_v3_t()
        info.version = nv.nvmlGpuFabricInfo_v3
        nv.nvmlDeviceGetGpuFabricInfoV(gpu, ctypes.byref(info))
        return getattr(info, name)

    return ask


FIELDS: list[tuple[str, dict[str, Any], Ask, Any, Any]] = [
    ("name", {"name": "NVIDIA H200"}, lambda nv, g: nv.nvmlDeviceGetName(g), MODEL, "NVIDIA H200"),
    ("memory", {"mem_total_mib": 40000}, lambda nv, g: nv.nvmlDeviceGetMemoryInfo(g).total >> 20, 81559, 40000),
    ("used", {"mem_used_mib": 30}, lambda nv, g: nv.nvmlDeviceGetMemoryInfo(g, version=nv.nvmlMemory_v2).used >> 20,
     0, 30),
    ("serial", {"serial": "1"}, lambda nv, g: nv.nvmlDeviceGetSerial(g) == "1", False, True),
    ("minor", {"minor": 7}, lambda nv, g: nv.nvmlDeviceGetMinorNumber(g) == 7, False, True),
    ("part", {"part": "x"}, lambda nv, g: nv.nvmlDeviceGetBoardPartNumber(g), "railbed-simulated", "x"),
    ("temperature", {"temp": 93}, lambda nv, g: nv.nvmlDeviceGetTemperature(g, nv.NVML_TEMPERATURE_GPU), 32, 93),
    ("memory temperature", {"temp_mem": 99}, field("NVML_FI_DEV_MEMORY_TEMP"), 40, 99),
    ("power", {"power_mw": 710000}, lambda nv, g: nv.nvmlDeviceGetPowerUsage(g), 69000, 710000),
    ("power limit", {"power_limit_mw": 350000}, lambda nv, g: nv.nvmlDeviceGetEnforcedPowerLimit(g), 700000, 350000),
    ("SM clock", {"clock_sm": 210}, lambda nv, g: nv.nvmlDeviceGetClockInfo(g, nv.NVML_CLOCK_SM), 345, 210),
    ("most SM clock", {"clock_max_sm": 1410}, lambda nv, g: nv.nvmlDeviceGetMaxClockInfo(g, nv.NVML_CLOCK_SM),
     1980, 1410),
    ("clock event reasons", {"throttle": "0x48"}, lambda nv, g: nv.nvmlDeviceGetCurrentClocksEventReasons(g), 1, 0x48),
    ("throttle reasons", {"throttle": "0x80"}, lambda nv, g: nv.nvmlDeviceGetCurrentClocksThrottleReasons(g), 1, 0x80),
    ("persistence", {"persistence": 0}, lambda nv, g: nv.nvmlDeviceGetPersistenceMode(g), 1, 0),
    ("ECC mode", {"ecc": 0}, lambda nv, g: nv.nvmlDeviceGetEccMode(g), [1, 1], [0, 0]),
    ("ECC pending", {"ecc_pending": 0}, lambda nv, g: nv.nvmlDeviceGetEccMode(g), [1, 1], [1, 0]),
    ("MIG", {"mig": 1}, lambda nv, g: nv.nvmlDeviceGetMigMode(g), [0, 0], [1, 1]),
    ("DRAM corrected", {"ecc_corr_vol_dram": 5}, ecc("CORRECTED", "VOLATILE", "DRAM"), 0, 5),
    ("DRAM uncorrected", {"ecc_unc_vol_dram": 1}, ecc("UNCORRECTED", "VOLATILE", "DRAM"), 0, 1),
    ("DRAM corrected, life", {"ecc_corr_agg_dram": 50}, ecc("CORRECTED", "AGGREGATE", "DRAM"), 0, 50),
    ("DRAM uncorrected, life", {"ecc_unc_agg_dram": 2}, ecc("UNCORRECTED", "AGGREGATE", "DRAM"), 0, 2),
    ("SRAM corrected", {"ecc_corr_vol_sram": 4}, ecc("CORRECTED", "VOLATILE", "SRAM"), 0, 4),
    ("SRAM uncorrected", {"ecc_unc_vol_sram": 3}, ecc("UNCORRECTED", "VOLATILE", "SRAM"), 0, 3),
    ("ECC total", {"ecc_unc_vol_dram": 1, "ecc_unc_vol_sram": 2}, lambda nv, g: nv.nvmlDeviceGetTotalEccErrors(
        g, nv.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, nv.NVML_VOLATILE_ECC), 0, 3),
    ("rows", {"remap_corr": 1, "remap_unc": 2, "remap_pending": 1, "remap_failed": 1},
     lambda nv, g: list(nv.nvmlDeviceGetRemappedRows(g)), [0, 0, 0, 0], [1, 2, 1, 1]),
    ("rows pending", {"remap_pending": 1}, field("NVML_FI_DEV_REMAPPED_PENDING"), 0, 1),
    ("rows failed", {"remap_failed": 1}, field("NVML_FI_DEV_REMAPPED_FAILURE"), 0, 1),
    ("recovery action", {"recovery_action": 2}, field("NVML_FI_DEV_GET_GPU_RECOVERY_ACTION"), 0, 2),
    ("PCIe generation", {"pcie_gen": 3}, lambda nv, g: nv.nvmlDeviceGetCurrPcieLinkGeneration(g), 5, 3),
    ("PCIe width", {"pcie_width": 8}, lambda nv, g: nv.nvmlDeviceGetCurrPcieLinkWidth(g), 16, 8),
    ("PCIe replays", {"pcie_replay": 9}, lambda nv, g: nv.nvmlDeviceGetPcieReplayCounter(g), 0, 9),
    ("link", {"nvlink7": "down"}, lambda nv, g: nv.nvmlDeviceGetNvLinkState(g, 7), 1, 0),
    ("links", {"nvlinks": 17}, field("NVML_FI_DEV_NVLINK_LINK_COUNT"), 18, 17),
    ("speed of a link that is down", {"nvlink7": "down"}, field("NVML_FI_DEV_NVLINK_GET_SPEED", 7), 26562, 0),
    ("speed of a link", {"nvlink7_mbps": 13281}, field("NVML_FI_DEV_NVLINK_GET_SPEED", 7), 26562, 13281),
    ("link errors", {"nvlink3_replay": 6}, lambda nv, g: nv.nvmlDeviceGetNvLinkErrorCounter(
        g, 3, nv.NVML_NVLINK_ERROR_DL_REPLAY), 0, 6),
    ("link errors by field", {"nvlink3_crc_flit": 42}, field("NVML_FI_DEV_NVLINK_ERROR_DL_CRC", 3), 0, 42),
    ("fabric", {"fabric": "in_progress"}, fabric("state"), 3, 2),
    ("fabric status", {"fabric_status": 999}, fabric("status"), 0, 999),
    ("fabric health", {"fabric_health": "0xa9"}, fabric("healthMask"), 0xAA, 0xA9),
    ("fabric summary", {"fabric_summary": 2}, fabric("healthSummary"), 1, 2),
    ("any other field", {"field_150": 3}, lambda nv, g: nv.nvmlDeviceGetFieldValues(g, [150])[0].value.uiVal, 0, 3),
]  # fmt: skip


@pytest.mark.parametrize(
    ("entries", "ask", "good", "bad"), [row[1:] for row in FIELDS], ids=[row[0] for row in FIELDS]
)
def test_a_value_is_well_until_the_state_file_says_otherwise(
    mock: Mock, bindings: Any, entries: dict[str, Any], ask: Ask, good: Any, bad: Any
) -> None:
    mock.set(**{f"gpu{BAD}": entries})
    bindings.nvmlInit()
    assert ask(bindings, bindings.nvmlDeviceGetHandleByIndex(1)) == good
    assert ask(bindings, bindings.nvmlDeviceGetHandleByIndex(BAD)) == bad
    mock.set()  # a daemon that holds the handle sees the fault go
    assert ask(bindings, bindings.nvmlDeviceGetHandleByIndex(BAD)) == good


def test_the_driver_is_the_one_that_the_library_was_built_for(mock: Mock, bindings: Any) -> None:
    bindings.nvmlInit()
    assert bindings.nvmlSystemGetDriverVersion() == VERSION
    assert bindings.nvmlSystemGetCudaDriverVersion() == 12080
    mock.set(system={"cuda": 13000})
    assert bindings.nvmlSystemGetCudaDriverVersion() == 13000


def test_count_identity_and_handles(mock: Mock, bindings: Any) -> None:
    bindings.nvmlInit()
    assert bindings.nvmlDeviceGetCount() == 8
    for gpu in hardware.gpus(8, "machine-0"):
        handle = bindings.nvmlDeviceGetHandleByIndex(gpu.index)
        assert bindings.nvmlDeviceGetUUID(handle) == gpu.uuid
        assert bindings.nvmlDeviceGetSerial(handle) == gpu.serial
        assert bindings.nvmlDeviceGetPciInfo(handle).busId == gpu.bus_id
        for found in (bindings.nvmlDeviceGetHandleByUUID(gpu.uuid), bindings.nvmlDeviceGetHandleBySerial(gpu.serial),
                      bindings.nvmlDeviceGetHandleByPciBusId(gpu.bus_id),
                      bindings.nvmlDeviceGetHandleByPciBusId(gpu.bus_id.removeprefix("0000"))):  # fmt: skip
            assert bindings.nvmlDeviceGetIndex(found) == gpu.index
    for lookup in (bindings.nvmlDeviceGetHandleByUUID, bindings.nvmlDeviceGetHandleBySerial):
        with pytest.raises(bindings.NVMLError_NotFound):
            lookup("GPU-unknown")
    with pytest.raises(bindings.NVMLError_NotFound):
        bindings.nvmlDeviceGetHandleByPciBusId("00000000:FF:00.0")
    mock.set(system={"gpus": 7})
    assert bindings.nvmlDeviceGetCount() == 7
    with pytest.raises(bindings.NVMLError_InvalidArgument):
        bindings.nvmlDeviceGetHandleByIndex(7)


def test_no_process_is_ever_shown(bindings: Any) -> None:
    bindings.nvmlInit()
    assert bindings.nvmlDeviceGetComputeRunningProcesses(bindings.nvmlDeviceGetHandleByIndex(0)) == []


def test_a_lost_gpu_answers_nothing_and_leaves_the_others_alone(mock: Mock, bindings: Any) -> None:
    bindings.nvmlInit()
    held = bindings.nvmlDeviceGetHandleByIndex(5)
    mock.set(gpu5={"err": 15})
    for call in (lambda: bindings.nvmlDeviceGetHandleByIndex(5), lambda: bindings.nvmlDeviceGetName(held),
                 lambda: bindings.nvmlDeviceGetTemperature(held, 0)):  # fmt: skip
        with pytest.raises(bindings.NVMLError_GpuIsLost):
            call()
    assert bindings.nvmlDeviceGetName(bindings.nvmlDeviceGetHandleByIndex(4)) == MODEL


def test_one_call_may_fail_alone(mock: Mock, bindings: Any) -> None:
    mock.set(gpu0={"err.nvmlDeviceGetPowerUsage": 999})
    bindings.nvmlInit()
    handle = bindings.nvmlDeviceGetHandleByIndex(0)
    with pytest.raises(bindings.NVMLError_Unknown):
        bindings.nvmlDeviceGetPowerUsage(handle)
    assert bindings.nvmlDeviceGetTemperature(handle, 0) == 32


@pytest.mark.parametrize(("error", "name"), [(9, "DriverNotLoaded"), (18, "LibRmVersionMismatch")])
def test_start_fails_as_told(mock: Mock, bindings: Any, error: int, name: str) -> None:
    mock.set(system={"init_err": error})
    with pytest.raises(getattr(bindings, f"NVMLError_{name}")):
        bindings.nvmlInit()


def test_a_hang_lasts_until_it_is_cleared(mock: Mock, bindings: Any) -> None:
    bindings.nvmlInit()
    handle = bindings.nvmlDeviceGetHandleByIndex(0)
    mock.set(gpu0={"hang": 1})
    asked = threading.Thread(target=lambda: bindings.nvmlDeviceGetName(handle))
    asked.start()
    time.sleep(0.3)
    assert asked.is_alive()
    assert bindings.nvmlDeviceGetName(bindings.nvmlDeviceGetHandleByIndex(1)) == MODEL
    mock.set()
    asked.join(5)
    assert not asked.is_alive()


def write(mock: Mock, path: str, text: str) -> None:
    target = mock.folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text + "\n")


MODULES = [
    ({}, None),
    ({"usr/lib/railbed-sim/kernel": "6.8.0-1", "usr/lib/railbed-sim/driver-kernels": "6.8.0-1 6.8.0-2"}, None),
    ({"usr/lib/railbed-sim/kernel": "6.8.0-3", "usr/lib/railbed-sim/driver-kernels": "6.8.0-1"}, "DriverNotLoaded"),
    ({"usr/lib/railbed-sim/kernel": "6.8.0-3", "usr/lib/railbed-sim/driver-kernels": ""}, None),
    ({"usr/lib/railbed-sim/kernel": "6.8.0-3", "run/railbed-sim/kernel": "6.8.0-1",
      "usr/lib/railbed-sim/driver-kernels": "6.8.0-1"}, None),
    ({"run/railbed-sim/driver": VERSION}, None),
    ({"run/railbed-sim/driver": "565.57.01"}, "LibRmVersionMismatch"),
]  # fmt: skip


@pytest.mark.parametrize(("marks", "error"), MODULES)
def test_the_module_answers_to_its_kernel_and_version(
    mock: Mock, bindings: Any, marks: dict[str, str], error: str | None
) -> None:
    for path, text in marks.items():
        write(mock, path, text)
    if error is None:
        bindings.nvmlInit()
        return
    with pytest.raises(getattr(bindings, f"NVMLError_{error}")):
        bindings.nvmlInit()


def test_a_fabric_manager_brings_the_gpus_into_the_fabric(mock: Mock, bindings: Any) -> None:
    bindings.nvmlInit()
    handle = bindings.nvmlDeviceGetHandleByIndex(0)
    assert fabric("state")(bindings, handle) == 3
    write(mock, "usr/lib/railbed-sim/fabric-manager", VERSION)
    assert fabric("state")(bindings, handle) == 2
    write(mock, "run/railbed-sim/fabric", VERSION)
    assert fabric("state")(bindings, handle) == 3
