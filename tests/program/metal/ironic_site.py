"""A stack whose machines railbed's own Ironic installs, in front of the Redfish emulator: folders, inputs, resource."""

from __future__ import annotations

import hashlib
import socket
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from railbed.effects.bmc import record
from railbed.effects.ironic import process
from railbed.effects.ironic.client import Nodes
from railbed.effects.ironic.config import Where
from railbed.platforms.metal.machines import IronicInstallation, Wanted
from railbed.platforms.metal.resources import Machine
from railbed.run import run

from .conftest import IMAGE, Images
from .emulator import BRISK, PASSWORD, USER, Emulator, serial_of

ROOT = Path(__file__).resolve().parents[3]
LOCK = {"bios": "2.1.8"}
OPERATOR = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFoperator railbed operator"
PATIENT = replace(BRISK, install_s=900)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stack:
    """A stack's folders, where Ironic's own user may enter too, and an Ironic that runs while the module's tests do."""

    def __init__(self, folder: Path, python: Path, authorities: Path) -> None:
        self.folder, self.where = folder, Where("127.0.0.1", free_port(), free_port())
        self.credentials = folder / "bmc.yaml"
        self.credentials.write_text(f'user: "{USER}"\npassword: "{PASSWORD}"\n')
        self.credentials.chmod(0o600)
        self._how = (
            folder / "ironic", self.where, python, lambda: record.half_made(folder / "metal"), str(authorities),
        )  # fmt: skip
        self._holding = ExitStack()
        self.restart()

    def restart(self) -> None:
        """Starts Ironic, also one that was killed; it then runs until ``close``."""
        self.ironic = self._holding.enter_context(process.running(*self._how))

    def close(self) -> None:
        self._holding.close()

    @property
    def nodes(self) -> Nodes:
        return Nodes(self.ironic.access)


class Site:
    def __init__(self, redfish: Emulator, images: Images, stack: Stack) -> None:
        self.redfish, self.images, self.stack = redfish, images, stack
        for name in ("kernel", "ramdisk", "esp"):
            (images.folder / name).write_bytes(IMAGE)

    def wanted(self, index: int, **changes: Any) -> Wanted:
        install = {
            key: changes.pop(key) for key in list(changes) if key in IronicInstallation.__dataclass_fields__
        }
        file = {
            part: {"url": f"{self.images.url}/{part}", "sha256": self.images.sha256}
            for part in ("kernel", "ramdisk", "esp")
        }
        installation = IronicInstallation(**{
            "image_url": f"{self.images.url}/installer.iso", "image_sha256": self.images.sha256,
            "authorized_keys": [OPERATOR], "pool": "h100", "owner": "site/test", "agent": file, "root": str(ROOT),
            "where": vars(self.stack.where), "macs": [f"02:00:00:00:{index:02x}:00"], **install,
        })  # fmt: skip
        wanted = Wanted(
            name=f"h100-{index}", serial=serial_of(index), bmc=self.redfish.system_url(index), address=f"10.80.0.{index}",
            credentials=self.stack.credentials, folder=self.stack.folder / "metal", secrets=self.stack.folder / "secrets",
            firmware=LOCK, ca_file=str(self.redfish.certificate), installation=installation,
        )  # fmt: skip
        return replace(wanted, **changes)

    def qcow2(self) -> str:
        """Makes the smallest disk image; its SHA-256."""
        file = self.images.folder / "node.qcow2"
        run(["qemu-img", "create", "-q", "-f", "qcow2", file, "1M"])
        return hashlib.sha256(file.read_bytes()).hexdigest()

    def presented(self, address: str) -> str:
        """As the installed system would: the key of the record."""
        index = int(address.rsplit(".", 1)[1])
        last = record.load(self.stack.folder / "metal", serial_of(index))
        return last.host_key if last else ""

    def resource(self, deploy: Literal["direct", "ramdisk"] = "ramdisk") -> Machine:
        return Machine(PATIENT, self.presented, deploy)

    def create(self, index: int, **changes: Any) -> dict[str, Any]:
        return self.resource().create(self.wanted(index, **changes).inputs())
