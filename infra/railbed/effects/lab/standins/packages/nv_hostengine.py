#!/usr/bin/python3
"""SIMULATED: stands in for the host engine of NVIDIA's DCGM. It tells dcgmi which GPUs NVML has, and can nothing else."""

from __future__ import annotations

import ctypes
import socketserver
import sys

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


def gpus() -> list[tuple[str, str, str]]:
    """Name, PCI address and UUID of every GPU that answers; none where the driver does not."""
    nvml = ctypes.CDLL("libnvidia-ml.so.1")
    count = ctypes.c_uint(0)
    if nvml.nvmlInit_v2() or nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)):
        return []
    found = []
    for index in range(count.value):
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


class Question(socketserver.StreamRequestHandler):
    """One dcgmi. Asked in a process of its own, which loads the library that is there now."""

    def handle(self) -> None:
        if self.rfile.readline().split() == [b"discovery", b"-l"]:
            self.wfile.write(f"0\n{discovery()}\n".encode())
        else:
            self.wfile.write(b"1\nSIMULATED: this stand-in of DCGM knows `discovery -l` only.\n")


class Engine(socketserver.ForkingTCPServer):
    allow_reuse_address = True


if __name__ == "__main__":
    if "--version" in sys.argv:
        sys.stdout.write(f"Version : {VERSION}\nBuild Type : SIMULATED\n")
    else:
        with Engine(ADDRESS, Question) as engine:
            engine.serve_forever()
