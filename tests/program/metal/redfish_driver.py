"""sushy-tools' emulator with GPU servers in it: python redfish_driver.py --config conf.py --fake

A stand-in for BMCs, not for hardware. Beyond the emulator: serial numbers, GPUs, drives, firmware inventory, an installer
that ends by powering off, and faults. Keys of a system in SUSHY_EMULATOR_FAKE_SYSTEMS, all optional:
serial, gpus, memory_gib, versions, drives, power_delay, install_s, and as faults stuck (power requests change nothing),
power_error (HTTP 500 with this text), busy (the first N requests get busy_status, 503 unless given), slow_s.
SUSHY_EMULATOR_COMPONENTS is the firmware inventory, SUSHY_EMULATOR_WRITES the file that lists every changing request,
SUSHY_EMULATOR_SEEDS the folder that gets the seed of every installation.
"""

from __future__ import annotations

import collections
import json
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Any

import flask
from sushy_tools import error
from sushy_tools.emulator import main
from sushy_tools.emulator.resources.systems import fakedriver

app = main.app
SYSTEMS, COMPONENTS = "/redfish/v1/Systems/", "/redfish/v1/UpdateService/FirmwareInventory"
busy: collections.Counter[str] = collections.Counter()
lock = threading.Lock()


class GpuDriver(fakedriver.FakeDriver):
    """Eight-GPU servers; requests take effect after ``power_delay`` instead of a random 1 to 11 s."""

    def _update_if_needed(self, system: dict[str, Any]) -> dict[str, Any]:
        pending = system.get("pending_power")
        system = super()._update_if_needed(system)
        if pending and not system.get("pending_power"):
            self._booted(system)
        return system

    def _booted(self, system: dict[str, Any]) -> None:
        """A boot from disc runs the installer, which ends by turning the machine off."""
        disc, seed = (
            ((system.get("boot_image") or {}).get(drive) or [None])[0] for drive in ("Cd", self._seeds())
        )
        if system["power_state"] == "On" and system.get("boot_device") == "Cd" and disc:
            if seed:  # the disc itself is removed when it is ejected
                shutil.copyfile(seed, Path(app.config["SUSHY_EMULATOR_SEEDS"]) / f"{time.monotonic_ns()}.iso")
            ends = {"power_state": "Off", "apply_time": time.time() + system.get("install_s", 1.0)}
            self._update(
                system, boot_device="Hdd", installs=system.get("installs", 0) + 1, pending_power=ends
            )

    def _seeds(self) -> str:
        """The drive that brings what differs from machine to machine: a stick where there is one."""
        return "Usb" if "Usb" in app.config["SUSHY_EMULATOR_VMEDIA_DEVICES"] else "Cd2"

    def set_power_state(self, identity: str, state: str) -> None:
        system = self._get(identity)
        if system.get("stuck"):
            return
        if system.get("power_error"):
            raise error.FishyError(system["power_error"])
        super().set_power_state(identity, state)
        system = self._get(identity)
        if pending := system.get("pending_power"):
            pending["apply_time"] = time.time() + system.get("power_delay", 0.1)
            self._update(system, pending_power=pending)

    def get_total_memory(self, identity: str) -> int:
        return int(self._get(identity).get("memory_gib", 2048))

    def get_total_cpus(self, identity: str) -> int:
        return 192

    def get_processors(self, identity: str) -> list[dict[str, Any]]:
        cpus = [_processor(f"CPU{i}", "Intel", "Xeon Platinum 8480C", 56) for i in range(2)]
        gpus = range(1, self._get(identity).get("gpus", 8) + 1)
        return cpus + [_processor(f"GPU_SXM_{i}", "NVIDIA", "H100 80GB HBM3", 132) for i in gpus]

    def get_versions(self, identity: str) -> dict[str, str]:
        versions: dict[str, str] = self._get(identity).get("versions", {"BiosVersion": "1.0.0"})
        return versions

    def get_bios(self, identity: str) -> dict[str, str]:
        found: dict[str, str] = self._get(identity).get(
            "bios", {"SriovGlobalEnable": "Disabled", "ProcTurboMode": "Enabled"}
        )
        return found

    def set_bios(self, identity: str, attributes: dict[str, str]) -> None:
        self._update(identity, bios={**self.get_bios(identity), **attributes})

    def get_simple_storage_collection(self, identity: str) -> dict[str, Any]:
        disks = [("nvme0n1", 1_920_383_410_176), *((f"nvme{i}n1", 3_840_755_982_336) for i in range(1, 9))]
        listed = [{"Name": name, "CapacityBytes": size} for name, size in disks]
        return {"nvme": {"Id": "nvme", "Name": "nvme", "DeviceList": listed}}


def _processor(name: str, vendor: str, model: str, cores: int) -> dict[str, Any]:
    return {
        "id": name,
        "socket": name,
        "vendor": vendor,
        "model": model,
        "cores": cores,
        "threads": 2 * cores,
    }


def _node() -> dict[str, Any]:
    parts = flask.request.path.removeprefix(SYSTEMS).split("/")
    if not flask.request.path.startswith(SYSTEMS):
        return {}
    listed = app.config["SUSHY_EMULATOR_FAKE_SYSTEMS"]
    return next((one for one in listed if one["uuid"] == parts[0]), {})


@app.before_request
def _faults() -> Any:
    node = _node()
    if flask.request.method != "GET":
        with Path(app.config["SUSHY_EMULATOR_WRITES"]).open("a") as log:
            log.write(f"{flask.request.method} {flask.request.path} {flask.request.get_data(as_text=True)}\n")
    time.sleep(node.get("slow_s", 0))
    with lock:
        waits = busy[node.get("uuid", "")] < node.get("busy", 0)
        busy[node.get("uuid", "")] += waits
    if waits:
        body = json.dumps({"error": {"code": "Base.1.0.GeneralError", "message": "the BMC is busy"}})
        return flask.Response(
            body, node.get("busy_status", 503), {"Retry-After": "0"}, content_type="application/json"
        )
    return None


@app.after_request
def _completed(response: flask.Response) -> flask.Response:
    """What the emulator's templates leave out."""
    parts = flask.request.path.removeprefix(SYSTEMS).rstrip("/").split("/")
    node = _node()
    if not node or flask.request.method != "GET" or response.status_code != 200:
        return response
    data = json.loads(response.get_data())
    if len(parts) == 1:
        data |= {
            "SerialNumber": node.get("serial", node["name"].upper()),
            "Model": "railbed emulated HGX H100",
        }
    elif len(parts) == 5 and parts[3] == "Drives":
        data |= {"SerialNumber": node["drives"][parts[4]], "Model": "emulated drive"}
    elif len(parts) == 3 and parts[1] == "Processors" and data["Manufacturer"] == "NVIDIA":
        data["ProcessorType"] = "GPU"
    response.set_data(json.dumps(data))
    return response


@app.route(COMPONENTS)
def _components() -> Any:
    names = list(app.config["SUSHY_EMULATOR_COMPONENTS"])
    members = [{"@odata.id": f"{COMPONENTS}/{name}"} for name in names]
    return {
        "@odata.id": COMPONENTS,
        "Name": "Firmware",
        "Members@odata.count": len(names),
        "Members": members,
    }


@app.route(f"{COMPONENTS}/<name>")
def _component(name: str) -> Any:
    version = app.config["SUSHY_EMULATOR_COMPONENTS"][name]
    return {
        "@odata.id": f"{COMPONENTS}/{name}",
        "Id": name,
        "Name": name,
        "Version": version,
        "Updateable": True,
    }


fakedriver.FakeDriver = GpuDriver
if __name__ == "__main__":
    sys.exit(main.main())
