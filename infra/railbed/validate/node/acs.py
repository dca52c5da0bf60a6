"""PCI Access Control Services (ACS) of the bridges above GPUs and network cards: read, and with ``--off`` turned off.

With ACS on, a bridge sends what a card writes to a GPU beside it up to the root complex and back, so that GPUDirect RDMA is slow
or hangs (NCCL user guide, troubleshooting: PCI Access Control Services). Only on bare metal: in a virtual machine the bridges
are the host's. Python 3.9, standard library only; role `acs` starts it by itself at every boot.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import struct
import sys
from typing import Optional

DEVICES = "sys/bus/pci/devices"
ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
GPU_CLASSES, NIC_CLASSES = ("0x0300", "0x0302"), ("0x0200", "0x0207")
"""Displays and 3D controllers; Ethernet and InfiniBand (PCI Code and ID Assignment)."""
NVIDIA, MELLANOX = "0x10de", "0x15b3"
EXTENDED, EXTENDED_END = 0x100, 0x1000
"""Where extended capabilities begin, and the end of the configuration space (PCI Express Base Specification 5.0, 7.6)."""
ACS_ID, ACS_CONTROL = 0x000D, 6
"""Identifier of the capability, and its control register (7.7.8): a bit for each kind of redirection; 0: all off."""


def bridges(root: str) -> list[str]:
    """Addresses of the bridges above every GPU and every card that may be a rail's."""
    folder = os.path.join(root, DEVICES)
    found: set[str] = set()
    for address in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        kind, vendor = (_line(os.path.join(folder, address, name)) for name in ("class", "vendor"))
        gpu = kind.startswith(GPU_CLASSES) and vendor == NVIDIA
        if gpu or (kind.startswith(NIC_CLASSES) and vendor == MELLANOX):
            path = os.path.realpath(os.path.join(folder, address)).split("/")
            found.update(step for step in path[:-1] if ADDRESS.fullmatch(step))
    return sorted(found)


def control_at(config: bytes) -> Optional[int]:
    """Offset of the ACS control register; None without the capability, or where the list of capabilities does not end."""
    at, seen = EXTENDED, set()
    while EXTENDED <= at <= len(config) - 8 and at not in seen:
        seen.add(at)
        (header,) = struct.unpack_from("<I", config, at)
        if header & 0xFFFF == ACS_ID:
            return at + ACS_CONTROL
        at = header >> 20 & 0xFFC
    return None


def controls(root: str) -> dict[str, Optional[int]]:
    """Bridge → its ACS control register; without the capability absent, None where its registers cannot be read.

    The kernel shows all of them to root only: others are given the first 64 bytes.
    """
    found: dict[str, Optional[int]] = {}
    for address in bridges(root):
        try:
            with open(os.path.join(root, DEVICES, address, "config"), "rb") as file:
                config = file.read(EXTENDED_END)
        except OSError:
            config = b""
        at = control_at(config)
        if len(config) <= EXTENDED:
            found[address] = None
        elif at is not None:
            found[address] = struct.unpack_from("<H", config, at)[0]
    return found


def turn_off(root: str) -> dict[str, str]:
    """Turns it off where it is on; bridge → why it could not be. A kernel in lockdown (secure boot) writes no registers."""
    refused = {}
    for address, value in controls(root).items():
        if value is None:
            refused[address] = "its registers cannot be read"
        elif value:
            try:
                with open(os.path.join(root, DEVICES, address, "config"), "r+b", buffering=0) as file:
                    at = control_at(file.read(EXTENDED_END))
                    file.seek(at or 0)
                    if at is not None:
                        file.write(b"\0\0")
            except OSError as wrong:
                refused[address] = wrong.strerror or str(wrong)
    return refused


def _line(path: str) -> str:
    try:
        with open(path) as file:
            return file.read(64).strip()
    except OSError:
        return ""


def main() -> int:
    """Prints bridge → register as JSON.

    What stays on is named on stderr and judged by `node.acs`: with secure boot
    the machine must still serve.
    """
    parser = argparse.ArgumentParser(description="PCI ACS of the bridges above GPUs and network cards.")
    parser.add_argument("--root", default="/", help="where the machine's files begin")
    parser.add_argument("--off", action="store_true", help="turn it off")
    given = parser.parse_args()
    refused = turn_off(given.root) if given.off else {}
    for address, why in refused.items():
        print(f"{address}: {why}", file=sys.stderr)
    print(json.dumps(controls(given.root)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
