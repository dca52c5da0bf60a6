"""The provider's view of a machine: what a preview shows, what is mended in place, what is another machine."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.provider.experimental import provider as sdk

from railbed.effects.bmc import hostkey, record
from railbed.effects.bmc.inventory import Identity, Inventory
from railbed.effects.bmc.target import Target
from railbed.platforms.metal import resources
from railbed.platforms.metal.machines import IsoInstallation, Machine, Wanted
from railbed.platforms.metal.resources import RESOURCES
from railbed.platforms.provider import Railbed, resource_type
from railbed.platforms.values import UNKNOWN, map_from_plain, map_to_plain
from railbed.run import run

TOKEN = "railbed:metal:Machine"
URN = f"urn:pulumi:metal::railbed::{TOKEN}::h100-0"
INSTALLATION = IsoInstallation(
    image_url="http://10.80.0.1/ubuntu.iso", image_sha256="a" * 64, seed_address="10.80.0.1",
    authorized_keys=["ssh-ed25519 AAAA"],
)  # fmt: skip
WANTED = Wanted(
    name="h100-0", serial="SN0000", bmc="https://10.81.0.11", address="10.80.0.11", credentials=Path("/nowhere/bmc.yaml"),
    folder=Path("/nowhere/metal"), secrets=Path("/nowhere/secrets"), firmware={"bios": "2.1.8"}, installation=INSTALLATION,
)  # fmt: skip
MADE = {"uuid": "0", "known_host_key": "ssh-ed25519 AAAA", "made_generation": 1, "emulated": True}


def diff(new: Wanted, **seen: Any) -> sdk.DiffResponse:
    old = {**WANTED.inputs(), **MADE, **seen}
    request = sdk.DiffRequest(URN, "SN0000", map_from_plain(old), map_from_plain(new.inputs()), [])
    return asyncio.run(Railbed().diff(request))


def test_a_machine_as_wanted_is_no_change() -> None:
    assert diff(WANTED).changes is False


@pytest.mark.parametrize(
    "seen", [{"power": "off"}, {"replaced": True}, {"firmware_drift": ["bios: 1.9.0, locked 2.1.8"]}]
)
def test_what_a_refresh_saw_is_mended_in_place(seen: dict[str, Any]) -> None:
    answer = diff(WANTED, **seen)
    assert (answer.diffs, answer.replaces) == (list(seen), [])


@pytest.mark.parametrize(
    ("changes", "replaces"),
    [
        ({"serial": "SN0009"}, ["serial"]), ({"name": "h100-9"}, ["name"]), ({"generation": 2}, []),
        ({"bmc": "https://10.81.0.12"}, []), ({"firmware": {"bios": "2.2"}}, []),
        ({"installation": replace(INSTALLATION, nameservers=["10.80.0.2"])}, []),
    ],
)  # fmt: skip
def test_only_another_name_or_serial_is_another_machine(changes: dict[str, Any], replaces: list[str]) -> None:
    answer = diff(replace(WANTED, **changes))
    assert answer.changes
    assert answer.replaces == replaces


def test_a_refresh_sees_a_system_of_another_generation_than_the_state_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The generation that was made is an output: only the engine's state has it."""
    wanted = replace(WANTED, folder=tmp_path)
    record.save(
        tmp_path, Target("h100-0", "SN0000", "https://10.81.0.11"), 2, "installed", "ssh-ed25519 AAAA"
    )
    monkeypatch.setattr(resources.inventory, "identify", lambda bmc: Identity("SN0000", "", "", "", "on"))
    monkeypatch.setattr(resources.inventory, "take", lambda bmc: Inventory(firmware={"bios": "2.1.8"}))
    monkeypatch.setenv("RAILBED_BMC_USER", "u")
    monkeypatch.setenv("RAILBED_BMC_PASSWORD", "p")
    inputs = {k: v for k, v in wanted.inputs().items() if v is not None}

    def drift(made: int) -> Any:
        state = map_from_plain({**inputs, **MADE, "made_generation": made})
        seen = asyncio.run(Railbed().read(sdk.ReadRequest(URN, "SN0000", state, map_from_plain(inputs))))
        return map_to_plain(seen.inputs)["system_drift"]

    assert drift(2) == []
    assert drift(1) == ["generation 2 is on it, the state says 1"]


@pytest.mark.parametrize(("state", "kept"), [("started", False), ("installed", True)])
def test_a_delete_lets_go_of_what_is_half_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: record.State, kept: bool
) -> None:
    """Its key and the state of railbed's own Ironic go; a system that is whole stays recorded, and is not installed over."""
    wanted = replace(WANTED, folder=tmp_path / "metal", secrets=tmp_path / "secrets")
    key = hostkey.ensure(wanted.secrets, "h100-0")
    record.save(wanted.folder, Target("h100-0", "SN0000", wanted.bmc), 1, state, key.public)
    (tmp_path / "ironic").mkdir()
    monkeypatch.setattr(resources.media, "eject_all", lambda bmc: 0)
    monkeypatch.setenv("RAILBED_BMC_USER", "u")
    monkeypatch.setenv("RAILBED_BMC_PASSWORD", "p")
    resources.Machine().delete(wanted.inputs())
    assert (record.load(wanted.folder, "SN0000") is not None) == kept
    assert bool(list(wanted.secrets.iterdir())) == kept
    assert not (tmp_path / "ironic").exists(), "no machine is half-way"


def test_a_preview_touches_nothing_and_leaves_the_outputs_open() -> None:
    inputs = map_from_plain({k: v for k, v in WANTED.inputs().items() if v is not None})
    made = asyncio.run(Railbed().create(sdk.CreateRequest(URN, inputs, 0.0, True)))
    assert made.properties["known_host_key"].value == UNKNOWN
    assert map_to_plain(made.properties)["serial"] == "SN0000"


def test_an_error_reaches_the_engine_as_text_without_a_traceback() -> None:
    inputs = map_from_plain({k: v for k, v in WANTED.inputs().items() if v is not None})
    with pytest.raises(RuntimeError, match="BMC_LOGIN: no user and password for the BMC of h100-0"):
        asyncio.run(Railbed().create(sdk.CreateRequest(URN, inputs, 0.0, False)))


def test_metal_is_served_without_the_lab() -> None:
    code = (
        "import sys; from railbed.platforms.provider import resource_type; assert resource_type('railbed:metal:Machine');"
        "print([m for m in sys.modules if m.startswith(('railbed.platforms.lab', 'railbed.effects.lab'))])"
    )
    assert run([sys.executable, "-c", code]).stdout.strip() == "[]"


class Mocks(pulumi.runtime.Mocks):
    """Answers for the engine; every resource that the program declares is kept."""

    def __init__(self) -> None:
        self.seen: list[pulumi.runtime.MockResourceArgs] = []

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.seen.append(args)
        return f"{args.name}-id", {**args.inputs, **MADE}

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        return {}, []


def test_the_program_declares_a_machine_with_all_that_the_provider_reads() -> None:
    mocks = Mocks()
    # An earlier test in this process may have closed the thread's loop (asyncio.run does).
    asyncio.set_event_loop(asyncio.new_event_loop())
    pulumi.runtime.set_mocks(mocks)
    kept: list[str] = []

    @pulumi.runtime.test
    def program() -> Any:
        return Machine(WANTED).known_host_key.apply(kept.append)

    program()
    assert kept == ["ssh-ed25519 AAAA"]
    (machine,) = mocks.seen
    assert machine.typ == TOKEN
    assert machine.inputs == {k: v for k, v in WANTED.inputs().items() if v is not None}
    assert resource_type(TOKEN) is RESOURCES[TOKEN]
