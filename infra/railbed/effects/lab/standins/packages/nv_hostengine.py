#!/usr/bin/python3
"""SIMULATED: stands in for the host engine of NVIDIA's DCGM. It tells dcgmi which GPUs NVML has, and what its tests and watches
would say of them: it looks at what NVML says, and runs nothing on them. It can nothing else."""

from __future__ import annotations

import ctypes
import json
import socketserver
import sys
from typing import Any

VERSION = "@PROGRAM@"
ADDRESS = ("127.0.0.1", 5555)
TEXT = 96
"""Longest name or UUID of NVML, with its end."""
WIDTH = 68
RULE = "+--------+----------------------------------------------------------------------+"


class Pci(ctypes.Structure):
    """nvmlPciInfo_t of nvml.h."""

    _fields_ = [
        ("legacy", ctypes.c_char * 16), ("domain", ctypes.c_uint), ("bus", ctypes.c_uint), ("device", ctypes.c_uint),
        ("ids", ctypes.c_uint), ("subsystem", ctypes.c_uint), ("bus_id", ctypes.c_char * 32),
    ]  # fmt: skip


def library() -> tuple[ctypes.CDLL, int]:
    """NVML, and how many GPUs it has; none where the driver does not answer."""
    nvml = ctypes.CDLL("libnvidia-ml.so.1")
    count = ctypes.c_uint(0)
    if nvml.nvmlInit_v2() or nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)):
        return nvml, 0
    return nvml, count.value


def gpus() -> list[tuple[str, str, str]]:
    """Name, PCI address and UUID of every GPU that answers."""
    nvml, count = library()
    found = []
    for index in range(count):
        device, pci = ctypes.c_void_p(), Pci()
        name, uuid = ctypes.create_string_buffer(TEXT), ctypes.create_string_buffer(TEXT)
        failed = (
            nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(device))
            or nvml.nvmlDeviceGetName(device, name, TEXT)
            or nvml.nvmlDeviceGetUUID(device, uuid, TEXT)
            or nvml.nvmlDeviceGetPciInfo_v3(device, ctypes.byref(pci))
        )
        if not failed:
            found.append((name.value.decode(), pci.bus_id.decode(), uuid.value.decode()))
    return found


def discovery() -> str:
    """What `dcgmi discovery -l` prints."""
    found = gpus()
    lines = [f"{len(found)} GPU{'' if len(found) == 1 else 's'} found.", RULE]
    lines += [f"| GPU ID | {'Device Information':<{WIDTH}} |", RULE]
    for index, (name, bus, uuid) in enumerate(found):
        lines += [f"| {index:<6} | {f'Name: {name}':<{WIDTH}} |"]
        lines += [f"|        | {text:<{WIDTH}} |" for text in (f"PCI Bus ID: {bus}", f"Device UUID: {uuid}")]
        lines.append(RULE)
    return "\n".join(
        [*lines, "0 NvSwitches found.", "+-----------+", "| Switch ID |", "+-----------+", "+-----------+"]
    )


UNCORRECTED, VOLATILE = 1, 0
HOT = 0x68
"""Bits of nvml.h: hardware slowdown, software and hardware thermal slowdown."""
TESTS = {
    "software": (1, "Deployment"), "pcie": (2, "Integration"), "memory": (2, "Hardware"), "diagnostic": (3, "Hardware"),
    "nvbandwidth": (3, "Integration"), "targeted_stress": (3, "Stress"), "targeted_power": (3, "Stress"),
}  # fmt: skip
"""Test → level that it begins with, and category; of DCGM 4 (DCGM Diagnostics, "Run Levels and Tests")."""
SYSTEMS = {
    "pcie": "PCIe system",
    "memory": "Memory system",
    "targeted_power": "Thermal system",
    "software": "Driver",
}
"""Test → the watch that sees the same, by its name in dcgmi."""


def ask(nvml: ctypes.CDLL, device: ctypes.c_void_p, name: str, *words: int) -> int:
    """A number of NVML's; 0 where it does not say."""
    value = ctypes.c_ulonglong(0)
    return 0 if getattr(nvml, name)(device, *words, ctypes.byref(value)) else value.value


def troubles(nvml: ctypes.CDLL, index: int) -> dict[str, str]:
    """Test → what it would find wrong with a GPU."""
    device = ctypes.c_void_p()
    name = ctypes.create_string_buffer(TEXT)
    if nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(device)) or nvml.nvmlDeviceGetName(
        device, name, TEXT
    ):
        return dict.fromkeys(TESTS, f"GPU {index} does not answer")
    found = {}
    rows = [ctypes.c_uint(0) for _ in range(4)]
    nvml.nvmlDeviceGetRemappedRows(device, *map(ctypes.byref, rows))
    if rows[3].value:
        found["software"] = f"GPU {index} had a row that could not be remapped"
    elif rows[2].value:
        found["software"] = f"GPU {index} has uncorrectable errors and row remappings are pending"
    now = ask(nvml, device, "nvmlDeviceGetCurrPcieLinkWidth")
    most = ask(nvml, device, "nvmlDeviceGetMaxPcieLinkWidth")
    link, state = 0, ctypes.c_uint(0)
    while not nvml.nvmlDeviceGetNvLinkState(device, link, ctypes.byref(state)):
        if not state.value:
            found["pcie"] = f"GPU {index}'s NvLink link {link} is down"
        link += 1
    if now < most:
        found["pcie"] = f"GPU {index} has {now} of {most} PCIe lanes"
    if ask(nvml, device, "nvmlDeviceGetTotalEccErrors", UNCORRECTED, VOLATILE):
        found["memory"] = f"GPU {index} has uncorrectable ECC errors"
    if ask(nvml, device, "nvmlDeviceGetCurrentClocksEventReasons") & HOT:
        found["targeted_power"] = f"GPU {index} is slowed down by its temperature"
    return found


def diag(level: int) -> tuple[int, str]:
    """What `dcgmi diag -r LEVEL -j` ends with and prints."""
    nvml, count = library()
    seen = [troubles(nvml, index) for index in range(count)]
    categories: dict[str, list[dict[str, Any]]] = {}
    for test, (begins, category) in TESTS.items():
        if begins > level:
            continue
        results: list[dict[str, Any]] = []
        for index, failures in enumerate(seen):
            result: dict[str, Any] = {
                "entity_group": "GPU",
                "entity_group_id": 1,
                "entity_id": index,
                "status": "Pass",
            }
            if test in failures:
                words = f"SIMULATED: {failures[test]}"
                result.update(
                    status="Fail", warnings=[{"warning": words, "error_id": 0, "error_category": 0}]
                )
            results.append(result)
        status = "Fail" if any(test in failures for failures in seen) else "Pass" if seen else "Skip"
        body = {"name": test, "results": results, "test_summary": {"status": status}}
        categories.setdefault(category, []).append(body)
    report = {
        "DCGM Diagnostic": {
            "test_categories": [{"category": one, "tests": tests} for one, tests in categories.items()]
        },
        "metadata": {"version": VERSION},
    }
    bad = any(TESTS[test][0] <= level for failures in seen for test in failures)
    return NVVS_ERROR if bad else 0, json.dumps(report, indent=1)


NVVS_ERROR = 226
"""What dcgmi ends with where a test failed (DCGM_ST_NVVS_ERROR, -30, of dcgm_structs.h)."""


def health() -> str:
    """What `dcgmi health -c -j` prints."""
    nvml, count = library()
    bad: dict[str, Any] = {}
    for index in range(count):
        incidents = {SYSTEMS[test]: words for test, words in troubles(nvml, index).items() if test in SYSTEMS}
        if incidents:
            errors = {
                system: {"value": "Failure", "overflow": [f"SIMULATED: {words}"]}
                for system, words in incidents.items()
            }
            bad[str(index)] = {"value": "Failure", "children": {"Errors": {"children": errors}}}
    body: dict[str, Any] = {"Overall Health": {"value": "Failure" if bad else "Healthy"}}
    if bad:
        body["GPU"] = {"children": bad}
    return json.dumps({"body": body, "header": ["Health Monitor Report"]}, indent=1)


def answer(words: list[str]) -> tuple[int, str]:
    """Exit status of dcgmi, and what it prints."""
    if words == ["discovery", "-l"]:
        return 0, discovery()
    if words[:2] == ["diag", "-r"] and words[3:] == ["-j"] and words[2] in ("1", "2", "3"):
        return diag(int(words[2]))
    if words == ["health", "-g", "0", "-s", "a"]:
        return 0, "Health monitor systems set successfully."
    if words == ["health", "-g", "0", "-c", "-j"]:
        return 0, health()
    return 1, "SIMULATED: this stand-in of DCGM knows `discovery -l`, `diag -r N -j` and `health` only."


class Question(socketserver.StreamRequestHandler):
    """One dcgmi. Asked in a process of its own, which loads the library that is there now."""

    def handle(self) -> None:
        code, said = answer(self.rfile.readline().decode().split())
        self.wfile.write(f"{code}\n{said}\n".encode())


class Engine(socketserver.ForkingTCPServer):
    allow_reuse_address = True


if __name__ == "__main__":
    if "--version" in sys.argv:
        sys.stdout.write(f"Version : {VERSION}\nBuild Type : SIMULATED\n")
    else:
        with Engine(ADDRESS, Question) as engine:
            engine.serve_forever()
