"""The real engine and provider bring emulated machines from powered off to outputs: order, drift, replacement, state.

Stand-ins, beside the BMCs: the image is no installer, and ``ssh-keyscan`` is a script that shows the host key out of the
seed that the machine's installer has read, as the installed system would. All simulated.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi.automation as auto
import pytest

from railbed.effects.bmc import power
from railbed.effects.engine.session import environment
from railbed.effects.workspace import Workspace
from railbed.platforms.metal.machines import Installation, Wanted

from .conftest import Images
from .emulator import PASSWORD, USER, Emulator, machine, serial_of

pytestmark = pytest.mark.engine
ROOT = Path(__file__).resolve().parents[3]
# The provider looks every five seconds, so the emulated installer must not be done before that.
MACHINES = [machine(index, install_s=11, versions={"BiosVersion": "2.1.8"}) for index in range(2)]
PROJECT = f"""name: railbed
runtime: {{name: python, options: {{virtualenv: {ROOT}/.venv}}}}
plugins: {{providers: [{{name: railbed, path: {ROOT}/plugins/pulumi/railbed}}]}}
"""
PROGRAM = """
import json, pathlib, sys
sys.path.insert(0, {infra!r})
import pulumi
from railbed.platforms.metal.machines import Installation, Machine, Wanted
for one in json.loads(pathlib.Path("wanted.json").read_text()):
    paths = {{key: pathlib.Path(one[key]) for key in ("credentials", "folder", "secrets")}}
    made = Machine(Wanted(**{{**one, **paths, "installation": Installation(**one["installation"])}}))
    pulumi.export(one["name"], {{"host_key": made.known_host_key, "emulated": made.emulated, "gpus": made.inventory["gpus"]}})
"""
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


class Stack:
    """A project of its own in a temporary folder, with state and passphrase there."""

    def __init__(self, redfish: Emulator, images: Images, folder: Path) -> None:
        self.redfish, self.folder = redfish, folder
        for name in ("tools", ".venv", "infra"):
            (folder / name).symlink_to(ROOT / name)
        (folder / "Pulumi.yaml").write_text(PROJECT)
        (folder / "__main__.py").write_text(PROGRAM.format(infra=str(ROOT / "infra")))
        (folder / "bin").mkdir()
        script = folder / "bin" / "ssh-keyscan"
        script.write_text(KEYSCAN.format(python=sys.executable, seeds=str(redfish.folder / "seeds")))
        script.chmod(0o755)
        credentials = folder / "bmc.yaml"
        credentials.write_text(f'user: "{USER}"\npassword: "{PASSWORD}"\n')
        credentials.chmod(0o600)
        self.wanted = [
            Wanted(
                name=f"h100-{index}", serial=serial_of(index), bmc=redfish.system_url(index), address=f"10.80.0.{index}",
                credentials=credentials, folder=folder / "metal", secrets=folder / "secrets", firmware={"bios": "2.1.8"},
                ca_file=str(redfish.certificate),
                installation=Installation(
                    f"{images.url}/installer.iso", images.sha256, "127.0.0.1", ["ssh-ed25519 AAAA operator"],
                    mac=f"02:00:00:00:{index:02x}:00",
                ),
            )
            for index in range(len(MACHINES))
        ]  # fmt: skip
        env = environment(Workspace(folder, "metal"), print)
        env["PATH"] = os.pathsep.join([str(folder / "bin"), env["PATH"]])
        self._kept = os.environ["PATH"]
        os.environ["PATH"] = env["PATH"]
        self.declare()
        self.stack = auto.Stack.create_or_select(
            "metal", auto.LocalWorkspace(work_dir=str(folder), env_vars=env)
        )

    def close(self) -> None:
        os.environ["PATH"] = self._kept

    def declare(self, *changed: Wanted) -> None:
        wanted = {one.name: one for one in (*self.wanted, *changed)}
        plain = [
            {**one.inputs(), **vars(one), "installation": vars(one.installation)} for one in wanted.values()
        ]
        names = Wanted.__dataclass_fields__
        told = [{key: value for key, value in one.items() if key in names} for one in plain]
        (self.folder / "wanted.json").write_text(json.dumps(told, default=str))

    def up(self) -> dict[str, int]:
        done = self.stack.up(refresh=True, color="never", suppress_progress=True)
        return _counts(done.summary.resource_changes)

    def preview(self) -> dict[str, int]:
        return _counts(self.stack.preview(refresh=True, color="never").change_summary)

    def state(self) -> str:
        return "".join(path.read_text() for path in (self.folder / ".railbed/state/.pulumi").rglob("*.json"))


def _counts(changes: Any) -> dict[str, int]:
    counted = {str(getattr(kind, "value", kind)): count for kind, count in changes.items()}
    return {kind: count for kind, count in counted.items() if kind != "same"}


@pytest.fixture
def stack(redfish: Emulator, images: Images, tmp_path: Path) -> Iterator[Stack]:
    (tmp_path / "project").mkdir()
    made = Stack(redfish, images, tmp_path / "project")
    yield made
    made.close()


def test_from_powered_off_to_outputs_and_back(stack: Stack, redfish: Emulator) -> None:
    assert stack.preview() == {"create": 3}
    assert redfish.writes() == []

    assert stack.up() == {"create": 3}
    outputs = {name: value.value for name, value in stack.stack.outputs().items()}
    assert {one["gpus"] for one in outputs.values()} == {8}
    assert all(one["emulated"] for one in outputs.values())
    assert len({one["host_key"] for one in outputs.values()}) == 2
    assert [redfish.system(index)["PowerState"] for index in range(2)] == ["On", "On"]
    for secret in ("PRIVATE KEY", PASSWORD):
        assert secret not in stack.state()

    before = redfish.writes()
    assert stack.up() == {}
    assert redfish.writes() == before

    power.turn_off(redfish.bmc(1))
    assert stack.preview() == {"update": 1}
    assert stack.up() == {"update": 1}
    assert redfish.system(1)["PowerState"] == "On"
    assert {name: value.value for name, value in stack.stack.outputs().items()} == outputs

    before = redfish.writes()
    stack.declare(replace(stack.wanted[1], serial="SN-OF-A-NEW-BOARD"))
    with pytest.raises(auto.CommandError, match="MACHINE_IDENTITY") as refused:
        stack.up()
    assert serial_of(1) in str(refused.value)
    assert PASSWORD not in str(refused.value)
    assert redfish.writes() == before

    stack.stack.destroy(color="never", suppress_progress=True)
    assert [redfish.system(index)["PowerState"] for index in range(2)] == ["On", "On"]
