"""A metal stack of one machine in a checkout of its own, made as a site makes it, and looked at as an operator does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from tests.program.metal.emulator import PASSWORD, USER, Emulator, serial_of
from tests.program.metal.test_engine import MIRROR

from railbed import flow
from railbed.contract import Contract
from railbed.effects.workspace import Workspace

ROOT = Path(__file__).resolve().parents[3]
LINKS = (
    "Pulumi.yaml",
    "tools",
    ".venv",
    "plugins",
    "examples",
    "playbooks",
    "roles",
    "ansible.cfg",
    "inventories",
    "policy",
)
RAILBED = Path(sys.prefix) / "bin/railbed"
VALIDATE_S = 900
ACKNOWLEDGE = "the system disks of 1 machines are overwritten"


class Stack:
    """``folder``: the checkout, which others may enter, since Ironic's own user does."""

    def __init__(
        self, folder: Path, index: int, redfish: Emulator, installer: dict[str, Any], **setup: Any
    ) -> None:
        folder.mkdir()
        for name in LINKS:
            (folder / name).symlink_to(ROOT / name)
        # The program runs in this folder, and finds its checkout from there: it must not be a link.
        (folder / "infra").mkdir()
        (folder / "infra/__main__.py").symlink_to(ROOT / "infra/__main__.py")
        self.work, self.name = Workspace(folder, "metal"), "h100-0"
        self.work.local.mkdir()
        (self.work.local / "ironic").symlink_to(ROOT / ".railbed/ironic")
        logins = self.work.local / "bmc.yaml"
        logins.write_text(f'user: "{USER}"\npassword: "{PASSWORD}"\n')
        logins.chmod(0o600)
        machine = {
            "name": self.name, "serial": serial_of(index), "bmc": redfish.system_url(index), "address": f"10.77.0.{10 + index}",
            "mac": f"02:00:00:00:{index:02x}:00", **setup,
        }  # fmt: skip
        erased = setup.get("erase", "none") != "none"
        spec = {
            "version": 1, "name": "site", "service": "metal", "scheduler": "none",
            "platform": {
                "kind": "metal", "ca_file": str(redfish.certificate), "management_cidr": "10.77.0.0/24", "installer": installer,
                "machines": [machine],
            },
            "pools": [{"name": "h100", "machine": "metal/hgx-h100-ib", "nodes": 1}],
            "fabric": {"rails": 8, "node_gbps": 3200.0},
            "software": {"release": "2026.11", "mirror": MIRROR},
            "acknowledge": [ACKNOWLEDGE, *(["the partition tables of all disks of 1 machines are erased"] if erased else [])],
        }  # fmt: skip
        self.work.stack_file.write_text(yaml.safe_dump({"config": {"railbed:cluster": spec}}))

    def preflight(self) -> list[str]:
        """What it says of each machine, and of Ironic."""
        looked = flow.preflight(flow.plan_of(self.work), lambda: self.work.root)
        return [f"{one.name}: {'' if one.ok else 'FAILS '}{one.found}" for one in looked]

    def up(self, say: Callable[[str], None]) -> Contract:
        """The engine's part of `railbed up`: machines identified, installed and on, and their contract."""
        os.chdir(self.work.root)
        return flow.make(self.work, say)[1]

    def ssh(self, command: str) -> str:
        """As `railbed ssh` does: with the host key of the contract alone."""
        words = ["ssh", "-F", str(self.work.ssh_config), self.name, command]
        return subprocess.run(words, text=True, capture_output=True, timeout=300, check=True).stdout

    def validate(self) -> dict[str, Any]:
        """The report of `railbed validate --quick`."""
        done = subprocess.run(
            [str(RAILBED), "validate", "--quick", "--json", "--stack", self.work.stack], cwd=self.work.root, text=True,
            capture_output=True, timeout=VALIDATE_S, check=False,
        )  # fmt: skip
        if not done.stdout.startswith("{"):
            raise RuntimeError(f"validate ended with {done.returncode}: {done.stderr[-2000:]}")
        report: dict[str, Any] = json.loads(done.stdout)
        return report
