"""The simulated GPUs of a lab host: what the mock NVML says of them when nothing is wrong.

The text is the mock's state file. Every GPU has a UUID and a serial number of its own, made from the host's machine id:
the same for as long as the host lives, and others once it is made anew.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

FOLDER = "/var/lib/railbed-sim"
HARDWARE = f"{FOLDER}/hardware.ini"
"""What was delivered; the driver package's scripts read it too."""
STATE = f"{FOLDER}/gpu.ini"
"""What the mock answers from: the hardware and the faults that are in it."""
NAMESPACE = uuid.UUID("8f6f6d4e-5b0c-5d0e-9a53-6c6162726169")
"""Any fixed one: it makes the UUIDs of two hosts differ, and nothing else."""
SERIAL_DIGITS = 13
"""As NVIDIA's boards have."""


@dataclass(frozen=True)
class Gpu:
    """One simulated GPU."""

    index: int
    uuid: str
    serial: str
    bus_id: str

    @property
    def section(self) -> dict[str, str]:
        """Its entries in the state file."""
        return {
            "uuid": self.uuid, "serial": self.serial, "pci": self.bus_id, "minor": str(self.index),
            "module_id": str(self.index + 1),
        }  # fmt: skip


def bus_id(index: int) -> str:
    """PCI address of a GPU, as NVML writes it."""
    return f"00000000:{0x10 + 0x10 * index:02X}:00.0"


def logged(address: str) -> str:
    """The address as the driver logs it: four digits of the domain, no function."""
    domain, bus, slot = address.split(":")
    return f"{domain[-4:]}:{bus}:{slot.split('.')[0]}".lower()


def gpus(count: int, machine_id: str) -> list[Gpu]:
    """The GPUs of the host with this machine id."""
    made = []
    for index in range(count):
        own = uuid.uuid5(NAMESPACE, f"{machine_id} gpu {index}")
        made.append(
            Gpu(index, f"GPU-{own}", f"{own.int % 10**SERIAL_DIGITS:0{SERIAL_DIGITS}d}", bus_id(index))
        )
    return made


def state(sections: dict[str, dict[str, str]]) -> str:
    """Text of a state file."""
    lines = ["# SIMULATED hardware of the railbed lab"]
    for name, entries in sections.items():
        lines += [f"[{name}]", *(f"{key} = {value}" for key, value in entries.items())]
    return "\n".join(lines) + "\n"


def sections(text: str) -> dict[str, dict[str, str]]:
    """What a state file says; the counterpart of ``state``."""
    found: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        if line.startswith("["):
            name = line.strip("[] \t")
            found.setdefault(name, {})
        elif "=" in line and not line.startswith(("#", ";")):
            key, _, value = line.partition("=")
            found[name][key.strip()] = value.strip()
    return found


def description(count: int, model: str, memory_mib: int, machine_id: str) -> str:
    """The state file of a host whose GPUs are well; ``memory_mib`` of each."""
    return state(
        {
            "system": {"gpus": str(count)},
            "default": {"name": model, "mem_total_mib": str(memory_mib)},
            **{f"gpu{gpu.index}": gpu.section for gpu in gpus(count, machine_id)},
        }
    )
