"""The Redfish emulator of the metal tests with virtual machines behind it: python qemu_driver.py --config conf.py --fake

Power, boot device and virtual discs act on QEMU: UEFI boots the disc, the serial number is the firmware's. Keys of a system
beside those of ``redfish_driver``: machine (folder of its files), tap, drives (NVMe: name of the file → serial number), by_order
(it boots from its drives in order, else as UEFI's variables say), memory_mib. SUSHY_EMULATOR_FIRMWARE: files of UEFI's code and
variables. The machines are in the emulator's process group, and end with it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from sushy_tools.emulator import main
from sushy_tools.emulator.resources.systems import fakedriver
from tests.program.metal import redfish_driver

from railbed.effects.lab.machines import accelerator, control

app = main.app
running: dict[str, subprocess.Popen[bytes]] = {}
ON, OFF = {"On", "ForceOn"}, "ForceOff"


class QemuDriver(redfish_driver.GpuDriver):
    """Machines that run."""

    def _update_if_needed(self, system: dict[str, Any]) -> dict[str, Any]:
        process = running.get(system["uuid"])
        state = "On" if process is not None and process.poll() is None else "Off"
        if system["power_state"] != state:
            system["power_state"] = state
            self._systems[system["uuid"]] = system
        return system

    def set_power_state(self, identity: str, state: str) -> None:
        system = self._get(identity)
        on = system["power_state"] == "On"
        if state in ON and not on:
            self._start(system)
        elif state == OFF and on:
            self._end(system)
        elif state == "GracefulShutdown" and on:
            control.tell(Path(system["machine"]) / "qmp", "system_powerdown")
        elif "Restart" in state and on:  # begun anew, so that it finds the discs and the boot device of now
            self._end(system)
            self._start(system)

    def get_total_memory(self, identity: str) -> int:
        return int(self._get(identity)["memory_mib"]) // 1024

    def get_processors(self, identity: str) -> list[dict[str, Any]]:
        return [one for one in super().get_processors(identity) if one["vendor"] != "NVIDIA"][:1]

    def _end(self, system: dict[str, Any]) -> None:
        running[system["uuid"]].kill()
        running[system["uuid"]].wait()

    def _start(self, system: dict[str, Any]) -> None:
        folder, by = Path(system["machine"]), accelerator.here()
        code, variables = map(Path, app.config["SUSHY_EMULATOR_FIRMWARE"])
        if not (folder / "vars").exists():
            shutil.copyfile(variables, folder / "vars")
        disc = [(system.get("boot_image") or {}).get(drive, [None])[0] for drive in ("Cd", "Cd2")]
        first = system.get("boot_device") == "Cd" and disc[0]
        count = len(list(folder.glob("console-*")))
        words = [
            "qemu-system-x86_64", "-name", system["name"], "-nodefaults", "-no-user-config", "-display", "none",
            "-machine", "q35,hpet=off", "-accel", by.accel, "-cpu", f"{by.cpu},+rdrand" if by.name == "tcg" else by.cpu,
            "-m", str(system["memory_mib"]), "-serial", f"file:{folder}/console-{count}.log",
            "-qmp", f"unix:{folder}/qmp,server=on,wait=off",
            "-smbios", f"type=1,manufacturer=railbed,product=qualification,serial={system['serial']},uuid={system['uuid']}",
            "-drive", f"if=pflash,format=raw,readonly=on,file={code}", "-drive", f"if=pflash,format=raw,file={folder}/vars",
            "-object", "rng-random,id=entropy,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=entropy",
            "-netdev", f"tap,id=m,ifname={system['tap']},script=no,downscript=no",
            "-device", f"virtio-net-pci,netdev=m,mac={system['nics'][0]['mac']},romfile=",
        ]  # fmt: skip
        for at, (name, serial) in enumerate(system["drives"].items()):
            file = f"file={folder}/{name}.qcow2,format=qcow2,cache=unsafe,discard=unmap"
            words += ["-drive", f"if=none,id={name},{file}", "-device", f"nvme,drive={name},serial={serial}"]
            words[-1] += f",bootindex={at + 1}" if system["by_order"] and not first else ""
        for at, image in enumerate(disc):
            if image:
                order = ",bootindex=0" if first and at == 0 else ""
                words += ["-drive", f"if=none,id=cd{at},media=cdrom,readonly=on,file={image}",
                          "-device", f"ide-cd,bus=ide.{at},drive=cd{at}{order}"]  # fmt: skip
        with (folder / "qemu.log").open("ab") as log:
            running[system["uuid"]] = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        if first:
            self._update(system, boot_device="Hdd")


fakedriver.FakeDriver = QemuDriver
if __name__ == "__main__":
    sys.exit(main.main())
