"""The Machine resource from powered off to the facts of a contract, against the Redfish emulator. All simulated."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from railbed.contract import Identity, Node, Ssh
from railbed.effects.bmc import hostkey, media, power, record
from railbed.effects.bmc.target import BmcError, Patience
from railbed.errors import RailbedError, UsageError
from railbed.platforms.metal.machines import IsoInstallation, Wanted
from railbed.platforms.metal.resources import Machine

from .conftest import Images
from .emulator import BRISK, PASSWORD, USER, Emulator, machine, serial_of

FLOW, ADOPTED, WRONG, OLD, KILLED, IN_USE, NO_IMAGE, NO_KEY, REFRESHED, STRANGE, HANGS, BAD_SUM, SEEDED = (
    range(13)
)
PARALLEL = range(13, 21)
LOCK = {"bios": "2.1.8", "bmc": "1.00", "nic": "28.39.1002"}
RUNNING = {"power_state": "On"}
MACHINES = [
    machine(i, versions={"BiosVersion": "1.9.0" if i == OLD else "2.1.8"},
            **(RUNNING if i in (ADOPTED, IN_USE, NO_KEY) else {}), install_s=60 if i == HANGS else 0.6)
    for i in range(21)
]  # fmt: skip
OPERATOR = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFoperator railbed operator"


class Site:
    """A stack's folders, and machines whose SSH servers show the key of the seed that their installer has read."""

    def __init__(self, redfish: Emulator, images: Images, folder: Path) -> None:
        self.redfish, self.images, self.folder = redfish, images, folder
        self.credentials = folder / "bmc.yaml"
        self.credentials.write_text(f'user: "{USER}"\npassword: "{PASSWORD}"\n')
        self.credentials.chmod(0o600)
        self.keys: dict[str, str] = {}

    def wanted(self, index: int, **changes: Any) -> Wanted:
        wanted = Wanted(
            name=f"h100-{index}", serial=serial_of(index), bmc=self.redfish.system_url(index), address=f"10.80.0.{index}",
            credentials=self.credentials, folder=self.folder / "metal", secrets=self.folder / "secrets",
            firmware=LOCK, ca_file=str(self.redfish.certificate),
            installation=IsoInstallation(
                image_url=f"{self.images.url}/installer.iso", image_sha256=self.images.sha256,
                seed_address="127.0.0.1", authorized_keys=[OPERATOR], mac=f"02:00:00:00:{index:02x}:00",
                gateway="10.80.0.1",
            ),
        )  # fmt: skip
        return replace(wanted, **changes)

    def resource(self, patience: Patience = BRISK) -> Machine:
        return Machine(patience, self.presented)

    def presented(self, address: str) -> str:
        """As the installed system would: the host key out of the last seed for that address."""
        for fetched in reversed(self.redfish.fetched()):
            seed = self.redfish.seed(fetched)
            if seed["network"]["ethernets"]["management"]["addresses"] == [f"{address}/24"]:
                return hostkey.bare(seed["user-data"]["ssh_keys"]["ed25519_public"])
        return self.keys.get(address, "")

    def create(self, index: int, **changes: Any) -> dict[str, Any]:
        return self.resource().create(self.wanted(index, **changes).inputs())


@pytest.fixture
def site(redfish: Emulator, images: Images, tmp_path: Path) -> Iterator[Site]:
    yield Site(redfish, images, tmp_path)


def refused(act: Callable[[], object]) -> RailbedError:
    with pytest.raises(RailbedError) as caught:
        act()
    return caught.value


def untouched(site: Site, index: int, act: Callable[[], object]) -> RailbedError:
    """The error of ``act``, and proof that it sent nothing that changes a machine."""
    before, system = site.redfish.writes(), site.redfish.system(index)
    error = refused(act)
    assert site.redfish.writes() == before
    assert site.redfish.system(index) == system
    return error


def test_from_powered_off_to_the_facts_of_a_contract(site: Site) -> None:
    made = site.create(FLOW)
    assert site.redfish.system(FLOW)["PowerState"] == "On"
    assert site.redfish.drive(FLOW, "Cd")["Inserted"] is False
    assert site.redfish.drive(FLOW, "Cd2")["Inserted"] is False
    assert made["emulated"] is True
    assert made["inventory"]["gpus"] == 8
    node = Node(
        name="h100-0", pool="h100", role="compute", machine="metal/hgx-h100", gpus=made["inventory"]["gpus"], cpus=192,
        memory_mib=made["inventory"]["memory_gib"] * 1024, address="10.80.0.0",
        ssh=Ssh(user="root", host_keys=[made["known_host_key"]]), rails=[], scalable_unit=0,
        identity=Identity(kind="serial", value=serial_of(FLOW)), bmc=site.redfish.system_url(FLOW),
    )  # fmt: skip
    assert node.ssh.host_keys[0].startswith("ssh-ed25519 AAAA")
    assert len(node.model_dump_json()) < 2048

    seed = site.redfish.seed(site.redfish.fetched()[-1])
    assert seed["user-data"]["hostname"] == "h100-0"
    assert seed["shutdown"] == "poweroff"
    assert seed["user-data"]["ssh_keys"]["ed25519_private"].startswith(
        "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    )
    # Nothing of the private key is left behind, nor in what goes into the engine's state.
    assert [path.name for path in (site.folder / "secrets").iterdir()] == []
    assert "PRIVATE KEY" not in json.dumps(made)
    assert all("PRIVATE" not in p.read_text() for p in (site.folder / "metal").iterdir())

    before = site.redfish.writes()
    again = site.create(FLOW)
    assert again["known_host_key"] == made["known_host_key"]
    assert site.redfish.writes() == before


def test_the_seed_is_gone_once_the_machine_is_installed(site: Site) -> None:
    """The server itself has ended."""
    site.create(SEEDED)
    urls = [
        json.loads(line.split(" ", 2)[2])["Image"] for line in site.redfish.writes() if "InsertMedia" in line
    ]
    with pytest.raises(requests.ConnectionError):
        requests.get(next(url for url in reversed(urls) if url.endswith("seed.iso")), verify=False, timeout=2)


def test_a_refresh_sees_power_and_firmware_and_an_update_brings_the_power_back(site: Site) -> None:
    made = site.create(REFRESHED)
    inputs = site.wanted(REFRESHED).inputs()
    resource = site.resource()
    assert {**inputs, **(resource.read(inputs) or {})} == {**inputs, "inventory": made["inventory"]}
    power.turn_off(site.redfish.bmc(REFRESHED))
    seen = resource.read({**inputs, "firmware": {"bios": "2.2.0"}})
    assert seen is not None
    assert (seen["power"], seen["replaced"]) == ("off", False)
    assert seen["firmware_drift"] == ["bios: 2.1.8, locked 2.2.0"]
    resource.update({**inputs, **made})
    assert power.state(site.redfish.bmc(REFRESHED)) == "on"
    assert record.load(site.folder / "metal", serial_of(REFRESHED)).generation == 1  # type: ignore[union-attr]


def test_a_replaced_machine_shows_in_a_refresh_and_is_never_touched(site: Site) -> None:
    inputs = {**site.wanted(WRONG).inputs(), "serial": "SN-BEFORE"}
    assert site.resource().read(inputs) == {"replaced": True}
    error = untouched(site, WRONG, lambda: site.resource().update(inputs))
    assert error.code == "MACHINE_IDENTITY"
    before = site.redfish.writes()
    site.resource().delete(inputs)
    assert site.redfish.writes() == before


def test_firmware_that_is_not_locked_stops_everything(site: Site) -> None:
    error = untouched(site, OLD, lambda: site.create(OLD))
    assert error.code == "FIRMWARE_LOCK"
    assert error.found == ["bios: 1.9.0, locked 2.1.8"]
    lock = {"bios": "1.9.0", "VBIOS": "96.00"}
    assert untouched(site, OLD, lambda: site.create(OLD, firmware=lock)).found == [
        "VBIOS: not shown by the BMC, locked 96.00"
    ]
    assert site.create(OLD, firmware={"bios": "1.9.0"})["emulated"]


def test_a_machine_that_runs_is_never_installed_over(site: Site) -> None:
    error = untouched(site, IN_USE, lambda: site.create(IN_USE))
    assert error.code == "MACHINE_IN_USE"
    assert "turn it off yourself" in error.hint
    assert site.images.asked == []


def test_a_machine_with_a_system_of_its_own_is_taken_as_it_is(site: Site) -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAdopted"
    site.keys[f"10.80.0.{ADOPTED}"] = key
    before = site.redfish.writes()
    made = site.create(ADOPTED, installation=None, host_key=f"{key} root@h100-1")
    assert made["known_host_key"] == key
    assert site.redfish.writes() == before
    site.keys[f"10.80.0.{ADOPTED}"] = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAnother"
    error = untouched(site, ADOPTED, lambda: site.create(ADOPTED, installation=None, host_key=key))
    assert error.code == "HOST_KEY"


def test_without_an_installer_the_host_key_must_be_given(site: Site) -> None:
    error = untouched(site, NO_KEY, lambda: site.create(NO_KEY, installation=None))
    assert isinstance(error, UsageError)
    assert "console" in error.hint


def test_only_a_higher_generation_installs_again(site: Site) -> None:
    first = site.create(KILLED)
    second = site.create(KILLED, generation=2)
    assert second["known_host_key"] != first["known_host_key"]
    error = untouched(site, KILLED, lambda: site.create(KILLED, generation=1))
    assert error.code == "MACHINE_IN_USE"
    renamed = untouched(site, KILLED, lambda: site.create(KILLED, generation=2, name="h100-99"))
    assert renamed.code == "MACHINE_IN_USE"
    # Another operator's checkout has no record, but the engine's state knows the generation.
    (site.folder / "metal" / f"{serial_of(KILLED)}.json").unlink()
    inputs = {
        **site.wanted(KILLED, generation=2).inputs(),
        "made_generation": 2,
        "known_host_key": second["known_host_key"],
    }
    assert site.resource().update(inputs)["known_host_key"] == second["known_host_key"]
    assert record.load(site.folder / "metal", serial_of(KILLED)) is None


def test_a_run_that_was_killed_in_the_installation_starts_it_again(site: Site) -> None:
    key = hostkey.ensure(site.folder / "secrets", f"h100-{STRANGE}").public
    target = site.redfish.bmc(STRANGE).target
    record.save(site.folder / "metal", replace(target, name=f"h100-{STRANGE}"), 1, "started", key)
    power.turn_on(site.redfish.bmc(STRANGE))
    assert site.create(STRANGE)["known_host_key"] == key


def test_an_installer_that_hangs_is_given_up_with_its_seed_withdrawn(site: Site) -> None:
    brief = replace(BRISK, install_s=0.5)
    inputs = site.wanted(HANGS).inputs()
    error = refused(lambda: site.resource(brief).create(inputs))
    assert error.code == "INSTALL_TIMEOUT"
    assert error.found == "on from 0 s"
    assert "autoinstall" in error.hint


def test_a_machine_that_shows_another_key_is_not_trusted(site: Site) -> None:
    def impostor(address: str) -> str:
        return "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIImpostor"

    inputs = site.wanted(NO_IMAGE).inputs()
    error = refused(lambda: Machine(BRISK, impostor).create(inputs))
    assert isinstance(error, BmcError)
    assert error.code == "HOST_KEY"
    silent = refused(lambda: Machine(replace(BRISK, host_up_s=0.3), lambda _: "").create(inputs))
    assert silent.code == "HOST_SILENT"
    # The system was written once: the next run only waits for it.
    writes = [line for line in site.redfish.writes() if "InsertMedia" in line]
    assert site.create(NO_IMAGE)["known_host_key"].startswith("ssh-ed25519")
    assert [line for line in site.redfish.writes() if "InsertMedia" in line] == writes


def test_another_image_than_the_one_that_was_meant_is_never_booted(site: Site) -> None:
    (site.images.folder / "installer.iso").write_bytes(b"altered")
    error = untouched(site, BAD_SUM, lambda: site.create(BAD_SUM))
    assert error.code == "INSTALLER_IMAGE"
    (site.images.folder / "installer.iso").unlink()
    assert untouched(site, BAD_SUM, lambda: site.create(BAD_SUM)).code == "INSTALLER_IMAGE"


def test_delete_takes_the_media_out_and_leaves_the_power_unless_asked(site: Site) -> None:
    bmc = site.redfish.bmc(ADOPTED)
    media.insert(bmc, "installer", f"{site.images.url}/installer.iso")
    site.resource().delete(site.wanted(ADOPTED).inputs())
    assert media.inserted(bmc) == []
    assert power.state(bmc) == "on"
    site.resource().delete(site.wanted(ADOPTED, on_delete="off").inputs())
    assert power.state(bmc) == "off"


def test_machines_are_installed_side_by_side_and_the_image_is_read_once(site: Site) -> None:
    with ThreadPoolExecutor(len(PARALLEL)) as pool:
        made = list(pool.map(site.create, PARALLEL))
    assert len({one["known_host_key"] for one in made}) == len(PARALLEL)
    by_bmcs = len(PARALLEL)
    assert site.images.asked.count("GET /installer.iso") == 1 + by_bmcs
    names = {
        yaml.safe_load(site.redfish.seed_file("meta-data", path))["local-hostname"]
        for path in site.redfish.fetched()
    }
    assert {f"h100-{index}" for index in PARALLEL} <= names
