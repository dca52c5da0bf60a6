"""What the kernel's files tell of devices: PCIe errors, partition keys, GDRCopy's module. Linux' own documents name the files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from railbed.validate.node.probe import Answer

if TYPE_CHECKING:
    from tests.support.replay.node import Machine

AER = {"fatal": ("FATAL", "DLP"), "nonfatal": ("NONFATAL", "CmpltTO"), "correctable": ("COR", "RxErr")}
"""Severity → name of its total, and of one kind of error (Documentation/ABI/testing/sysfs-bus-pci-devices-aer)."""
MAJOR = 505
"""Of GDRCopy's device; built: the kernel gives out a free one."""


def pci_errors(machine: Machine) -> None:
    """The counters of GPUs and cards that own their bridges."""
    if machine.node.identity.kind != "serial":
        return
    found = machine.facts
    folders = {
        f"/sys/bus/pci/devices/{place}": found["gpus"][at]
        for at, place in enumerate(sorted(machine.tree.gpus))
    }
    folders |= {f"/sys/class/infiniband/{name}/device": card for name, card in found["cards"].items()}
    for folder, part in folders.items():
        for severity, (total, kind) in AER.items() if part["there"] else ():
            count = part["errors"].get(severity, 0)
            machine.tree.write(f"{folder}/aer_dev_{severity}", f"{kind} {count}\nTOTAL_ERR_{total} {count}\n")


def partition(machine: Machine) -> None:
    """The tables of partition keys (sysfs-class-infiniband), and what role nccl writes of the place."""
    machine.tree.write("/etc/nccl.conf", machine.facts["nccl_conf"])
    for name, card in machine.facts["cards"].items():
        if card["there"]:
            for place, key in enumerate(card["keys"]):
                machine.tree.write(f"/sys/class/infiniband/{name}/ports/1/pkeys/{place}", key + "\n")


def pkeys(machine: Machine) -> str:
    """The keys of all ports, as `grep -rsHv 0x0000` prints the kernel's files."""
    return "".join(
        f"/sys/class/infiniband/{name}/ports/1/pkeys/{place}:{key}\n"
        for name, card in machine.facts["cards"].items() if card["there"] for place, key in enumerate(card["keys"])
    )  # fmt: skip


def torch(machine: Machine) -> Answer:
    """What PyTorch says of itself; ``load`` is why it cannot be loaded."""
    if machine.facts["load"]:
        return Answer(1, "", f"Traceback (most recent call last):\n{machine.facts['load']}\n")
    there = sum(gpu["there"] and not gpu["lost"] for gpu in machine.facts["gpus"])
    seen = 0 if machine.facts["nvidia_smi"] else min(there, machine.facts["torch"]["gpus"])
    return Answer(0, json.dumps({**machine.facts["torch"], "gpus": seen}) + "\n", "")


def gdrcopy(machine: Machine) -> None:
    """Its module, where it is loaded, and the number of its device."""
    version = machine.facts["gdrcopy"]
    if version:
        machine.tree.write("/sys/module/gdrdrv/version", version + "\n")
    rows = "Character devices:\n  1 mem\n195 nvidia\n" + (f"{MAJOR} gdrdrv\n" if version else "")
    machine.tree.write("/proc/devices", rows)


def device(machine: Machine, path: str) -> Answer:
    """`stat -L -c "%t %a"` of GDRCopy's device."""
    if not machine.facts["gdrcopy"]:
        return Answer(1, "", f"stat: cannot statx '{path}': No such file or directory\n")
    return Answer(0, f"{MAJOR:x} {machine.facts['gdrcopy_mode']}\n", "")


def module() -> Answer:
    """`modinfo` of GDRCopy's module, which is asked only where it is not loaded: then it is not there either."""
    return Answer(1, "", "modinfo: ERROR: Module gdrdrv not found.\n")
