"""The real program, engine and provider bring emulated machines from powered off to a contract, and keep them.

Stand-ins, beside the BMCs: the image is no installer, and ``ssh-keyscan`` is a script that shows the host key out of the
seed that the machine's installer has read, as the installed system would. All simulated, and the contract says so.
"""

from __future__ import annotations

import copy
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from railbed import flow
from railbed.contract import Contract
from railbed.effects.bmc import power
from railbed.effects.engine.session import EngineError, Session
from railbed.effects.workspace import Workspace

from .conftest import Images
from .emulator import PASSWORD, USER, Emulator, machine, serial_of

pytestmark = pytest.mark.engine
ROOT = Path(__file__).resolve().parents[3]
# The provider looks every five seconds, so the emulated installer must not be done before that.
MACHINES = [machine(index, install_s=11, versions={"BiosVersion": "2.1.8"}) for index in range(2)]
MIRROR = {
    "url": "https://mirror.example.invalid/", "fingerprint": "580CBAC7DFB05A91941864000995C39870050A04",
    "key": (ROOT / "tests/unit/data/openpgp/mirror.asc").read_text(),
}  # fmt: skip
"""The program runs in a process of its own, and asks no vendor for a key."""
KEYSCAN = """#!{python}
import pathlib, sys, pycdlib, io, yaml
for seed in sorted(pathlib.Path({seeds!r}).iterdir(), key=lambda path: int(path.stem)):
    image, out = pycdlib.PyCdlib(), io.BytesIO()
    image.open(str(seed))
    image.get_file_from_iso_fp(out, rr_path="/user-data")
    told = yaml.safe_load(out.getvalue())["autoinstall"]
    if told["network"]["ethernets"]["management"]["addresses"][0].split("/")[0] == sys.argv[-1]:
        print(sys.argv[-1], told["user-data"]["ssh_keys"]["ed25519_public"])
"""


class Site:
    """A checkout of its own in a temporary folder: spec, state, secrets and passphrase are there."""

    def __init__(self, redfish: Emulator, images: Images, folder: Path) -> None:
        for name in ("Pulumi.yaml", "tools", ".venv", "plugins", "examples"):
            (folder / name).symlink_to(ROOT / name)
        # The program runs in this folder, and finds its checkout from there: it must not be a link.
        (folder / "infra").mkdir()
        (folder / "infra/__main__.py").symlink_to(ROOT / "infra/__main__.py")
        self.work = Workspace(folder, "metal")
        self.spec = _spec(redfish, images)
        self.declare(self.spec)
        self.work.local.mkdir()
        logins = self.work.local / "bmc.yaml"
        logins.write_text(f'user: "{USER}"\npassword: "{PASSWORD}"\n')
        logins.chmod(0o600)

    def declare(self, spec: dict[str, Any]) -> None:
        # The engine keeps its salt in this file.
        file = self.work.stack_file
        kept = yaml.safe_load(file.read_text()) if file.exists() else {}
        file.write_text(yaml.safe_dump({**kept, "config": {"railbed:cluster": spec}}))

    def up(self) -> tuple[dict[str, int], Contract]:
        changes, contract = flow.make(self.work, print)
        return {kind: count for kind, count in changes.by_kind.items() if kind != "same"}, contract

    def preview(self) -> int:
        return Session(self.work, print).preview(lambda _: None).total

    def state(self) -> str:
        return "".join(path.read_text() for path in (self.work.local / "state/.pulumi").rglob("*.json"))


def _spec(redfish: Emulator, images: Images) -> dict[str, Any]:
    return {
        "version": 1, "name": "site", "service": "metal", "scheduler": "none",
        "platform": {
            "kind": "metal", "ca_file": str(redfish.certificate), "firmware": {"bios": "2.1.8"},
            "installer": {
                "url": f"{images.url}/installer.iso", "sha256": images.sha256, "seed_address": "127.0.0.1",
            },
            "machines": [
                {
                    "name": f"h100-{index}", "serial": serial_of(index), "bmc": redfish.system_url(index),
                    "address": f"10.80.0.{index + 1}", "mac": f"02:00:00:00:{index:02x}:00",
                }
                for index in range(len(MACHINES))
            ],
        },
        "pools": [{"name": "h100", "machine": "metal/hgx-h100-ib", "nodes": len(MACHINES)}],
        "fabric": {"rails": 8, "node_gbps": 3200.0},
        "software": {"release": "2026.11", "mirror": MIRROR},
        "acknowledge": [f"the system disks of {len(MACHINES)} machines are overwritten"],
    }  # fmt: skip


@pytest.fixture
def site(
    redfish: Emulator, images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    folder, tools = tmp_path / "checkout", tmp_path / "bin"
    folder.mkdir()
    tools.mkdir()
    script = tools / "ssh-keyscan"
    script.write_text(KEYSCAN.format(python=sys.executable, seeds=str(redfish.folder / "seeds")))
    script.chmod(0o755)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.chdir(folder)
    yield Site(redfish, images, folder)


def test_from_powered_off_to_a_contract_and_back(site: Site, redfish: Emulator) -> None:
    looked = flow.preflight(flow.plan_of(site.work), lambda: site.work.root)
    assert [one.name for one in looked if one.ok] == ["h100-0", "h100-1"]
    assert site.preview() == 3
    assert redfish.writes() == [], "preflight and preview only read"

    changes, contract = site.up()
    assert changes == {"create": 3}
    assert contract.simulated, "an emulator's machines are said to be simulated"
    assert [node.identity.value for node in contract.nodes] == [serial_of(0), serial_of(1)]
    assert len({node.ssh.host_keys[0] for node in contract.nodes}) == 2
    assert [len(node.rails) for node in contract.nodes] == [8, 8]
    assert [redfish.system(index)["PowerState"] for index in range(2)] == ["On", "On"]
    for secret in ("PRIVATE KEY", PASSWORD):
        assert secret not in site.state()

    before = redfish.writes()
    assert site.up() == ({}, contract)
    assert redfish.writes() == before

    power.turn_off(redfish.bmc(1))
    assert site.up() == ({"update": 1}, contract)
    assert redfish.system(1)["PowerState"] == "On"

    before = redfish.writes()
    other = copy.deepcopy(site.spec)
    other["platform"]["machines"][1]["serial"] = "SN-OF-A-NEW-BOARD"
    site.declare(other)
    assert [one.ok for one in flow.preflight(flow.plan_of(site.work), lambda: site.work.root)] == [
        True,
        False,
    ]
    with pytest.raises(EngineError, match="MACHINE_IDENTITY") as refused:
        site.up()
    assert serial_of(1) in refused.value.as_text()
    assert PASSWORD not in refused.value.as_text()
    assert redfish.writes() == before

    site.declare(site.spec)
    flow.destroy(site.work, print)
    assert [redfish.system(index)["PowerState"] for index in range(2)] == ["On", "On"]
