"""Runs the Redfish emulator for a test: own folder, free loopback port, TLS with a certificate of its own, basic auth."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bcrypt
import pycdlib
import requests
import yaml

from railbed.effects.bmc.connection import Bmc
from railbed.effects.bmc.login import Login
from railbed.effects.bmc.target import Patience, Target, Trust
from railbed.run import run

USER, PASSWORD = "railbed", "planted-canary-7Qx"
BRISK = Patience(
    connect_s=5, read_s=10, tries=4, first_pause_s=0.02, longest_pause_s=0.1, poll_s=0.1, power_s=4, shutdown_s=4,
    media_s=5, install_s=20, host_up_s=5, ironic_poll_s=0.5,
)  # fmt: skip
COMPONENTS = {"NIC.ConnectX7.1": "28.39.1002", "NIC.ConnectX7.2": "28.39.1002", "CPLD": "0.22"}
DISCS = {
    "Cd": {"Name": "Virtual CD 1", "MediaTypes": ["CD", "DVD"]},
    "Cd2": {"Name": "Virtual CD 2", "MediaTypes": ["CD", "DVD"]},
}
START_S = 30
ROOT = Path(__file__).resolve().parents[3]
DRIVER = Path(__file__).with_name("redfish_driver.py")


@dataclass
class Emulator:
    """A running emulator; all its machines are simulated."""

    url: str
    folder: Path

    @property
    def certificate(self) -> Path:
        return self.folder / "certificate.pem"

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.certificate.read_text())).hexdigest()

    def system_url(self, index: int) -> str:
        return f"{self.url}/redfish/v1/Systems/{uuid(index)}"

    def bmc(self, index: int, *, serial: str | None = None, patience: Patience = BRISK, **login: str) -> Bmc:
        """A connection to machine ``index`` that trusts the emulator's certificate."""
        target = Target(f"h100-{index}", serial or serial_of(index), self.system_url(index))
        user = Login(login.get("user", USER), login.get("password", PASSWORD))
        return Bmc(target, user, Trust(ca_file=self.certificate), patience)

    def get(self, path: str) -> Any:
        """The JSON at ``path``, past railbed's own client."""
        answer = requests.get(
            self.url + path, auth=(USER, PASSWORD), verify=str(self.certificate), timeout=10
        )
        answer.raise_for_status()
        return answer.json()

    def system(self, index: int) -> Any:
        return self.get(f"/redfish/v1/Systems/{uuid(index)}")

    def drive(self, index: int, name: str) -> Any:
        return self.get(f"/redfish/v1/Systems/{uuid(index)}/VirtualMedia/{name}")

    def writes(self) -> list[str]:
        """Every request so far that could change something."""
        return (self.folder / "writes").read_text().splitlines()

    def seed_file(self, file: str, fetched: Path) -> str:
        """A file of a seed disc that an installer has read."""
        image, out = pycdlib.PyCdlib(), io.BytesIO()
        image.open(str(fetched))
        image.get_file_from_iso_fp(out, rr_path=f"/{file}")
        image.close()
        return out.getvalue().decode()

    def seed(self, fetched: Path) -> Any:
        """The autoinstall part of such a disc."""
        return yaml.safe_load(self.seed_file("user-data", fetched))["autoinstall"]

    def fetched(self) -> list[Path]:
        """The seed discs that installers have read, oldest first."""
        return sorted((self.folder / "seeds").iterdir(), key=lambda path: int(path.stem))


def uuid(index: int) -> str:
    return f"00000000-0000-0000-0000-{index:012d}"


def serial_of(index: int) -> str:
    return f"SN{index:04d}"


def machine(index: int, **keys: Any) -> dict[str, Any]:
    """A powered-off server for the emulator's configuration."""
    nics = [{"mac": f"02:00:00:00:{index:02x}:{k:02x}", "ip": f"172.22.{index}.{k}"} for k in range(2)]
    return {
        "uuid": uuid(index), "name": f"gpu-{index:02d}", "serial": serial_of(index), "power_state": "Off",
        "external_notifier": False, "nics": nics, **keys,
    }  # fmt: skip


@contextmanager
def emulated(
    folder: Path, machines: Sequence[Mapping[str, Any]], components: Mapping[str, str] = COMPONENTS,
    devices: Mapping[str, Any] = DISCS, driver: Path = DRIVER, settings: Mapping[str, Any] | None = None,
) -> Iterator[Emulator]:  # fmt: skip
    """Starts the emulator and ends it, with all that ``driver`` has started; nothing but ``folder`` is written."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    emulator = Emulator(f"https://127.0.0.1:{port}", folder)
    _prepare(emulator, port, machines, components, devices, settings or {})
    # Downloaded images go to the temporary folder, so it is the test's own.
    env = {
        **os.environ,
        "TMPDIR": str(folder / "tmp"),
        "REQUESTS_CA_BUNDLE": str(emulator.certificate),
        "PYTHONPATH": f"{ROOT / 'infra'}:{ROOT}",
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(driver), "--config", str(folder / "conf.py"), "--fake"],
            stdout=log, stderr=log, env=env, start_new_session=True,
        )  # fmt: skip
    try:
        _await(emulator, process)
        yield emulator
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _prepare(
    emulator: Emulator, port: int, machines: Sequence[Mapping[str, Any]], components: Mapping[str, str],
    devices: Mapping[str, Any], more: Mapping[str, Any],
) -> None:  # fmt: skip
    folder = emulator.folder
    (folder / "tmp").mkdir(parents=True)
    (folder / "seeds").mkdir()
    (folder / "writes").touch()
    run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=emulated BMC", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem",
            "-out", emulator.certificate,
        ]
    )  # fmt: skip
    secret = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    (folder / "users").write_text(f"{USER}:{secret}\n")
    settings = {
        "LISTEN_IP": "127.0.0.1", "LISTEN_PORT": port, "FAKE_DRIVER": True, "STATE_DIR": str(folder / "state"),
        "AUTH_FILE": str(folder / "users"), "SSL_CERT": str(emulator.certificate), "SSL_KEY": str(folder / "key.pem"),
        "VMEDIA_DEVICES": dict(devices),
        "FAKE_SYSTEMS": [dict(one) for one in machines], "COMPONENTS": dict(components),
        "STORAGE": {one["uuid"]: _storage(one) for one in machines},
        "DRIVES": {(one["uuid"], "1"): _drives(one) for one in machines},
        "VOLUMES": {(one["uuid"], "1"): [] for one in machines},
        "WRITES": str(folder / "writes"), "SEEDS": str(folder / "seeds"), **more,
    }  # fmt: skip
    (folder / "conf.py").write_text(
        "".join(f"SUSHY_EMULATOR_{key} = {value!r}\n" for key, value in settings.items())
    )


def _storage(machine: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A controller with the machine's ``drives`` (name → serial number); without them only simple storage is shown."""
    names = list(machine.get("drives", {}))
    controller = {"MemberId": "0", "Name": "emulated", "SpeedGbps": 32}
    return (
        [{"Id": "1", "Name": "emulated", "StorageControllers": [controller], "Drives": names}]
        if names
        else []
    )


def _drives(machine: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"Id": name, "Name": name, "CapacityBytes": 960 * 10**9, "Protocol": "NVMe"}
        for name in machine.get("drives", {})
    ]


def _await(emulator: Emulator, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, (emulator.folder / "log").read_text()
        try:
            emulator.get("/redfish/v1/Systems")
        except requests.ConnectionError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(
        f"the emulator did not start within {START_S} s:\n{(emulator.folder / 'log').read_text()}"
    )
